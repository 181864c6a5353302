//! Writes the `messages` array of a Messages request.

use std::ops::Range;

use crate::encode::SIGNATURE;
use crate::translate::content::Image;
use crate::translate::context::backend_name;
use crate::translate::conversation::{AssistantTurn, Call, Conversation, ToolResult, Turn, UserTurn};
use crate::translate::parts::{ImageCount, comma, push_blocks, push_joined, push_parts, push_text, ranges, user_parts};
use crate::wire::json::Object;

/// Writes messages one by one.
pub(super) struct MessageList<'o> {
    out: &'o mut Vec<u8>,
    keeps_thinking: bool,
    images: ImageCount,
}

/// What was written.
pub(super) struct WrittenMessages {
    pub(super) images: ImageCount,
    /// Where the messages stand.
    pub(super) messages: Vec<Range<usize>>,
}

impl<'o> MessageList<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, keeps_thinking: bool) -> Self {
        MessageList { out, keeps_thinking, images: ImageCount::default() }
    }

    pub(super) fn push(mut self, conversation: &Conversation<'_>) -> WrittenMessages {
        self.out.push(b'[');
        let mut first = true;
        let mut starts = Vec::with_capacity(conversation.turns.len());
        for turn in &conversation.turns {
            comma(self.out, &mut first);
            starts.push(self.out.len());
            match turn {
                Turn::User(turn) => self.user(turn),
                Turn::Assistant(turn) => self.assistant(turn),
            }
        }
        let end = self.out.len();
        self.out.push(b']');
        WrittenMessages { images: self.images, messages: ranges(&starts, end) }
    }

    /// One message: results first, then their images, then the user's own words.
    fn user(&mut self, turn: &UserTurn<'_>) {
        let parts = user_parts(turn);
        let mut message = Object::begin(self.out);
        message.plain("role", "user");
        let content = message.key("content");
        if !turn.results.is_empty() {
            let mut first = true;
            content.push(b'[');
            for result in &turn.results {
                comma(content, &mut first);
                push_result(content, result);
            }
            push_blocks(content, &parts, first, push_image, &mut self.images);
            content.push(b']');
        } else if parts.is_empty() {
            content.extend_from_slice(b"\"(empty)\"");
        } else {
            push_parts(content, &parts, push_image, &mut self.images);
        }
        message.end();
    }

    fn assistant(&mut self, turn: &AssistantTurn<'_>) {
        let thinks = self.keeps_thinking && !turn.thinking.is_empty();
        let mut message = Object::begin(self.out);
        message.plain("role", "assistant");
        let content = message.key("content");
        if !thinks && turn.calls.is_empty() {
            push_joined(content, &turn.text);
            return message.end();
        }
        let mut first = true;
        content.push(b'[');
        if thinks {
            comma(content, &mut first);
            let mut block = Object::begin(content);
            block.plain("type", "thinking");
            push_joined(block.key("thinking"), &turn.thinking);
            block.plain("signature", SIGNATURE);
            block.end();
        }
        push_text(content, &turn.text, &mut first);
        for call in &turn.calls {
            comma(content, &mut first);
            push_call(content, call);
        }
        content.push(b']');
        message.end();
    }
}

fn push_result(out: &mut Vec<u8>, result: &ToolResult<'_>) {
    let mut block = Object::begin(out);
    block.plain("type", "tool_result").text("tool_use_id", &result.id);
    push_joined(block.key("content"), &result.text);
    block.end();
}

fn push_call(out: &mut Vec<u8>, call: &Call<'_>) {
    let mut block = Object::begin(out);
    block.plain("type", "tool_use").text("id", &call.id);
    match backend_name(&call.name.decode()) {
        Some(short) => block.plain("name", &short),
        None => block.text("name", &call.name),
    };
    push_input(block.key("input"), call.arguments());
    block.end();
}

/// Arguments are an object, whatever the history holds.
fn push_input(out: &mut Vec<u8>, input: Option<&str>) {
    match input {
        Some(object) if object.starts_with('{') => out.extend_from_slice(object.as_bytes()),
        None | Some("null") => out.extend_from_slice(b"{}"),
        Some(other) => {
            let mut object = Object::begin(out);
            object.json("value", other);
            object.end();
        }
    }
}

fn push_image(out: &mut Vec<u8>, image: &Image<'_>) {
    let mut block = Object::begin(out);
    block.plain("type", "image");
    let mut source = Object::begin(block.key("source"));
    match image {
        Image::Url(url) => source.plain("type", "url").text("url", url),
        Image::Data { media_type, data } => {
            source.plain("type", "base64").text("media_type", media_type).text("data", data)
        }
    };
    source.end();
    block.end();
}
