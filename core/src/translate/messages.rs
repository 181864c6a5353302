//! Writes the `messages` array of a chat-completions request.

use super::content::{Image, Part};
use super::context::backend_name;
use super::conversation::{AssistantTurn, Call, Conversation, ToolResult, Turn, UserTurn};
use crate::backend::{EmptyContent, Quirks, ThinkingHistory};
use crate::wire::json::{Object, push_escaped, push_quoted};
use crate::wire::{JsonText, RawJson};

/// What stands between two blocks that become one text.
const BETWEEN: &str = "\\n\\n";

/// Writes messages one by one.
pub(super) struct MessageList<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
    quirks: Quirks,
    /// Images written, and the bytes they take.
    pub(super) images: u64,
    pub(super) image_bytes: u64,
}

impl<'o> MessageList<'o> {
    pub(super) fn begin(out: &'o mut Vec<u8>, quirks: Quirks) -> Self {
        out.push(b'[');
        MessageList { out, first: true, quirks, images: 0, image_bytes: 0 }
    }

    pub(super) fn end(self) -> (u64, u64) {
        self.out.push(b']');
        (self.images, self.image_bytes)
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
        let mut message = Object::begin(self.out);
        message.plain("role", role);
        message
    }

    /// Results first, directly behind the calls; then their images; then the user's own words.
    fn user(&mut self, turn: &UserTurn<'_>) {
        for result in &turn.results {
            self.tool(result);
        }
        let mut parts: Vec<PartRef<'_>> = Vec::new();
        let mut labels = Vec::new();
        for result in turn.results.iter().filter(|result| !result.images.is_empty()) {
            labels.push((JsonText::from_plain(&format!("Images of the tool result {}:", result.id.decode())), result));
        }
        for (label, result) in &labels {
            parts.push(PartRef::Text(label.borrowed()));
            parts.extend(result.images.iter().map(PartRef::Image));
        }
        parts.extend(turn.parts.iter().map(|part| match part {
            Part::Text(text) => PartRef::Text(text.borrowed()),
            Part::Image(image) => PartRef::Image(image),
        }));
        if parts.is_empty() {
            if turn.results.is_empty() {
                let mut message = self.message("user");
                message.plain("content", "(empty)");
                message.end();
            }
            return;
        }
        let mut counts = (0, 0);
        let mut message = self.message("user");
        push_parts(message.key("content"), &parts, &mut counts);
        message.end();
        self.images += counts.0;
        self.image_bytes += counts.1;
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

/// A part whose text may have been made on the spot.
enum PartRef<'p> {
    Text(JsonText<'p>),
    Image(&'p Image<'p>),
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
    push_arguments(arguments, call.input);
    arguments.push(b'"');
    function.end();
    object.end();
}

/// Arguments are the text of an object, whatever the history holds.
fn push_arguments(out: &mut Vec<u8>, input: Option<RawJson<'_>>) {
    match input.map(RawJson::get) {
        Some(object) if object.starts_with('{') => push_escaped(out, object),
        None | Some("null") => out.extend_from_slice(b"{}"),
        Some(other) => {
            out.extend_from_slice(b"{\\\"value\\\":");
            push_escaped(out, other);
            out.push(b'}');
        }
    }
}

fn push_joined(out: &mut Vec<u8>, texts: &[JsonText<'_>]) {
    out.push(b'"');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(BETWEEN.as_bytes());
        }
        out.extend_from_slice(text.as_escaped().as_bytes());
    }
    out.push(b'"');
}

/// Content is a string where it can be: some servers and templates take nothing else.
fn push_parts(out: &mut Vec<u8>, parts: &[PartRef<'_>], counts: &mut (u64, u64)) {
    let has_images = parts.iter().any(|part| matches!(part, PartRef::Image(_)));
    let mut texts: Vec<JsonText<'_>> = Vec::new();
    if has_images {
        out.push(b'[');
    }
    let mut first = true;
    for part in parts {
        match part {
            PartRef::Text(text) => texts.push(text.borrowed()),
            PartRef::Image(image) => {
                push_text_part(out, &mut texts, &mut first);
                comma(out, &mut first);
                let before = out.len();
                push_image(out, image);
                counts.0 += 1;
                counts.1 += (out.len() - before) as u64;
            }
        }
    }
    if has_images {
        push_text_part(out, &mut texts, &mut first);
        out.push(b']');
    } else {
        push_joined(out, &texts);
    }
}

fn push_text_part(out: &mut Vec<u8>, texts: &mut Vec<JsonText<'_>>, first: &mut bool) {
    if texts.is_empty() {
        return;
    }
    comma(out, first);
    out.extend_from_slice(b"{\"type\":\"text\",\"text\":");
    push_joined(out, texts);
    out.push(b'}');
    texts.clear();
}

fn comma(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
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
