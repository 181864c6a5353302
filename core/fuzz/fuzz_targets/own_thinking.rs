//! Whatever a client sends, only thinking blocks of ours are cut out of it.
#![no_main]

use anyclaude_core::{SIGNATURE, cut_own_thinking};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let Some(cut) = cut_own_thinking(body) else { return };
    assert!(cut.len() < body.len());
    assert_eq!(cut_own_thinking(&cut), None, "all is cut at once");
    // The parser refuses more than the scanner does: numbers that no float holds, half characters.
    let Ok(mut request) = serde_json::from_slice::<Value>(body) else { return };
    if let Some(messages) = request["messages"].as_array_mut() {
        messages.retain_mut(keep);
    }
    assert_eq!(serde_json::from_slice::<Value>(&cut).expect("what is left is JSON"), request);
});

/// Takes our blocks out of a message; false when nothing else was in it.
fn keep(message: &mut Value) -> bool {
    let Some(content) = message.get_mut("content").and_then(Value::as_array_mut) else { return true };
    let before = content.len();
    content.retain(|block| !is_own(block));
    before == 0 || !content.is_empty()
}

fn is_own(block: &Value) -> bool {
    let signature = block["signature"].as_str().unwrap_or_default();
    block["type"] == "thinking" && signature.starts_with(SIGNATURE)
}
