//! Whatever a server streams and however it is cut, the client gets one well-formed stream.
#![no_main]

use anyclaude_core::wire::ApiError;
use anyclaude_core::{Dialect, RequestContext, StreamConverter};
use anyclaude_fuzz::{Input, check_events};
use libfuzzer_sys::fuzz_target;

fn convert<'a>(pieces: impl Iterator<Item = &'a [u8]>, end: u8) -> Vec<u8> {
    let model = ["qwen3-coder", "gpt-oss", "llama-3.2", "unknown"][usize::from(end >> 4 & 3)];
    let tools = serde_json::json!([{"name": "a", "input_schema": {"properties": {"n": {"type": "integer"},
        "s": {"type": "string"}, "o": {"type": "object"}}}}]);
    let mut context = RequestContext::for_model("claude-fuzz").with_tools(tools.as_array().unwrap(), model);
    context.show_thinking = end & 4 == 0;
    context.dialect = if end & 8 == 0 { Dialect::Chat } else { Dialect::Messages };
    let mut converter = StreamConverter::new(context);
    let mut out = Vec::new();
    converter.start(&mut out);
    for piece in pieces {
        converter.push(piece, &mut out);
    }
    match end & 3 {
        0 | 1 => _ = converter.finish(&mut out),
        2 => converter.fail(&ApiError::api(502, "the connection broke"), &mut out),
        _ => {
            converter.tick(&mut out);
            converter.finish(&mut out);
        }
    }
    out
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let whole = convert(std::iter::once(input.bytes), input.choice);
    check_events(&whole);
    let same = |other: Vec<u8>| {
        assert_eq!(String::from_utf8_lossy(&other), String::from_utf8_lossy(&whole));
    };
    same(convert(input.pieces().into_iter(), input.choice));
    same(convert(input.bytes.chunks(1), input.choice));
});
