//! Content blocks of the Messages API.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{JsonText, Object, plain_words, shape};
use crate::error::{Error, Result};

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
        input: Option<&'a RawValue>,
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

/// Every field that any known block has; typed when the block's type is known.
#[derive(Deserialize)]
#[serde(expecting = "a content block: an object with a `type`")]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: JsonText<'a>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
    #[serde(borrow, default)]
    title: Option<&'a RawValue>,
    #[serde(borrow, default)]
    context: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_use_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    is_error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_name: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(expecting = "a source: an object with a `type`")]
struct SourceFields<'a> {
    #[serde(borrow, rename = "type")]
    kind: JsonText<'a>,
    #[serde(borrow, default)]
    media_type: Option<JsonText<'a>>,
    #[serde(borrow, default)]
    data: Option<JsonText<'a>>,
    #[serde(borrow, default)]
    url: Option<JsonText<'a>>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file_id: Option<JsonText<'a>>,
}

impl<'a> Content<'a> {
    /// Reads content that stands at `path` in the request.
    ///
    /// # Errors
    /// When it is neither a string nor an array of objects with a `type`, or a known block lacks what
    /// it must have; the message names the place.
    pub fn parse(raw: &'a RawValue, path: &str) -> Result<Self> {
        if let Some(text) = JsonText::from_raw(raw) {
            return Ok(Content::Text(text));
        }
        if !raw.get().starts_with('[') {
            return Err(Error::at(path, format_args!("expected a string or an array of content blocks, got {}", shape(raw))));
        }
        let fields: Vec<Fields<'a>> = from_raw(raw, path)?;
        let mut blocks = Vec::with_capacity(fields.len());
        for (index, fields) in fields.into_iter().enumerate() {
            blocks.push(Block::from_fields(fields, raw, path, index)?);
        }
        Ok(Content::Blocks(blocks))
    }

    /// The content as blocks: a string is one text block.
    pub fn into_blocks(self) -> Vec<Block<'a>> {
        match self {
            Content::Text(text) => vec![Block::Text(text)],
            Content::Blocks(blocks) => blocks,
        }
    }
}

impl<'a> Block<'a> {
    fn from_fields(fields: Fields<'a>, list: &'a RawValue, path: &str, index: usize) -> Result<Self> {
        let place = Place { path, index };
        Ok(match fields.kind.as_escaped() {
            "text" => Block::Text(place.text(fields.text, "text")?),
            "image" => Block::Image(place.source(fields.source)?),
            "document" => Block::Document {
                source: place.source(fields.source)?,
                title: fields.title.and_then(JsonText::from_raw),
                context: fields.context.and_then(JsonText::from_raw),
            },
            "tool_use" => Block::ToolUse {
                id: place.text(fields.id, "id")?,
                name: place.text(fields.name, "name")?,
                input: fields.input,
            },
            "tool_result" => Block::ToolResult {
                tool_use_id: place.text(fields.tool_use_id, "tool_use_id")?,
                content: place.content(fields.content)?,
                is_error: fields.is_error.is_some_and(|raw| raw.get() == "true"),
            },
            "thinking" => Block::Thinking(place.text(fields.thinking, "thinking")?),
            "redacted_thinking" => Block::RedactedThinking,
            "search_result" => Block::SearchResult {
                title: fields.title.and_then(JsonText::from_raw),
                source: fields.source.and_then(JsonText::from_raw),
                content: place.content(fields.content)?,
            },
            "tool_reference" => Block::ToolReference(place.text(fields.tool_name, "tool_name")?),
            _ => Block::Unknown { kind: fields.kind, json: without_cache_control(list, index) },
        })
    }
}

/// Where a block stands; makes messages like `messages[2].content[0].id: ...`.
struct Place<'p> {
    path: &'p str,
    index: usize,
}

impl Place<'_> {
    fn of(&self, field: &str) -> String {
        format!("{}[{}].{field}", self.path, self.index)
    }

    fn text<'a>(&self, raw: Option<&'a RawValue>, field: &str) -> Result<JsonText<'a>> {
        let Some(raw) = raw else {
            return Err(Error::at(&self.of(field), "this field is missing; it must be a string"));
        };
        JsonText::from_raw(raw)
            .ok_or_else(|| Error::at(&self.of(field), format_args!("expected a string, got {}", shape(raw))))
    }

    fn content<'a>(&self, raw: Option<&'a RawValue>) -> Result<Option<Content<'a>>> {
        raw.map(|raw| Content::parse(raw, &self.of("content"))).transpose()
    }

    fn source<'a>(&self, raw: Option<&'a RawValue>) -> Result<Source<'a>> {
        let Some(raw) = raw else {
            return Err(Error::at(&self.of("source"), "this field is missing; it must be an object"));
        };
        let path = self.of("source");
        let fields: SourceFields<'a> = from_raw(raw, &path)?;
        let need = |value: Option<JsonText<'a>>, name: &str| {
            value.ok_or_else(|| Error::at(&format!("{path}.{name}"), "this field is missing; it must be a string"))
        };
        Ok(match fields.kind.as_escaped() {
            "base64" => {
                Source::Base64 { media_type: need(fields.media_type, "media_type")?, data: need(fields.data, "data")? }
            }
            "url" => Source::Url(need(fields.url, "url")?),
            "text" => Source::Text(need(fields.data, "data")?),
            "content" => match fields.content {
                Some(raw) => Source::Content(Content::parse(raw, &format!("{path}.content"))?),
                None => return Err(Error::at(&format!("{path}.content"), "this field is missing")),
            },
            _ => Source::Elsewhere(fields.file_id.unwrap_or(fields.kind)),
        })
    }
}

fn from_raw<'a, T: Deserialize<'a>>(raw: &'a RawValue, path: &str) -> Result<T> {
    serde_json::from_str(raw.get()).map_err(|error| {
        // The slow second pass tells the place inside of `raw`.
        let mut json = serde_json::Deserializer::from_str(raw.get());
        match serde_path_to_error::deserialize::<_, T>(&mut json) {
            Err(detailed) => {
                let inner = detailed.path().to_string();
                let joint = if inner.starts_with('[') || inner == "." { "" } else { "." };
                Error::at(&format!("{path}{joint}{}", inner.trim_end_matches('.')), plain_words(detailed.inner()))
            }
            Ok(_) => Error::at(path, plain_words(&error)),
        }
    })
}

/// The block at `index` of a list, as JSON, less the key that no backend may see.
fn without_cache_control(list: &RawValue, index: usize) -> String {
    #[derive(Deserialize)]
    struct Entry<'a>(#[serde(borrow)] Pairs<'a>);
    let entries: Vec<Entry<'_>> = serde_json::from_str(list.get()).unwrap_or_default();
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    if let Some(Entry(pairs)) = entries.into_iter().nth(index) {
        for (key, value) in pairs.0.iter().filter(|(key, _)| key != "cache_control") {
            object.json(JsonText::from_plain(key).as_escaped(), value.get());
        }
    }
    object.end();
    String::from_utf8_lossy(&out).into_owned()
}

/// An object's members in their order.
struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    pairs.push((Cow::Owned(key), map.next_value()?));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}
