//! The demo's answer in OpenAI's two shapes.

use serde_json::{Value, json};

use super::request::{BYTES_PER_TOKEN, Request};
use super::{DemoAnswer, Reply};

/// Both shapes of a reply.
pub(super) fn answer(request: &Request, reply: &Reply) -> DemoAnswer {
    DemoAnswer { status: 200, stream: request.stream, chunks: chunks(request, reply), body: body(request, reply) }
}

/// An error body as OpenAI's servers send it.
pub(super) fn error(reason: &str) -> Vec<u8> {
    json!({"error": {"message": reason, "type": "invalid_request_error", "param": null, "code": null}})
        .to_string()
        .into_bytes()
}

fn chunks(request: &Request, reply: &Reply) -> Vec<Vec<u8>> {
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    if let Some(reasoning) = &reply.reasoning {
        deltas.extend(pieces(reasoning).map(|piece| json!({"reasoning_content": piece})));
    }
    deltas.extend(pieces(&reply.text).map(|piece| json!({"content": piece})));
    if let Some(call) = &reply.call {
        let function = json!({"name": call.name, "arguments": ""});
        deltas.push(
            json!({"tool_calls": [{"index": 0, "id": call_id(request), "type": "function", "function": function}]}),
        );
        // Arguments come in several pieces from most servers, so they do here.
        deltas.extend(
            pieces(&call.arguments)
                .map(|piece| json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})),
        );
    }
    let open = deltas.into_iter().map(|delta| json!([{"index": 0, "delta": delta, "finish_reason": null}]));
    let end = json!([{"index": 0, "delta": {}, "finish_reason": finish_reason(reply)}]);
    let mut chunks: Vec<Vec<u8>> = open.chain([end]).map(|choices| event(&chunk(request, &choices))).collect();
    if request.include_usage {
        let mut last = chunk(request, &json!([]));
        if let Some(object) = last.as_object_mut() {
            object.insert("usage".to_owned(), usage(request, reply));
        }
        chunks.push(event(&last));
    }
    chunks.push(b"data: [DONE]\n\n".to_vec());
    chunks
}

fn body(request: &Request, reply: &Reply) -> Vec<u8> {
    let mut message = json!({"role": "assistant", "content": reply.text});
    if let Some(object) = message.as_object_mut() {
        if let Some(reasoning) = &reply.reasoning {
            object.insert("reasoning_content".to_owned(), reasoning.as_str().into());
        }
        if let Some(call) = &reply.call {
            let function = json!({"name": call.name, "arguments": call.arguments});
            object.insert(
                "tool_calls".to_owned(),
                json!([{"id": call_id(request), "type": "function", "function": function}]),
            );
        }
    }
    let answer = json!({
        "id": id(request),
        "object": "chat.completion",
        "created": CREATED,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(reply)}],
        "usage": usage(request, reply),
    });
    answer.to_string().into_bytes()
}

fn chunk(request: &Request, choices: &Value) -> Value {
    json!({"id": id(request), "object": "chat.completion.chunk", "created": CREATED, "model": request.model, "choices": choices})
}

fn event(chunk: &Value) -> Vec<u8> {
    format!("data: {chunk}\n\n").into_bytes()
}

fn usage(request: &Request, reply: &Reply) -> Value {
    let call = reply.call.as_ref().map_or(0, |call| call.name.len() + call.arguments.len());
    let bytes = reply.text.len() + reply.reasoning.as_ref().map_or(0, String::len) + call;
    let completion = bytes / BYTES_PER_TOKEN + 1;
    json!({
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": request.prompt_tokens + completion,
    })
}

fn finish_reason(reply: &Reply) -> &'static str {
    if reply.call.is_some() { "tool_calls" } else { "stop" }
}

fn id(request: &Request) -> String {
    format!("chatcmpl-demo-{}", request.fingerprint)
}

/// Unlike for each turn of a conversation, since the request grows.
fn call_id(request: &Request) -> String {
    format!("call_demo_{}", request.fingerprint)
}

/// A text in pieces of some characters, as a model would send it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(PIECE_CHARS).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at_checked(end)?;
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// A few words: enough pieces to see the text grow, few enough not to flood a terminal.
const PIECE_CHARS: usize = 24;

/// There is no clock here, and no client looks at this field.
const CREATED: u64 = 0;
