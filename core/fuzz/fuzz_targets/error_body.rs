//! Whatever a failing server says, the client gets a sentence with a status that it acts on rightly.
#![no_main]

use anyclaude_core::wire::ApiError;
use anyclaude_core::{BackendFailure, StreamFailure, classify, classify_stream_error, refused_parameter};
use anyclaude_fuzz::Input;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const STATUSES: &[u16] =
    &[200, 400, 401, 402, 403, 404, 408, 409, 413, 415, 422, 429, 500, 501, 502, 503, 504, 524, 529];

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let status = STATUSES[usize::from(input.choice) % STATUSES.len()];
    let [header, _, _] = input.pieces();
    let mut failure = BackendFailure::new("openai", status, input.bytes);
    failure.max_tokens = Some(64_000);
    failure.estimated_prompt = 9_000;
    check(&classify(&failure));
    failure.retry_after = std::str::from_utf8(header).ok();
    failure.content_type = failure.retry_after;
    check(&classify(&failure));
    check(&classify_stream_error(&StreamFailure::new("openai", input.bytes)));
    let _ = refused_parameter(status, input.bytes);
});

fn check(error: &ApiError) {
    assert!(!error.message.trim().is_empty());
    // 401, 413 and 529 make Claude Code give up, or go on for ever.
    assert!(error.status >= 400 && ![401, 413, 529].contains(&error.status), "{error}");
    let told: Value = serde_json::from_slice(&error.to_json("req_0")).expect("errors are JSON");
    assert_eq!(told["error"]["message"], error.message);
    let event = error.to_sse();
    let lines = event.split(|&byte| byte == b'\n').count();
    assert_eq!(lines, 4, "an event is two lines and an empty one: {}", String::from_utf8_lossy(&event));
}
