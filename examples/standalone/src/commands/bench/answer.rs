//! An answer as the client sees it: how soon it began, what it said, what it cost.

use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::commands::live::client::Client;
use crate::json;

/// Figures of one request.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Figures {
    /// Until the answer began.
    pub(super) seconds: f64,
    /// Of the whole prompt, as the server counts.
    pub(super) prompt_tokens: u64,
    /// Those of them that the server had from earlier requests, as it says.
    pub(super) reused_tokens: u64,
}

/// What has been read of an answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    first: Option<f64>,
    input: u64,
    cached: u64,
    blocks: Vec<Value>,
    /// The arguments of the call that is being read.
    arguments: String,
}

impl Answer {
    /// Sends a request and reads its answer to the end.
    pub(super) fn ask(client: &Client, headers: &[(&str, &str)], body: Value) -> Result<Self, String> {
        let mut answer = Answer::default();
        let begun = Instant::now();
        client.events_with(headers, body, &mut |event| {
            answer.take(event, begun);
            true
        })?;
        // An answer without content has begun when it ends.
        answer.first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
        Ok(answer)
    }

    fn take(&mut self, event: &Value, begun: Instant) {
        match json::text(event, "/type") {
            "message_start" => self.count(json::at(event, "/message/usage")),
            "message_delta" => self.count(json::at(event, "/usage")),
            "content_block_start" => {
                let block = json::at(event, "/content_block").clone();
                // A call shows itself before its arguments come; other blocks begin empty.
                if json::text(&block, "/type") == "tool_use" {
                    self.mark(begun);
                }
                self.blocks.push(block);
                self.arguments.clear();
            }
            "content_block_delta" => {
                self.mark(begun);
                self.grow(json::at(event, "/delta"));
            }
            _ => {}
        }
    }

    fn mark(&mut self, begun: Instant) {
        self.first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
    }

    /// Takes figures; later ones are better.
    fn count(&mut self, usage: &Value) {
        let number = |pointer| json::at(usage, pointer).as_u64();
        let created = number("/cache_creation_input_tokens").unwrap_or(0);
        self.input = number("/input_tokens").map_or(self.input, |input| input + created);
        self.cached = number("/cache_read_input_tokens").unwrap_or(self.cached);
    }

    fn grow(&mut self, delta: &Value) {
        let Some(block) = self.blocks.last_mut().and_then(Value::as_object_mut) else { return };
        match json::text(delta, "/type") {
            "text_delta" => append(block, "text", json::text(delta, "/text")),
            "thinking_delta" => append(block, "thinking", json::text(delta, "/thinking")),
            "signature_delta" => append(block, "signature", json::text(delta, "/signature")),
            "input_json_delta" => {
                self.arguments.push_str(json::text(delta, "/partial_json"));
                // Arguments that were cut short stay as they were at the start: an empty object.
                if let Ok(input) = serde_json::from_str::<Value>(&self.arguments) {
                    block.insert("input".to_owned(), input);
                }
            }
            _ => {}
        }
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            seconds: self.first.unwrap_or(0.0),
            prompt_tokens: self.input + self.cached,
            reused_tokens: self.cached,
        }
    }

    /// The content as the client echoes it: without blank texts.
    pub(super) fn into_echo(self) -> Vec<Value> {
        let is_blank =
            |block: &Value| json::text(block, "/type") == "text" && json::text(block, "/text").trim().is_empty();
        self.blocks.into_iter().filter(|block| !is_blank(block)).collect()
    }
}

fn append(block: &mut Map<String, Value>, key: &str, piece: &str) {
    if let Value::String(text) = block.entry(key).or_insert_with(|| json!("")) {
        text.push_str(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_put_together() {
        let mut answer = Answer::default();
        let begun = Instant::now();
        for event in [
            json!({"type": "message_start", "message": {"usage": {"input_tokens": 99, "output_tokens": 0}}}),
            json!({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hel"}}),
            json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "lo"}}),
            json!({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_start", "content_block": {"type": "tool_use", "id": "1", "name": "A", "input": {}}}),
            json!({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{\"a\":"}}),
            json!({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "1}"}}),
            json!({"type": "message_delta", "usage": {"input_tokens": 5, "cache_read_input_tokens": 90}}),
        ] {
            answer.take(&event, begun);
        }
        let figures = answer.figures();
        assert_eq!((figures.prompt_tokens, figures.reused_tokens), (95, 90));
        let wanted = json!([
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "1", "name": "A", "input": {"a": 1}},
        ]);
        assert_eq!(Value::Array(answer.into_echo()), wanted);
    }
}
