import CAnyclaude
import Foundation

/// Serves the Messages API on a port of its own. Any number of tasks may use one; with the last reference it stops at once,
/// also while somebody reads its events.
public final class Proxy: Sendable {
    let running: Running

    /// Starts the proxy; it listens when this returns. `config` is a JSON object with settings by their names in the
    /// README.
    public init(config: String) throws(AnyclaudeError) {
        running = Running(try made { out, error in lent(config) { anyclaude_proxy_start($0, nil, out, error) } })
    }

    /// Starts the proxy for a kind of server, at its usual address unless `url` names another.
    public convenience init(backend: String, url: String? = nil) throws(AnyclaudeError) {
        try self.init(config: json(["backend": backend, "backend_url": url]))
    }

    /// Waits until what is in flight is broken off, on the thread that lets go of the last reference; after `stop` for
    /// nothing.
    deinit {
        // Those who wait for events have `running`, too, and are woken by this.
        try? running.stop(grace: .zero)
    }

    /// What clients set as `ANTHROPIC_BASE_URL`.
    public var url: String { text(anyclaude_proxy_url(running.pointer)) }

    public var port: UInt16 { anyclaude_proxy_port(running.pointer) }

    /// The counters since the start, as a JSON object.
    public func stats() throws(AnyclaudeError) -> [UInt8] {
        try filled { anyclaude_proxy_stats(running.pointer, $0, $1) }
    }

    /// From now on requests go to another backend. It is not waited for.
    public func setBackend(_ backend: String, url: String? = nil) throws(AnyclaudeError) {
        let choice = json(["backend": backend, "backend_url": url])
        try check { error in lent(choice) { anyclaude_proxy_set_backend(running.pointer, $0, error) } }
    }

    /// What happens to requests, until the proxy stops or the task that reads is cancelled. Each event goes to one reader.
    /// It does not keep the proxy running.
    public var events: ProxyEvents { ProxyEvents(running: running) }

    /// Takes no more requests, waits for those in flight as long as `grace`, then breaks them off.
    public func stop(grace: Duration = .seconds(5)) async throws {
        let running = running
        try await onThread { try running.stop(grace: grace) }
    }
}

/// The proxy as C has it, freed when no call uses it any more.
final class Running: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { anyclaude_proxy_free(pointer) }

    func stop(grace: Duration) throws(AnyclaudeError) {
        // The longest that C can say: seven weeks.
        let (seconds, attoseconds) = min(max(grace, .zero), .milliseconds(Int64(UInt32.max))).components
        let milliseconds = UInt32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
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

/// Does what blocks on a thread of its own, so that no task waits for it on one of Swift's.
func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
        Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
}
