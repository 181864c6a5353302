//! Whatever a server answers, the client gets a message or an error.
#![no_main]

use std::sync::LazyLock;

use anyclaude_core::backend::BACKENDS;
use anyclaude_core::wire::repair_escapes;
use anyclaude_core::{Dialect, Options, RequestContext, StreamConverter, Translator};
use anyclaude_fuzz::check_events;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static TRANSLATOR: LazyLock<Translator> = LazyLock::new(|| Translator::new(BACKENDS[0], Options::default()));

fuzz_target!(|body: &[u8]| {
    for dialect in Dialect::ALL {
        let mut context = RequestContext::for_model("claude-fuzz");
        context.dialect = dialect;
        check(context, body);
    }
});

fn check(context: RequestContext, body: &[u8]) {
    match TRANSLATOR.response_json(&context, body) {
        Ok((message, _)) => {
            check_message(&serde_json::from_slice(&repair_escapes(&message)).expect("the message is JSON"))
        }
        Err(error) => {
            let told: Value = serde_json::from_slice(&error.to_api().to_json("req_0")).expect("errors are JSON");
            assert!(!told["error"]["message"].as_str().expect("a sentence").is_empty());
        }
    }
    // The same answer where a stream was asked for.
    let mut converter = StreamConverter::new(context);
    let mut out = Vec::new();
    converter.push_response(body, &mut out);
    converter.finish(&mut out);
    check_events(&out);
}

fn check_message(message: &Value) {
    assert_eq!(message["type"], "message");
    assert_eq!(message["role"], "assistant");
    let content = message["content"].as_array().expect("content");
    let tools = content.iter().filter(|block| block["type"] == "tool_use");
    let count = tools.inspect(|tool| assert!(tool["input"].is_object(), "{tool}")).count();
    let reason = message["stop_reason"].as_str().expect("a reason");
    assert!(reason != "tool_use" || count > 0, "tool_use without a call");
    assert!(reason != "end_turn" || count == 0, "end_turn beside a call");
    assert!(message["usage"]["input_tokens"].is_u64() && message["usage"]["output_tokens"].is_u64());
}
