//! Content blocks become text and images.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;

use super::conversation::ToolResult;
use super::notes::{NoteKind, Notes};
use super::volatile;
use crate::wire::JsonText;
use crate::wire::blocks::{Block, Content, Source};

/// A piece of a user message.
#[derive(Debug)]
pub(super) enum Part<'a> {
    Text(JsonText<'a>),
    Image(Image<'a>),
}

/// A picture, by its bytes or its address.
#[derive(Debug)]
pub(super) enum Image<'a> {
    Data { media_type: JsonText<'a>, data: JsonText<'a> },
    Url(JsonText<'a>),
}

impl<'a> Part<'a> {
    pub(super) fn into_text(self) -> Option<JsonText<'a>> {
        match self {
            Part::Text(text) => Some(text),
            Part::Image(_) => None,
        }
    }
}

/// Gives the text of documents. Reading them takes time and may fail, so it is done before the
/// translation, and not by it.
pub trait DocumentText: Sync {
    /// The text of a base64 document, or a sentence for the model on why there is none; `None` when
    /// this source reads no documents of that type.
    fn text(&self, media_type: &str, base64: &str) -> Option<Result<Arc<str>, String>>;
}

/// Reads no documents: the model is told so.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDocuments;

impl DocumentText for NoDocuments {
    fn text(&self, _media_type: &str, _base64: &str) -> Option<Result<Arc<str>, String>> {
        None
    }
}

/// Turns blocks into parts, under one backend's rules.
pub(super) struct ContentReader<'r> {
    pub(super) images: bool,
    pub(super) keeps_thinking: bool,
    pub(super) noted_thinking: bool,
    pub(super) noted_countdown: bool,
    pub(super) documents: &'r dyn DocumentText,
    pub(super) notes: &'r mut Notes,
}

impl ContentReader<'_> {
    /// Appends what a block says. Blank text is left out: strict servers refuse it.
    pub(super) fn parts<'a>(&mut self, block: Block<'a>, parts: &mut Vec<Part<'a>>) {
        match block {
            Block::Text(text) if text.is_blank() => {}
            Block::Text(text) => parts.push(Part::Text(text)),
            Block::Image(source) => parts.push(self.image(source)),
            Block::Document { source, title, context } => {
                let mut heading = String::from("[document");
                for words in [title, context].into_iter().flatten() {
                    heading.push_str(": ");
                    heading.push_str(&words.decode());
                }
                heading.push(']');
                parts.push(Part::Text(JsonText::from_plain(&heading)));
                self.document(source, parts);
            }
            Block::SearchResult { title, source, content } => {
                let words: Vec<String> = [title, source].iter().flatten().map(|t| t.decode().into_owned()).collect();
                parts.push(Part::Text(JsonText::from_plain(&format!("[search result] {}", words.join(" - ")))));
                for block in content.map(Content::into_blocks).unwrap_or_default() {
                    self.parts(block, parts);
                }
            }
            Block::ToolReference(name) => parts.push(Part::Text(self.tool_reference(&name))),
            Block::Thinking(_) | Block::RedactedThinking => {
                self.notes.add(NoteKind::Dropped, "thinking block", "it is not in an assistant message");
            }
            Block::ToolUse { name, input, .. } => {
                let input = input.map_or("{}", |raw| raw.get());
                parts.push(Part::Text(JsonText::from_plain(&format!("[tool call {}: {input}]", name.decode()))));
            }
            Block::ToolResult { tool_use_id, content, is_error } => {
                let result = self.tool_result(tool_use_id, content, is_error, &mut HashSet::new());
                parts.extend(result.text.into_iter().map(Part::Text));
                parts.extend(result.images.into_iter().map(Part::Image));
            }
            Block::Unknown { kind, json } => {
                self.notes.add(
                    NoteKind::Replaced,
                    format!("{} block", kind.decode()),
                    "unknown type; sent as its JSON",
                );
                parts.push(Part::Text(JsonText::from_plain(&json)));
            }
        }
    }

    /// A block of the client's own text, without what changes from request to request.
    pub(super) fn steady<'a>(&mut self, block: Block<'a>) -> Block<'a> {
        let Block::Text(text) = &block else { return block };
        let Some(left) = volatile::without_countdown(text) else { return block };
        if !std::mem::replace(&mut self.noted_countdown, true) {
            let why = "it is another in every request, and costs the server its cache";
            self.notes.add(NoteKind::Dropped, "countdown of tokens", why);
        }
        Block::Text(left)
    }

    /// Notes, once a request, that thinking of earlier answers is left out.
    pub(super) fn note_thinking(&mut self, is_dropped: bool) {
        if is_dropped && !std::mem::replace(&mut self.noted_thinking, true) {
            self.notes.add(NoteKind::Dropped, "thinking of earlier answers", "the backend cannot read it");
        }
    }

    /// A result: text for the tool message, images for the user message behind it.
    pub(super) fn tool_result<'a>(
        &mut self,
        id: JsonText<'a>,
        content: Option<Content<'a>>,
        is_error: bool,
        loaded: &mut HashSet<String>,
    ) -> ToolResult<'a> {
        let mut parts = Vec::new();
        for block in content.map(Content::into_blocks).unwrap_or_default() {
            if let Block::ToolReference(name) = &block {
                loaded.insert(name.decode().into_owned());
            }
            self.parts(block, &mut parts);
        }
        let mut result = ToolResult { id, text: Vec::new(), images: Vec::new() };
        for part in parts {
            match part {
                Part::Text(text) => result.text.push(text),
                Part::Image(image) => {
                    result.images.push(image);
                    let place = format!("[image {}: it follows the tool results]", result.images.len());
                    result.text.push(JsonText::from_plain(&place));
                }
            }
        }
        // Chat completions have no field for a failure; unmarked, the model may take it for success.
        let marked = result.text.first().is_some_and(|text| text.as_escaped().starts_with("<tool_use_error>"));
        if is_error && !marked {
            result.text.insert(0, JsonText::escaped("[tool error]"));
        }
        if result.text.is_empty() {
            result.text.push(JsonText::escaped("(empty)"));
        }
        result
    }

    /// System text inside of the dialogue, marked as what it is.
    pub(super) fn reminder<'a>(&mut self, blocks: Vec<Block<'a>>) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        for block in blocks {
            let block = self.steady(block);
            self.parts(block, &mut parts);
        }
        let marked =
            matches!(parts.first(), Some(Part::Text(text)) if text.as_escaped().starts_with("<system-reminder>"));
        if marked || parts.is_empty() {
            return parts;
        }
        let texts: Vec<JsonText<'a>> = parts.into_iter().filter_map(Part::into_text).collect();
        let joined: Vec<&str> = texts.iter().map(JsonText::as_escaped).collect();
        let wrapped = format!("<system-reminder>\\n{}\\n</system-reminder>", joined.join("\\n\\n"));
        vec![Part::Text(JsonText::escaped(&wrapped).into_owned())]
    }

    pub(super) fn tool_reference<'a>(&self, name: &JsonText<'_>) -> JsonText<'a> {
        JsonText::from_plain(&format!("Tool {} is now available.", name.decode()))
    }

    fn image<'a>(&mut self, source: Source<'a>) -> Part<'a> {
        if !self.images {
            self.notes.add(NoteKind::Replaced, "image", "the backend takes no images");
            return Part::Text(JsonText::escaped("[image left out: this model cannot see images]"));
        }
        match source {
            Source::Base64 { media_type, data } => Part::Image(Image::Data { media_type, data }),
            Source::Url(url) => Part::Image(Image::Url(url)),
            _ => {
                self.notes.add(NoteKind::Replaced, "image", "its source is not in the request");
                Part::Text(JsonText::escaped("[image left out: it is stored where this server cannot read it]"))
            }
        }
    }

    fn document<'a>(&mut self, source: Source<'a>, parts: &mut Vec<Part<'a>>) {
        let text = match source {
            Source::Text(text) => text,
            Source::Content(content) => {
                for block in content.into_blocks() {
                    self.parts(block, parts);
                }
                return;
            }
            Source::Base64 { media_type, data } => self.base64_document(&media_type.decode(), &data.decode()),
            Source::Url(url) => {
                self.notes.add(NoteKind::Replaced, "document", "its address is sent, not its text");
                JsonText::from_plain(&format!("[its text is at {} and was not read]", url.decode()))
            }
            Source::Elsewhere(_) => {
                self.notes.add(NoteKind::Replaced, "document", "its source is not in the request");
                JsonText::escaped("[its text is stored where this server cannot read it]")
            }
        };
        parts.push(Part::Text(text));
    }

    /// Never the base64 itself: it would fill the window with noise.
    fn base64_document(&mut self, media_type: &str, data: &str) -> JsonText<'static> {
        let is_text = media_type.starts_with("text/") || media_type == "application/json";
        if is_text && let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(data) {
            return JsonText::from_plain(&String::from_utf8_lossy(&bytes));
        }
        let why = match self.documents.text(media_type, data) {
            Some(Ok(text)) => return JsonText::from_plain(&text),
            Some(Err(why)) => why,
            None => format!("documents of type {media_type} are not read here"),
        };
        self.notes.add(NoteKind::Replaced, format!("{media_type} document"), why.clone());
        // Readers may have put it into words for the model already.
        let told = if why.starts_with('[') { why } else { format!("[the document could not be read: {why}]") };
        JsonText::from_plain(&told)
    }
}
