import CAnyclaude

/// Translates requests for one kind of server, and whole answers back. Any number of tasks may use one.
public final class Translator: @unchecked Sendable {
    private let pointer: OpaquePointer

    /// A translator for a kind of server. `model` is its model for requests that ask for a Claude model.
    public init(backend: String = "openai", model: String? = nil) throws(AnyclaudeError) {
        let config = json(["backend": backend, "model": model])
        pointer = try made { out, error in lent(config) { anyclaude_translator_new($0, out, error) } }
    }

    deinit { anyclaude_translator_free(pointer) }

    /// Translates the body of a `POST /v1/messages`. `session` names the conversation.
    public func translate(_ body: [UInt8], session: String? = nil) throws(AnyclaudeError) -> TranslatedRequest {
        let meta = json(["session": session])
        return TranslatedRequest(try made { out, error in
            lent(body) { body in lent(meta) { anyclaude_translate_request(pointer, body, $0, out, error) } }
        })
    }

    public func translate(_ body: String, session: String? = nil) throws(AnyclaudeError) -> TranslatedRequest {
        try translate(Array(body.utf8), session: session)
    }

    /// Translates a whole answer of the server into a message for the client, and remembers it.
    public func response(to request: TranslatedRequest, _ answer: [UInt8]) throws(AnyclaudeError) -> [UInt8] {
        try filled { out, error in
            lent(answer) { anyclaude_translate_response(pointer, request.pointer, $0, out, error) }
        }
    }

    /// Remembers what a finished stream has brought, so that the server's cache fits the next turn.
    public func record(_ stream: StreamConverter) throws(AnyclaudeError) {
        _ = try filled { anyclaude_translator_record(pointer, stream.pointer, 0, $0, $1) }
    }

    /// Estimates the prompt tokens of a request, without any inference.
    public func countTokens(_ body: [UInt8]) throws(AnyclaudeError) -> Int {
        var tokens: UInt64 = 0
        try check { error in
            lent(body) { anyclaude_count_tokens(pointer, $0, anyclaude_bytes(), &tokens, error) }
        }
        return Int(tokens)
    }
}

/// A request for the server, and what the way back needs. It never changes.
public final class TranslatedRequest: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    /// Stands for a request that something else has translated; the answer carries this model's name.
    public init(model: String, backend: String = "openai") throws(AnyclaudeError) {
        let context = json(["model": model, "backend": backend])
        pointer = try made { out, error in lent(context) { anyclaude_translated_new($0, out, error) } }
    }

    deinit { anyclaude_translated_free(pointer) }

    /// What the server is sent.
    public var body: [UInt8] { copied(anyclaude_translated_body(pointer)) }

    /// What was dropped, renamed or clamped: a JSON array of sentences.
    public var notes: String { text(anyclaude_translated_notes(pointer)) }
}

/// A JSON object of texts; those that are nil are left out.
func json(_ pairs: KeyValuePairs<String, String?>) -> String {
    let members = pairs.compactMap { key, value in value.map { "\"\(key)\":\(quoted($0))" } }
    return "{" + members.joined(separator: ",") + "}"
}

private func quoted(_ text: String) -> String {
    let escaped = text.unicodeScalars.map { scalar -> String in
        switch scalar {
        case "\"": "\\\""
        case "\\": "\\\\"
        case _ where scalar.value < 0x20: "\\u" + String(0x10000 + scalar.value, radix: 16).dropFirst()
        default: String(scalar)
        }
    }
    return "\"" + escaped.joined() + "\""
}
