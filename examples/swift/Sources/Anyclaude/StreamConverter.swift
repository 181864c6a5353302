import CAnyclaude

/// Turns the event stream of a server into that of the Messages API: the answer to one request, in one task at a time.
public final class StreamConverter {
    let pointer: OpaquePointer

    /// Whether the last event has been given; the rest of the server's stream is of no interest.
    public private(set) var ended = false

    public init(for request: TranslatedRequest) throws(AnyclaudeError) {
        pointer = try made { anyclaude_stream_new(request.pointer, $0, $1) }
    }

    deinit { anyclaude_stream_free(pointer) }

    /// Takes the next bytes of the server's stream, cut anywhere; gives the events for the client.
    public func push(_ bytes: [UInt8]) throws(AnyclaudeError) -> [UInt8] {
        try advanced { out, progress, error in
            lent(bytes) { anyclaude_stream_push(pointer, $0, out, progress, error) }
        }
    }

    /// A ping, for when the client has been sent nothing for some seconds, also before the first `push`. Where the server's
    /// answer is complete and only the end of its stream has not come, the client's end.
    public func tick() throws(AnyclaudeError) -> [UInt8] {
        try advanced { anyclaude_stream_tick(pointer, $0, $1, $2) }
    }

    /// The server's stream has broken: ends the client's.
    public func fail(_ message: String, status: UInt16 = 502) throws(AnyclaudeError) -> [UInt8] {
        ended = true
        return try filled { out, error in lent(message) { anyclaude_stream_fail(pointer, status, $0, out, error) } }
    }

    /// The server's stream has ended: ends the client's.
    public func finish() throws(AnyclaudeError) -> [UInt8] {
        ended = true
        return try filled { anyclaude_stream_finish(pointer, $0, $1) }
    }

    private func advanced(
        _ call: (OpaquePointer, UnsafeMutablePointer<anyclaude_progress>, Place) -> anyclaude_status
    ) throws(AnyclaudeError) -> [UInt8] {
        var progress = ANYCLAUDE_PROGRESS_WAITING
        let events = try filled { call($0, &progress, $1) }
        ended = progress == ANYCLAUDE_PROGRESS_ENDED
        return events
    }
}
