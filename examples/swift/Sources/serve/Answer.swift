import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The text of an answer, as it streams. Dropped, it cancels the request.
func answer(from url: String, to prompt: String) -> AsyncThrowingStream<String, any Error> {
    AsyncThrowingStream { continuation in
        do {
            var request = URLRequest(url: URL(string: url + "/v1/messages")!)
            request.httpMethod = "POST"
            request.httpBody = try JSONSerialization.data(withJSONObject: [
                "model": "claude-x", "max_tokens": 1000, "stream": true,
                "messages": [["role": "user", "content": prompt]],
            ])
            let session = URLSession(configuration: .ephemeral, delegate: Reader(continuation), delegateQueue: nil)
            session.dataTask(with: request).resume()
            continuation.onTermination = { _ in session.invalidateAndCancel() }
        } catch {
            continuation.finish(throwing: error)
        }
    }
}

/// Reads the events of one answer. URLSession calls it on one queue.
private final class Reader: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    private let continuation: AsyncThrowingStream<String, any Error>.Continuation
    private var rest = Data()

    init(_ continuation: AsyncThrowingStream<String, any Error>.Continuation) { self.continuation = continuation }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        rest.append(data)
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            if let text = delta(rest[rest.startIndex..<end]) { continuation.yield(text) }
            rest = Data(rest[rest.index(after: end)...])
        }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        let status = (task.response as? HTTPURLResponse)?.statusCode ?? 0
        if error == nil && status != 200 {
            continuation.finish(throwing: URLError(.badServerResponse))
        } else {
            continuation.finish(throwing: error)
        }
    }

    /// The text in a line of the stream, if there is any.
    private func delta(_ line: Data) -> String? {
        struct Event: Decodable {
            struct Delta: Decodable { let text: String? }
            let delta: Delta?
        }
        guard line.starts(with: Data("data: ".utf8)) else { return nil }
        return (try? JSONDecoder().decode(Event.self, from: Data(line.dropFirst(6))))?.delta?.text
    }
}
