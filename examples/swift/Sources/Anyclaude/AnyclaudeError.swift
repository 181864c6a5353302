import CAnyclaude

/// A failure of the library.
public struct AnyclaudeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as a word: `config`, `invalid_request`, `backend`, `io`, `timeout`, `stopped` and others.
    public let kind: String
    /// The status of the C interface.
    public let status: Int32
    /// The HTTP status with which a server of the Messages API answers.
    public let httpStatus: Int
    /// A sentence for people.
    public let message: String
    /// The JSON that belongs to `httpStatus`.
    public let body: [UInt8]

    public var description: String { message }

    /// Takes what C has handed over.
    init(status: anyclaude_status, taking error: OpaquePointer?) {
        kind = text(anyclaude_error_kind(error))
        self.status = status
        httpStatus = Int(anyclaude_error_http_status(error))
        message = text(anyclaude_error_message(error))
        body = copied(anyclaude_error_json(error))
        anyclaude_error_free(error)
    }
}
