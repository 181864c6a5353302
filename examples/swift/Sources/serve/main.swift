// serve [PROMPT]: starts the proxy, and streams one answer through it to standard output. What the proxy tells of the
// request goes to standard error. BACKEND and BACKEND_URL choose another server than the built-in demo.

import Anyclaude
import Foundation

func tell(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}

let words = CommandLine.arguments.dropFirst().joined(separator: " ")
let environment = ProcessInfo.processInfo.environment

do {
    let proxy = try Proxy(backend: environment["BACKEND"] ?? "demo", url: environment["BACKEND_URL"])
    tell("ANTHROPIC_BASE_URL=\(proxy.url)")
    let watching = Task {
        for await event in proxy.events { tell(String(decoding: event.json, as: UTF8.self)) }
    }
    for try await piece in answer(from: proxy.url, to: words.isEmpty ? "Say hello" : words) {
        FileHandle.standardOutput.write(Data(piece.utf8))
    }
    print()
    try await proxy.stop()
    await watching.value
} catch {
    tell("error: \(error)")
    exit(1)
}
