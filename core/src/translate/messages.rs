//! Writes the `messages` array of a chat-completions request.

use std::ops::Range;

use super::content::Image;
use super::context::backend_name;
use super::conversation::{AssistantTurn, Call, Conversation, ToolResult, Turn, UserTurn};
use super::parts::{ImageCount, push_joined, push_parts, ranges, user_parts};
use crate::backend::{EmptyContent, Quirks, ThinkingHistory};
use crate::wire::JsonText;
use crate::wire::json::{Object, push_escaped, push_quoted};

/// Writes messages one by one.
pub(super) struct MessageList<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
    quirks: Quirks,
    images: ImageCount,
    /// Where each message begins.
    starts: Vec<usize>,
}

/// What was written.
pub(super) struct WrittenMessages {
    pub(super) images: ImageCount,
    /// Where the messages stand.
    pub(super) messages: Vec<Range<usize>>,
}

impl<'o> MessageList<'o> {
    pub(super) fn begin(out: &'o mut Vec<u8>, quirks: Quirks) -> Self {
        out.push(b'[');
        MessageList { out, first: true, quirks, images: ImageCount::default(), starts: Vec::new() }
    }

    pub(super) fn end(self) -> WrittenMessages {
        let end = self.out.len();
        self.out.push(b']');
        WrittenMessages { images: self.images, messages: ranges(&self.starts, end) }
    }

    pub(super) fn system(&mut self, texts: &[JsonText<'_>]) {
        if !texts.is_empty() {
            let mut message = self.message("system");
            push_joined(message.key("content"), texts);
            message.end();
        }
    }

    pub(super) fn conversation(&mut self, conversation: &Conversation<'_>) {
        for turn in &conversation.turns {
            match turn {
                Turn::User(turn) => self.user(turn),
                Turn::Assistant(turn) => self.assistant(turn),
            }
        }
    }

    fn message(&mut self, role: &str) -> Object<'_> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.starts.push(self.out.len());
        let mut message = Object::begin(self.out);
        message.plain("role", role);
        message
    }

    /// Results first, directly behind the calls; then their images; then the user's own words.
    fn user(&mut self, turn: &UserTurn<'_>) {
        for result in &turn.results {
            self.tool(result);
        }
        let parts = user_parts(turn);
        if parts.is_empty() {
            if turn.results.is_empty() {
                let mut message = self.message("user");
                message.plain("content", "(empty)");
                message.end();
            }
            return;
        }
        let mut counts = self.images;
        let mut message = self.message("user");
        push_parts(message.key("content"), &parts, push_image, &mut counts);
        message.end();
        self.images = counts;
    }

    fn tool(&mut self, result: &ToolResult<'_>) {
        let mut message = self.message("tool");
        message.text("tool_call_id", &result.id);
        push_joined(message.key("content"), &result.text);
        message.end();
    }

    fn assistant(&mut self, turn: &AssistantTurn<'_>) {
        let quirks = self.quirks;
        let thinking = match quirks.thinking_history {
            ThinkingHistory::Field(field) if !turn.thinking.is_empty() => Some(field),
            _ => None,
        };
        let mut message = self.message("assistant");
        let empty = turn.text.is_empty() && !turn.calls.is_empty() && quirks.empty_content == EmptyContent::Null;
        let content = message.key("content");
        if empty {
            content.extend_from_slice(b"null");
        } else {
            push_joined(content, &turn.text);
        }
        if let Some(field) = thinking {
            push_joined(message.key(field), &turn.thinking);
        }
        if !turn.calls.is_empty() {
            let calls = message.key("tool_calls");
            for (index, call) in turn.calls.iter().enumerate() {
                calls.push(if index == 0 { b'[' } else { b',' });
                push_call(calls, call);
            }
            calls.push(b']');
        }
        message.end();
    }
}

fn push_call(out: &mut Vec<u8>, call: &Call<'_>) {
    let mut object = Object::begin(out);
    object.text("id", &call.id).plain("type", "function");
    let mut function = Object::begin(object.key("function"));
    match backend_name(&call.name.decode()) {
        Some(short) => function.plain("name", &short),
        None => function.text("name", &call.name),
    };
    let arguments = function.key("arguments");
    arguments.push(b'"');
    push_arguments(arguments, call.arguments());
    arguments.push(b'"');
    function.end();
    object.end();
}

/// Arguments are the text of an object, whatever the history holds.
fn push_arguments(out: &mut Vec<u8>, input: Option<&str>) {
    match input {
        Some(object) if object.starts_with('{') => push_escaped(out, object),
        None | Some("null") => out.extend_from_slice(b"{}"),
        Some(other) => {
            out.extend_from_slice(b"{\\\"value\\\":");
            push_escaped(out, other);
            out.push(b'}');
        }
    }
}

fn push_image(out: &mut Vec<u8>, image: &Image<'_>) {
    out.extend_from_slice(b"{\"type\":\"image_url\",\"image_url\":{\"url\":");
    match image {
        Image::Url(url) => push_quoted(out, url),
        Image::Data { media_type, data } => {
            out.extend_from_slice(b"\"data:");
            out.extend_from_slice(media_type.as_escaped().as_bytes());
            out.extend_from_slice(b";base64,");
            out.extend_from_slice(data.as_escaped().as_bytes());
            out.push(b'"');
        }
    }
    out.extend_from_slice(b"}}");
}
