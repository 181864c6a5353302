import Foundation

/// Something that happened to a request.
public struct ProxyEvent: Sendable {
    /// `request_started`, `first_token`, `tool_call`, `done`, `error`, `cancelled`, or `missed`.
    public let type: String
    public let requestID: String?
    /// All that is told.
    public let json: [UInt8]

    init(json: [UInt8]) {
        struct Told: Decodable {
            let type: String
            let request_id: String?
        }
        let told = try? JSONDecoder().decode(Told.self, from: Data(json))
        type = told?.type ?? ""
        requestID = told?.request_id
        self.json = json
    }
}

/// The events of a proxy, each taken from it when it is asked for: what nobody asks for waits there, for whoever reads
/// next, and where too many wait the oldest become one `missed`.
public struct ProxyEvents: AsyncSequence, Sendable {
    let running: Running

    public func makeAsyncIterator() -> Iterator { Iterator(running: running) }

    public struct Iterator: AsyncIteratorProtocol, Sendable {
        let running: Running

        /// The next event; nil when the proxy has stopped, and when the task is cancelled, up to `patience` later.
        public func next() async -> ProxyEvent? {
            if Task.isCancelled { return nil }
            let wanted = Flag()
            return await withTaskCancellationHandler {
                do {
                    // Without a thread where there is one already.
                    if let event = try running.nextEvent(within: 0) { return event }
                    return try await onThread { [running] in
                        while wanted.isUp {
                            // Given even if nobody wants it any more: it has left the proxy's queue.
                            if let event = try running.nextEvent(within: patience) { return event }
                        }
                        return nil
                    }
                } catch {
                    return nil  // stopped: there are no more
                }
            } onCancel: {
                wanted.lower()
            }
        }
    }
}

/// How many milliseconds a wait for an event goes on after its task was cancelled, at the most: it is a call into C, which
/// nothing but an event or the stop wakes.
private let patience: UInt32 = 100

/// A flag that one thread lowers and another looks at.
private final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var up = true

    var isUp: Bool { lock.withLock { up } }

    func lower() { lock.withLock { up = false } }
}
