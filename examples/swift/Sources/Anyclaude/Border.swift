// What crosses the border to C, in one place.

import CAnyclaude

typealias Place = UnsafeMutablePointer<OpaquePointer?>

/// Lends bytes to C during one call.
func lent<Result>(_ bytes: [UInt8], _ body: (anyclaude_bytes) -> Result) -> Result {
    bytes.withUnsafeBufferPointer { body(anyclaude_bytes(ptr: $0.baseAddress, len: $0.count)) }
}

func lent<Result>(_ text: String, _ body: (anyclaude_bytes) -> Result) -> Result {
    lent(Array(text.utf8), body)
}

/// Copies what C lends.
func copied(_ bytes: anyclaude_bytes) -> [UInt8] {
    Array(UnsafeBufferPointer(start: bytes.ptr, count: bytes.len))
}

func text(_ bytes: anyclaude_bytes) -> String {
    String(decoding: copied(bytes), as: UTF8.self)
}

/// Calls, and throws what the call puts into the place for errors.
func check(_ call: (Place) -> anyclaude_status) throws(AnyclaudeError) {
    var error: OpaquePointer?
    let status = call(&error)
    if status != ANYCLAUDE_OK { throw AnyclaudeError(status: status, taking: error) }
}

/// Calls, and gives the object that is now ours.
func made(_ call: (Place, Place) -> anyclaude_status) throws(AnyclaudeError) -> OpaquePointer {
    var object: OpaquePointer?
    try check { call(&object, $0) }
    return object!  // C sets it on success
}

/// Calls, and gives the bytes that were appended.
func filled(_ call: (OpaquePointer, Place) -> anyclaude_status) throws(AnyclaudeError) -> [UInt8] {
    let out = anyclaude_buffer_new()!
    defer { anyclaude_buffer_free(out) }
    try check { call(out, $0) }
    return copied(anyclaude_buffer_bytes(out))
}
