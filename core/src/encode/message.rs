//! One whole message, for clients that do not stream.

use super::blocks::{BlockWriter, Kind, SIGNATURE};
use super::outcome::Outcome;
use crate::translate::RequestContext;
use crate::wire::JsonText;
use crate::wire::json::{Object, push_quoted};

/// Collects blocks into the `content` array.
#[derive(Debug, Default)]
pub(crate) struct MessageWriter {
    content: Vec<u8>,
    /// The open call's arguments, escaped.
    arguments: String,
}

impl BlockWriter for MessageWriter {
    fn start(&mut self, index: usize, kind: Kind, tool: Option<(&str, &JsonText<'_>)>) {
        let out = &mut self.content;
        if index > 0 {
            out.push(b',');
        }
        match (kind, tool) {
            (Kind::Tool, Some((id, name))) => {
                self.arguments.clear();
                out.extend_from_slice(b"{\"type\":\"tool_use\",\"id\":");
                push_quoted(out, &JsonText::escaped(id));
                out.extend_from_slice(b",\"name\":");
                push_quoted(out, name);
                out.extend_from_slice(b",\"input\":");
            }
            (Kind::Thinking, _) => out.extend_from_slice(b"{\"type\":\"thinking\",\"thinking\":\""),
            _ => out.extend_from_slice(b"{\"type\":\"text\",\"text\":\""),
        }
    }

    fn delta(&mut self, _index: usize, kind: Kind, text: &JsonText<'_>) {
        match kind {
            Kind::Tool => self.arguments.push_str(text.as_escaped()),
            Kind::Text | Kind::Thinking => self.content.extend_from_slice(text.as_escaped().as_bytes()),
        }
    }

    fn stop(&mut self, _index: usize, kind: Kind) {
        match kind {
            Kind::Text => self.content.extend_from_slice(b"\"}"),
            Kind::Thinking => {
                self.content.extend_from_slice(b"\",\"signature\":\"");
                self.content.extend_from_slice(SIGNATURE.as_bytes());
                self.content.extend_from_slice(b"\"}");
            }
            Kind::Tool => {
                push_input(&mut self.content, &self.arguments);
                self.content.push(b'}');
            }
        }
    }
}

impl MessageWriter {
    /// The message, once every block is closed.
    pub(crate) fn finish(self, context: &RequestContext, outcome: &Outcome) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.content.len() + 512);
        let mut message = Object::begin(&mut out);
        message.plain("id", &context.seed.message_id()).plain("type", "message").plain("role", "assistant");
        message.plain("model", &context.model);
        let content = message.key("content");
        content.push(b'[');
        content.extend_from_slice(&self.content);
        content.push(b']');
        outcome.push_stop(&mut message);
        outcome.tokens.push(message.key("usage"));
        message.end();
        out
    }
}

/// Arguments as an object. Text that is none goes whole under one key, so that the tool's own check
/// shows it to the model; dropping the call would leave an empty turn.
fn push_input(out: &mut Vec<u8>, escaped: &str) {
    let text = JsonText::escaped(escaped).decode().into_owned();
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text) {
        Ok(_) => out.extend_from_slice(text.trim().as_bytes()),
        Err(_) => {
            let mut object = Object::begin(out);
            object.plain("unparsed_arguments", &text);
            object.end();
        }
    }
}
