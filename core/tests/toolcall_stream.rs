//! The cases of `tests/golden/toolcall` as a server streams them: however a model's text is cut into deltas, the
//! client gets the same blocks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use anyclaude_core::backend::{self, Model};
use anyclaude_core::toolcall::{ToolFormat, by_name};
use anyclaude_core::{Options, RequestContext, RequestMeta, StreamConverter, Translator};
use serde_json::{Value, json};

fn context(stem: &str, case: &Value) -> RequestContext {
    let word = |key: &str| case.get(key).and_then(Value::as_str);
    let own = by_name(stem).filter(|_| word("model").is_none()).map(|format| format.name);
    let mut options = Options::default();
    options.tool_format = match word("format").or(own) {
        Some(name) => name.parse().unwrap(),
        None => ToolFormat::Auto,
    };
    options.prompt_opens_thinking = Some(case["prompt_opens_thinking"] == true);
    let integer = json!({"type": "object", "properties": {"port": {"type": "string"}, "cars": {"type": "integer"}}});
    let tools = json!([{"name": "find_ferry", "input_schema": integer}, {"name": "list_ports"}]);
    let tools = case.get("tools").cloned().unwrap_or(tools);
    let body = json!({"model": "claude-x", "max_tokens": 9, "stream": true, "tools": tools,
        "messages": [{"role": "user", "content": "x"}]});
    let models = [Model::named(word("model").unwrap_or("unknown"))];
    let meta = RequestMeta { models: &models, ..RequestMeta::default() };
    let translator = Translator::new(*backend::by_name("openai").unwrap(), options);
    translator.request_json(body.to_string().as_bytes(), &meta).unwrap().context
}

/// The blocks that a client puts together.
fn blocks(context: &RequestContext, pieces: &[String]) -> Vec<(String, String)> {
    let mut converter = StreamConverter::new(context.clone());
    let mut out = Vec::new();
    for piece in pieces {
        let chunk = json!({"choices": [{"delta": {"content": piece}}]});
        converter.push_chunk(chunk.to_string().as_bytes(), &mut out);
    }
    converter.push_chunk(br#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, &mut out);
    converter.finish(&mut out);
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open = None;
    for line in String::from_utf8(out).unwrap().lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(line).unwrap();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert!(open.replace(event["index"].as_u64().unwrap()).is_none(), "a block inside of another: {line}");
                let block = &event["content_block"];
                let name = block["name"].as_str().unwrap_or_default();
                blocks.push((format!("{} {name}", block["type"].as_str().unwrap()), String::new()));
            }
            "content_block_delta" => {
                assert_eq!(open, event["index"].as_u64(), "{line}");
                let delta = &event["delta"];
                let text = ["text", "thinking", "partial_json"].iter().find_map(|key| delta[*key].as_str());
                blocks.last_mut().unwrap().1.push_str(text.unwrap_or_default());
            }
            "content_block_stop" => assert_eq!(open.take(), event["index"].as_u64(), "{line}"),
            "error" => panic!("{line}"),
            _ => {}
        }
    }
    blocks
}

#[test]
fn deltas_may_be_cut_anywhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/toolcall");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        for line in fs::read_to_string(&path).unwrap().lines().filter(|line| !line.is_empty()) {
            let case: Value = serde_json::from_str(line).unwrap();
            let context = context(stem, &case);
            let chars: Vec<char> = case["text"].as_str().unwrap().chars().collect();
            let cut = |size: usize| chars.chunks(size).map(|piece| piece.iter().collect()).collect::<Vec<String>>();
            let whole = blocks(&context, &cut(chars.len().max(1)));
            for size in [1, 2, 3, 5, 7, 11, 23] {
                assert_eq!(blocks(&context, &cut(size)), whole, "{stem}: {} at {size}\n{line}", case["about"]);
            }
            count += 1;
        }
    }
    assert!(count >= 900, "{count} cases");
}
