//! Content blocks of the Messages API.

use super::json::{JsonText, Object};
use super::scan::{RawJson, ScanError, Scanner};

/// The content of a message, a tool result or the system prompt.
#[derive(Debug)]
pub enum Content<'a> {
    /// A plain string.
    Text(JsonText<'a>),
    /// A list of blocks.
    Blocks(Vec<Block<'a>>),
}

/// One content block.
#[derive(Debug)]
#[non_exhaustive]
pub enum Block<'a> {
    /// Text.
    Text(JsonText<'a>),
    /// A picture.
    Image(Source<'a>),
    /// A document: PDF, plain text, or blocks.
    Document {
        /// Where its bytes are.
        source: Source<'a>,
        /// Its title, if it has one.
        title: Option<JsonText<'a>>,
        /// What the client says about it.
        context: Option<JsonText<'a>>,
    },
    /// A call the model made.
    ToolUse {
        /// The call's id.
        id: JsonText<'a>,
        /// The tool.
        name: JsonText<'a>,
        /// Its arguments: a JSON object.
        input: Option<RawJson<'a>>,
    },
    /// What a call gave.
    ToolResult {
        /// The call's id.
        tool_use_id: JsonText<'a>,
        /// Text or blocks; absent when the tool said nothing.
        content: Option<Content<'a>>,
        /// Whether the tool failed.
        is_error: bool,
    },
    /// Thinking of an earlier answer.
    Thinking(JsonText<'a>),
    /// Thinking that only Anthropic can read.
    RedactedThinking,
    /// A search result that the client supplies.
    SearchResult {
        /// Title of the page.
        title: Option<JsonText<'a>>,
        /// Where it was found.
        source: Option<JsonText<'a>>,
        /// Its text.
        content: Option<Content<'a>>,
    },
    /// A tool that a tool search has found.
    ToolReference(JsonText<'a>),
    /// A type this library does not know.
    Unknown {
        /// The block's type.
        kind: JsonText<'a>,
        /// The whole block as JSON, without `cache_control`.
        json: String,
    },
}

/// Where the bytes of an image or document are.
#[derive(Debug)]
#[non_exhaustive]
pub enum Source<'a> {
    /// In the request, as base64.
    Base64 {
        /// Like `image/png`.
        media_type: JsonText<'a>,
        /// The bytes, base64.
        data: JsonText<'a>,
    },
    /// At an address.
    Url(JsonText<'a>),
    /// Plain text.
    Text(JsonText<'a>),
    /// Blocks of text.
    Content(Content<'a>),
    /// A file that was uploaded to Anthropic, or a source of unknown type.
    Elsewhere(JsonText<'a>),
}

impl<'a> Content<'a> {
    /// The content as blocks: a string is one text block.
    pub fn into_blocks(self) -> Vec<Block<'a>> {
        match self {
            Content::Text(text) => vec![Block::Text(text)],
            Content::Blocks(blocks) => blocks,
        }
    }
}

impl<'a> Content<'a> {
    pub(crate) fn read(scanner: &mut Scanner<'a>) -> Result<Self, ScanError> {
        match scanner.peek() {
            Some(b'"') => scanner.string().map(Content::Text),
            Some(b'[') => {
                let mut blocks = Vec::new();
                scanner.array("an array", |item| {
                    blocks
                        .push(Block::from_members(&Members::read(item, "a content block: an object with a `type`")?)?);
                    Ok(())
                })?;
                Ok(Content::Blocks(blocks))
            }
            _ => Err(scanner.unexpected("a string or an array of content blocks")),
        }
    }
}

impl<'a> Block<'a> {
    fn from_members(members: &Members<'a>) -> Result<Self, ScanError> {
        let kind = members.text("type")?;
        Ok(match kind.as_escaped() {
            "text" => Block::Text(members.text("text")?),
            "image" => Block::Image(members.source()?),
            "document" => Block::Document {
                source: members.source()?,
                title: members.text("title").ok(),
                context: members.text("context").ok(),
            },
            "tool_use" => {
                Block::ToolUse { id: members.text("id")?, name: members.text("name")?, input: members.get("input") }
            }
            "tool_result" => Block::ToolResult {
                tool_use_id: members.text("tool_use_id")?,
                content: members.content()?,
                is_error: members.get("is_error").is_some_and(|raw| raw.get() == "true"),
            },
            "thinking" => Block::Thinking(members.text("thinking")?),
            "redacted_thinking" => Block::RedactedThinking,
            "search_result" => Block::SearchResult {
                title: members.text("title").ok(),
                source: members.text("source").ok(),
                content: members.content()?,
            },
            "tool_reference" => Block::ToolReference(members.text("tool_name")?),
            _ => Block::Unknown { json: members.without_cache_control(), kind },
        })
    }
}

impl<'a> Source<'a> {
    fn from_members(members: &Members<'a>) -> Result<Self, ScanError> {
        let kind = members.text("type")?;
        Ok(match kind.as_escaped() {
            "base64" => Source::Base64 { media_type: members.text("media_type")?, data: members.text("data")? },
            "url" => Source::Url(members.text("url")?),
            "text" => Source::Text(members.text("data")?),
            "content" => Source::Content(
                members.content()?.ok_or_else(|| ScanError::missing("content", "a string or an array"))?,
            ),
            _ => Source::Elsewhere(members.text("file_id").unwrap_or(kind)),
        })
    }
}

/// An object's members in their order, the values raw: what they must be depends on `type`.
struct Members<'a>(Vec<(JsonText<'a>, RawJson<'a>)>);

impl<'a> Members<'a> {
    fn read(scanner: &mut Scanner<'a>, expected: &str) -> Result<Self, ScanError> {
        let mut members = Vec::with_capacity(4);
        scanner.object(expected, |key, value| {
            members.push((key.clone(), value.raw()?));
            Ok(())
        })?;
        Ok(Members(members))
    }

    fn get(&self, name: &str) -> Option<RawJson<'a>> {
        let (_, value) = self.0.iter().rfind(|(key, _)| key.is(name))?;
        Some(*value).filter(|raw| raw.get() != "null")
    }

    fn text(&self, name: &str) -> Result<JsonText<'a>, ScanError> {
        let raw = self.get(name).ok_or_else(|| ScanError::missing(name, "a string"))?;
        raw.scanner().string().map_err(|error| error.under(name))
    }

    fn content(&self) -> Result<Option<Content<'a>>, ScanError> {
        let content = self.get("content").map(|raw| Content::read(&mut raw.scanner()));
        content.transpose().map_err(|error| error.under("content"))
    }

    fn source(&self) -> Result<Source<'a>, ScanError> {
        let raw = self.get("source").ok_or_else(|| ScanError::missing("source", "an object with a `type`"))?;
        let source =
            Members::read(&mut raw.scanner(), "an object with a `type`").and_then(|m| Source::from_members(&m));
        source.map_err(|error| error.under("source"))
    }

    /// The object as JSON, less the key that no backend may see.
    fn without_cache_control(&self) -> String {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        for (key, value) in self.0.iter().filter(|(key, _)| !key.is("cache_control")) {
            object.json(key.as_escaped(), value.get());
        }
        object.end();
        String::from_utf8_lossy(&out).into_owned()
    }
}
