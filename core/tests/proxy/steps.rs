//! What a scripted server can do, and the words of servers.

use std::time::Duration;

use serde_json::{Value, json};

/// One thing that the server does once it has read a request.
#[derive(Clone, Debug)]
pub enum Step {
    Write(Vec<u8>),
    /// The same bytes so many times; the log tells how many times they were taken.
    Flood(Vec<u8>, usize),
    Pass(Duration),
    /// Gives the proxy the time to read: a reset throws away what it has not read yet.
    Settle,
    /// Says nothing until the proxy leaves.
    Silence,
    Reset,
    Close,
}

/// The head of a stream.
pub fn head() -> Step {
    Step::Write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec())
}

/// A whole answer.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Step {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let kind = "content-type: application/json";
    Step::Write(
        format!("HTTP/1.1 {status} X\r\n{kind}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes(),
    )
}

/// The head and the beginning of an answer that is not streamed; the rest of it never comes.
pub fn begun(status: u16, body: &str) -> Step {
    let kind = "content-type: application/json";
    Step::Write(format!("HTTP/1.1 {status} X\r\n{kind}\r\ncontent-length: 999\r\n\r\n{body}").into_bytes())
}

/// One event of a stream, in a chunk of its own.
pub fn event(data: &Value) -> Step {
    let event = format!("data: {data}\n\n");
    Step::Write(format!("{:x}\r\n{event}\r\n", event.len()).into_bytes())
}

pub fn delta(delta: &Value) -> Step {
    event(&json!({"choices": [{"index": 0, "delta": delta}]}))
}

pub fn text(text: &str) -> Step {
    delta(&json!({"content": text}))
}

pub fn finish(reason: &str) -> Step {
    event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

/// The regular end of the body.
pub fn end() -> Step {
    Step::Write(b"0\r\n\r\n".to_vec())
}
