//! Inputs in the shape of what Claude Code sends and servers answer, made of filler.

#![allow(dead_code, unreachable_pub, missing_docs)]

use serde_json::{Value, json};

/// Filler with as many quotes, line ends and other escapes as Claude Code's prompts have: one in 150 bytes.
fn prose(bytes: usize, seed: usize) -> String {
    const WORDS: [&str; 12] = [
        "lorem",
        "ipsum",
        "dolor",
        "consectetur",
        "adipiscing",
        "`code`",
        "incididunt",
        "- item",
        "exercitation",
        "naïve",
        "reprehenderit",
        "'quoted'",
    ];
    let mut text = String::with_capacity(bytes + 16);
    let mut at = seed;
    while text.len() < bytes {
        text.push_str(WORDS[at % WORDS.len()]);
        text.push(if at.is_multiple_of(16) { '\n' } else { ' ' });
        at = at.wrapping_mul(31).wrapping_add(7) % 100_003;
    }
    text
}

/// A request of about `bytes`: system prompt, tools, and as many tool rounds as fill it up.
pub fn request(bytes: usize) -> Vec<u8> {
    let tools: Vec<Value> = (0..20)
        .map(|n| {
            json!({"name": format!("Tool{n}"), "description": prose(1200, n), "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                "properties": {"path": {"type": "string", "description": prose(80, n)}, "count": {"type": "integer", "minimum": 0}},
                "required": ["path"], "additionalProperties": false}})
        })
        .collect();
    let mark = json!({"type": "ephemeral"});
    let system = json!([
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=0; cc_entrypoint=sdk-cli;"},
        {"type": "text", "text": prose(7000, 1), "cache_control": mark},
    ]);
    let mut messages = vec![
        json!({"role": "user", "content": [{"type": "text", "text": prose(1200, 2)}, {"type": "text", "text": "Say hello"}]}),
        json!({"role": "system", "content": prose(9000, 3)}),
    ];
    let mut size = 45_000;
    let mut round = 0;
    while size < bytes {
        let id = format!("toolu_{round:024}");
        messages.push(json!({"role": "assistant", "content": [
            {"type": "text", "text": prose(120, round)},
            {"type": "tool_use", "id": id, "name": "Tool1", "input": {"path": prose(60, round), "count": round}}]}));
        messages.push(json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": prose(1600, round)}]}]}));
        size += 2100;
        round += 1;
    }
    let body = json!({"model": "claude-opus-5-5", "messages": messages, "system": system, "tools": tools,
        "metadata": {"user_id": "{}"}, "max_tokens": 32000, "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium"}, "stream": true});
    serde_json::to_vec(&body).unwrap_or_default()
}

/// A stream of `events` pieces of text, as vLLM and llama.cpp write them.
pub fn text_stream(events: usize) -> Vec<Vec<u8>> {
    (0..events).map(|n| chunk(&json!({"content": prose(14, n)}))).collect()
}

/// A stream of one call whose arguments come in pieces.
pub fn tool_stream(events: usize) -> Vec<Vec<u8>> {
    let mut stream = vec![chunk(&json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
        "function": {"name": "Write", "arguments": "{\"content\":\""}}]}))];
    stream.extend(
        (0..events)
            .map(|_| chunk(&json!({"tool_calls": [{"index": 0, "function": {"arguments": "let x = 1;\\n    "}}]}))),
    );
    stream
}

fn chunk(delta: &Value) -> Vec<u8> {
    let json = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m",
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}]});
    format!("data: {json}\n\n").into_bytes()
}
