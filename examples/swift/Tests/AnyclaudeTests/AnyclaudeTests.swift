import Foundation
import Testing

@testable import Anyclaude

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

let request = #"{"model":"claude-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#

let stream = """
    data: {"choices":[{"delta":{"content":"Hello, Göteborg"}}]}

    data: {"choices":[{"delta":{},"finish_reason":"stop"}]}

    data: [DONE]


    """

func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func failure(_ work: () throws -> Void) -> AnyclaudeError? {
    do { try work() } catch { return error as? AnyclaudeError }
    return nil
}

@Suite struct Translation {
    @Test func thereAndBack() throws {
        let translator = try Translator(backend: "vllm", model: "qwen\"3")
        let translated = try translator.translate(request, session: "s")
        #expect(string(translated.body).hasPrefix(#"{"model":"qwen\"3","#))
        #expect(translated.notes == "[]")
        let answer = #"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#
        #expect(string(try translator.response(to: translated, Array(answer.utf8))).contains(#""text":"Hello""#))
        #expect(try translator.countTokens(Array(request.utf8)) > 0)
    }

    @Test func errorsSayWhatAndWhere() throws {
        #expect(failure { _ = try Translator(backend: "nowhere") }?.kind == "config")
        let error = try #require(failure { _ = try Translator().translate(#"{"model":7}"#) })
        #expect(error.kind == "invalid_request" && error.httpStatus == 400)
        #expect(error.message.contains("model") && string(error.body).contains("invalid_request_error"))
    }

    @Test func streamsHoweverTheyAreCut() throws {
        let about = try TranslatedRequest(model: "claude-x")
        let whole = try StreamConverter(for: about)
        var events = string(try whole.push(Array(stream.utf8)) + whole.finish())
        #expect(events.contains("Göteborg") && events.hasSuffix("{\"type\":\"message_stop\"}\n\n") && whole.ended)
        let bytewise = try StreamConverter(for: about)
        var pieces: [UInt8] = []
        for byte in stream.utf8 { pieces += try bytewise.push([byte]) }
        pieces += try bytewise.finish()
        events = string(pieces)
        #expect(events.contains("Göteborg") && bytewise.ended)
    }

    @Test func aStreamThatBreaks() throws {
        let broken = try StreamConverter(for: TranslatedRequest(model: "claude-x"))
        let events = try broken.push(Array(stream.utf8.prefix(60))) + broken.fail("the cable was cut")
        #expect(string(events).contains("event: error") && string(events).contains("the cable was cut"))
    }

    /// Before the server has said anything, and where nothing but its last word is missing.
    @Test func ticks() throws {
        let converter = try StreamConverter(for: TranslatedRequest(model: "claude-x"))
        let ping = string(try converter.tick())
        #expect(ping.hasPrefix("event: message_start\n") && ping.contains("event: ping\n"))
        _ = try converter.push(Array(stream.utf8.prefix(stream.utf8.count - "data: [DONE]\n\n".utf8.count)))
        #expect(!converter.ended)
        #expect(string(try converter.tick()).hasSuffix("{\"type\":\"message_stop\"}\n\n") && converter.ended)
    }

    @Test func manyTasks() async throws {
        let translator = try Translator()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<50 { group.addTask { try translator.translate(request).body.count } }
            for try await size in group { #expect(size > 0) }
        }
    }
}

func ask(_ proxy: Proxy) async throws -> String {
    var asked = URLRequest(url: URL(string: proxy.url + "/v1/messages")!)
    asked.httpMethod = "POST"
    asked.httpBody = Data(request.utf8)
    let (answer, _) = try await URLSession.shared.data(for: asked)
    return string(Array(answer))
}

@Suite struct TheProxy {
    @Test func servesAndTells() async throws {
        let proxy = try Proxy(backend: "demo")
        let watching = Task {
            var types: [String] = []
            for await event in proxy.events { types.append(event.type) }
            return types
        }
        #expect(try await ask(proxy).contains("event: message_stop"))
        #expect(string(try proxy.stats()).contains(#""requests":1"#))
        try proxy.setBackend("demo")
        #expect(throws: AnyclaudeError.self) { try proxy.setBackend("nowhere") }
        try await proxy.stop()
        let types = await watching.value
        #expect(types.first == "request_started" && types.last == "done")
    }

    /// A task that waits for events ends when it is cancelled, though the proxy goes on.
    @Test func cancelling() async throws {
        let proxy = try Proxy(backend: "demo")
        let watching = Task { for await _ in proxy.events {} }
        watching.cancel()
        await watching.value
        try proxy.setBackend("demo")
    }

    /// What one reader does not take is there for the next.
    @Test func eventsWaitForWhoAsks() async throws {
        let proxy = try Proxy(backend: "demo")
        _ = try await ask(proxy)
        for await event in proxy.events {
            #expect(event.type == "request_started")
            break
        }
        try await proxy.stop()
        var types: [String] = []
        for await event in proxy.events { types.append(event.type) }
        #expect(types.first == "first_token" && types.last == "done")
    }

    /// No length of time is too long for C.
    @Test func stopsWhateverTheGrace() async throws {
        for grace in [Duration.seconds(Int64.max), .seconds(Int64.min), .nanoseconds(1)] {
            try await Proxy(backend: "demo").stop(grace: grace)
        }
    }

    /// A reader does not keep it running, and is told of the end.
    @Test func deinitStopsUnderAReader() async throws {
        var proxy: Proxy? = try Proxy(backend: "demo")
        let port = try #require(proxy?.port)
        let events = try #require(proxy?.events)
        let watching = Task { for await _ in events {} }
        proxy = nil
        let again = try Proxy(config: #"{"backend":"demo","port":\#(port)}"#)
        #expect(again.port == port)
        await watching.value
    }

    /// The last reference stops it: the port is free again.
    @Test func deinitStops() async throws {
        var proxy: Proxy? = try Proxy(backend: "demo")
        let port = try #require(proxy?.port)
        proxy = nil
        let again = try Proxy(config: #"{"backend":"demo","port":\#(port)}"#)
        #expect(again.port == port)
    }

    @Test func aStartThatFails() {
        #expect(throws: AnyclaudeError.self) { try Proxy(config: #"{"bakcend":"demo"}"#) }
    }
}
