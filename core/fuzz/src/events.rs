//! What clients demand of a Messages stream.

use anyclaude_core::wire::repair_escapes;
use serde_json::Value;

/// The block that is open.
struct Open {
    index: u64,
    kind: String,
}

/// Checks a whole stream; it must have an end.
pub fn check_events(stream: &[u8]) {
    let stream = std::str::from_utf8(stream).expect("the stream is text");
    let mut open: Option<Open> = None;
    let (mut blocks, mut tools, mut told, mut ended) = (0, 0, false, false);
    for (at, event) in stream.split_terminator("\n\n").enumerate() {
        let (name, data) = event.split_once('\n').expect("two lines an event");
        let name = name.strip_prefix("event: ").expect("a name");
        let data = data.strip_prefix("data: ").expect("data");
        // Half a character that a server sends is passed on: JavaScript and Python read it.
        let sound = repair_escapes(data.as_bytes());
        let data: Value = serde_json::from_slice(&sound).unwrap_or_else(|error| panic!("{error} in {data}"));
        assert_eq!(data["type"], name);
        assert!(!ended, "{name} behind the end");
        assert_eq!(at == 0, name == "message_start", "{name} at place {at}");
        match name {
            "message_start" => assert!(data["message"]["usage"]["input_tokens"].as_u64().expect("a count") > 0),
            "content_block_start" => {
                assert!(open.is_none() && !told);
                assert_eq!(data["index"], blocks);
                let kind = data["content_block"]["type"].as_str().expect("a type").to_owned();
                tools += usize::from(kind == "tool_use");
                open = Some(Open { index: blocks, kind });
                blocks += 1;
            }
            "content_block_delta" => {
                let open = open.as_ref().expect("a delta is inside of a block");
                assert_eq!(data["index"], open.index);
                let kind = data["delta"]["type"].as_str().expect("a type");
                let fits = match open.kind.as_str() {
                    "text" => kind == "text_delta",
                    "thinking" => kind == "thinking_delta" || kind == "signature_delta",
                    "tool_use" => kind == "input_json_delta",
                    other => panic!("block {other:?}"),
                };
                assert!(fits, "{kind} in {}", open.kind);
            }
            "content_block_stop" => assert_eq!(data["index"], open.take().expect("a block is open").index),
            "message_delta" => {
                assert!(open.is_none() && !told);
                told = true;
                let reason = data["delta"]["stop_reason"].as_str().expect("a reason");
                assert!(reason != "tool_use" || tools > 0, "tool_use without a call");
                assert!(reason != "end_turn" || tools == 0, "end_turn beside a call");
            }
            "message_stop" => {
                assert!(told);
                ended = true;
            }
            "error" => {
                assert!(!told);
                assert!(!data["error"]["message"].as_str().expect("a sentence").is_empty());
                ended = true;
            }
            "ping" => {}
            other => panic!("event {other:?}"),
        }
    }
    assert!(ended, "the stream has no end:\n{stream}");
}
