//! The Messages API's event stream.
//!
//! Source: Anthropic's streaming reference. Every event has its `event:` line, a text block begins
//! with `text: ""` and a call with `input: {}`, because SDKs fail without them.

use super::blocks::{BlockWriter, Kind, SIGNATURE};
use super::outcome::{Outcome, TokenCounts};
use crate::translate::RequestContext;
use crate::wire::JsonText;
use crate::wire::json::{Object, push_number};

/// Appends blocks to a buffer of bytes as events.
pub(crate) struct SseWriter<'o>(pub(crate) &'o mut Vec<u8>);

impl BlockWriter for SseWriter<'_> {
    fn start(&mut self, index: usize, kind: Kind, tool: Option<(&str, &JsonText<'_>)>) {
        let out = &mut *self.0;
        out.extend_from_slice(b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":");
        push_number(out, index as u64);
        out.extend_from_slice(b",\"content_block\":");
        match (kind, tool) {
            (Kind::Tool, Some((id, name))) => {
                let mut block = Object::begin(out);
                block.plain("type", "tool_use").plain("id", id).text("name", name).json("input", "{}");
                block.end();
            }
            (Kind::Thinking, _) => out.extend_from_slice(br#"{"type":"thinking","thinking":"","signature":""}"#),
            _ => out.extend_from_slice(br#"{"type":"text","text":""}"#),
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn delta(&mut self, index: usize, kind: Kind, text: &JsonText<'_>) {
        let (delta, field): (&[u8], &[u8]) = match kind {
            Kind::Text => (b"text_delta", b"text"),
            Kind::Thinking => (b"thinking_delta", b"thinking"),
            Kind::Tool => (b"input_json_delta", b"partial_json"),
        };
        let out = &mut *self.0;
        out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        push_number(out, index as u64);
        out.extend_from_slice(b",\"delta\":{\"type\":\"");
        out.extend_from_slice(delta);
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(field);
        out.extend_from_slice(b"\":\"");
        out.extend_from_slice(text.as_escaped().as_bytes());
        out.extend_from_slice(b"\"}}\n\n");
    }

    fn stop(&mut self, index: usize, kind: Kind) {
        let out = &mut *self.0;
        if kind == Kind::Thinking {
            out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
            push_number(out, index as u64);
            out.extend_from_slice(b",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"");
            out.extend_from_slice(SIGNATURE.as_bytes());
            out.extend_from_slice(b"\"}}\n\n");
        }
        out.extend_from_slice(b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":");
        push_number(out, index as u64);
        out.extend_from_slice(b"}\n\n");
    }
}

/// The head of every stream. Its usage is never missing, null or zero: clients read it for `/context`.
pub(crate) fn push_message_start(out: &mut Vec<u8>, context: &RequestContext) {
    out.extend_from_slice(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
    let mut message = Object::begin(out);
    message.plain("id", &context.seed.message_id()).plain("type", "message").plain("role", "assistant");
    message.plain("model", &context.model).json("content", "[]");
    message.json("stop_reason", "null").json("stop_sequence", "null");
    TokenCounts::estimated(context).push(message.key("usage"));
    message.end();
    out.extend_from_slice(b"}\n\n");
}

/// Stop reason, final counts, and the end of the stream.
pub(crate) fn push_message_delta(out: &mut Vec<u8>, outcome: &Outcome) {
    out.extend_from_slice(b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":");
    let mut delta = Object::begin(out);
    outcome.push_stop(&mut delta);
    delta.end();
    out.extend_from_slice(b",\"usage\":");
    outcome.tokens.push(out);
    out.extend_from_slice(b"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

/// Keeps the client's watchdog quiet while the backend thinks.
pub(crate) fn push_ping(out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
}
