//! Content blocks of the Messages API.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{JsonText, Object, plain_words, shape};

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

impl<'a> Content<'a> {
    /// The content as blocks: a string is one text block.
    pub fn into_blocks(self) -> Vec<Block<'a>> {
        match self {
            Content::Text(text) => vec![Block::Text(text)],
            Content::Blocks(blocks) => blocks,
        }
    }
}

/// In one pass, since this is most of every request.
impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;
        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of content blocks")
            }

            /// Text that holds no escape stands on the wire as it is.
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(JsonText::escaped(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(JsonText::from_plain(text)))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = list.next_element()? {
                    blocks.push(block);
                }
                Ok(Content::Blocks(blocks))
            }
        }
        deserializer.deserialize_any(ContentVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Block<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = deserializer.deserialize_map(MembersVisitor)?;
        Block::from_members(&members).map_err(D::Error::custom)
    }
}

impl<'a> Block<'a> {
    fn from_members(members: &Members<'a>) -> Result<Self, String> {
        let kind = members.text("type")?;
        Ok(match kind.as_escaped() {
            "text" => Block::Text(members.text("text")?),
            "image" => Block::Image(members.parsed("source")?.ok_or("source: this field is missing")?),
            "document" => Block::Document {
                source: members.parsed("source")?.ok_or("source: this field is missing")?,
                title: members.text("title").ok(),
                context: members.text("context").ok(),
            },
            "tool_use" => {
                Block::ToolUse { id: members.text("id")?, name: members.text("name")?, input: members.get("input") }
            }
            "tool_result" => Block::ToolResult {
                tool_use_id: members.text("tool_use_id")?,
                content: members.parsed("content")?,
                is_error: members.get("is_error").is_some_and(|raw| raw.get() == "true"),
            },
            "thinking" => Block::Thinking(members.text("thinking")?),
            "redacted_thinking" => Block::RedactedThinking,
            "search_result" => Block::SearchResult {
                title: members.text("title").ok(),
                source: members.text("source").ok(),
                content: members.parsed("content")?,
            },
            "tool_reference" => Block::ToolReference(members.text("tool_name")?),
            _ => Block::Unknown { json: members.without_cache_control(), kind },
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Source<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = deserializer.deserialize_map(MembersVisitor)?;
        Source::from_members(&members).map_err(D::Error::custom)
    }
}

impl<'a> Source<'a> {
    fn from_members(members: &Members<'a>) -> Result<Self, String> {
        let kind = members.text("type")?;
        Ok(match kind.as_escaped() {
            "base64" => Source::Base64 { media_type: members.text("media_type")?, data: members.text("data")? },
            "url" => Source::Url(members.text("url")?),
            "text" => Source::Text(members.text("data")?),
            "content" => Source::Content(members.parsed("content")?.ok_or("content: this field is missing")?),
            _ => Source::Elsewhere(members.text("file_id").unwrap_or(kind)),
        })
    }
}

/// An object's members in their order, the values raw: what they must be depends on `type`.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().rfind(|(key, _)| key == name)?;
        Some(*value).filter(|raw| raw.get() != "null")
    }

    fn text(&self, name: &str) -> Result<JsonText<'a>, String> {
        let raw = self.get(name).ok_or_else(|| format!("{name}: this field is missing; it must be a string"))?;
        JsonText::from_raw(raw).ok_or_else(|| format!("{name}: expected a string, got {}", shape(raw)))
    }

    fn parsed<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, String> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| {
            // The slow second pass tells the place.
            let mut json = serde_json::Deserializer::from_str(raw.get());
            match serde_path_to_error::deserialize::<_, T>(&mut json) {
                Err(error) => format!("{name}{}: {}", error.path(), plain_words(error.inner())).replace(".:", ":"),
                Ok(_) => name.to_owned(),
            }
        })
    }

    /// The object as JSON, less the key that no backend may see.
    fn without_cache_control(&self) -> String {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        for (key, value) in self.0.iter().filter(|(key, _)| key != "cache_control") {
            object.json(JsonText::from_plain(key).as_escaped(), value.get());
        }
        object.end();
        String::from_utf8_lossy(&out).into_owned()
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a `type`")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::with_capacity(4);
        while let Some(Key(key)) = map.next_key()? {
            members.push((key, map.next_value()?));
        }
        Ok(Members(members))
    }
}

/// A key, borrowed where it holds no escape.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
