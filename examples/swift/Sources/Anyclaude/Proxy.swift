import CAnyclaude
import Foundation

/// Serves the Messages API on a port of its own. Any number of tasks may use one; the last reference stops it at once.
public final class Proxy: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Starts the proxy; it listens when this returns. `config` is a JSON object with settings by their names in the
    /// README.
    public init(config: String) throws(AnyclaudeError) {
        pointer = try made { out, error in lent(config) { anyclaude_proxy_start($0, nil, out, error) } }
    }

    /// Starts the proxy for a kind of server, at its usual address unless `url` names another.
    public convenience init(backend: String, url: String? = nil) throws(AnyclaudeError) {
        try self.init(config: json(["backend": backend, "backend_url": url]))
    }

    deinit { anyclaude_proxy_free(pointer) }

    /// What clients set as `ANTHROPIC_BASE_URL`.
    public var url: String { text(anyclaude_proxy_url(pointer)) }

    public var port: UInt16 { anyclaude_proxy_port(pointer) }

    /// The counters since the start, as a JSON object.
    public func stats() throws(AnyclaudeError) -> [UInt8] {
        try filled { anyclaude_proxy_stats(pointer, $0, $1) }
    }

    /// From now on requests go to another backend.
    public func setBackend(_ backend: String, url: String? = nil) throws(AnyclaudeError) {
        let choice = json(["backend": backend, "backend_url": url])
        try check { error in lent(choice) { anyclaude_proxy_set_backend(pointer, $0, error) } }
    }

    /// What happens to requests, until the proxy stops or the task that reads is cancelled. Each event goes to one reader.
    public var events: ProxyEvents { ProxyEvents(proxy: self) }

    /// Takes no more requests, waits for those in flight as long as `grace`, then breaks them off.
    public func stop(grace: Duration = .seconds(5)) async throws {
        try await onThread { try self.stopNow(grace: grace) }
    }

    private func stopNow(grace: Duration) throws(AnyclaudeError) {
        let milliseconds = UInt32(clamping: max(0, grace.components.seconds * 1000 + grace.components.attoseconds / 1_000_000_000_000_000))
        try check { anyclaude_proxy_stop(pointer, milliseconds, $0) }
    }

    /// The next event, waited for on this thread; nil when none came in that time.
    func nextEvent(within milliseconds: UInt32) throws(AnyclaudeError) -> ProxyEvent? {
        do {
            return ProxyEvent(json: try filled { anyclaude_proxy_next_event(pointer, milliseconds, $0, $1) })
        } catch where error.status == ANYCLAUDE_TIMEOUT {
            return nil
        }
    }
}

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

/// The events of a proxy. They are waited for on a thread of their own, never on one of Swift's tasks.
public struct ProxyEvents: AsyncSequence, Sendable {
    let proxy: Proxy

    public func makeAsyncIterator() -> AsyncStream<ProxyEvent>.Iterator {
        let (events, continuation) = AsyncStream.makeStream(of: ProxyEvent.self)
        let reading = Flag()
        // Also when the reading task is cancelled, or nobody reads any more.
        continuation.onTermination = { _ in reading.lower() }
        let proxy = proxy
        Thread.detachNewThread {
            // The pause between two looks at the flag.
            while reading.isUp {
                do {
                    if let event = try proxy.nextEvent(within: 100) { continuation.yield(event) }
                } catch {
                    break  // stopped: there are no more
                }
            }
            continuation.finish()
        }
        return events.makeAsyncIterator()
    }
}

/// A flag that one thread lowers and another looks at.
private final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var up = true

    var isUp: Bool { lock.withLock { up } }

    func lower() { lock.withLock { up = false } }
}

/// Does what blocks on a thread of its own, so that no task waits for it on one of Swift's.
private func onThread(_ work: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
}
