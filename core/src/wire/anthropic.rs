//! The Anthropic Messages request, as clients send it.
//!
//! Source: Anthropic's Messages API reference, and what Claude Code and the SDKs were seen to send.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::blocks::Content;
use super::json::{JsonText, plain_words};
use super::repair::{may_hold_surrogates, repair_escapes};
use crate::error::{Error, ErrorKind, Result};

/// The most messages a request may hold (Anthropic's own limit).
pub const MAX_MESSAGES: usize = 100_000;

/// `POST /v1/messages`, borrowed from the body.
#[derive(Debug, Default)]
pub struct MessagesRequest<'a> {
    /// The model name that the client asked for.
    pub model: Option<JsonText<'a>>,
    /// The dialogue. Roles other than user and assistant occur (`system`).
    pub messages: Vec<InputMessage<'a>>,
    /// A string or an array of text blocks.
    pub system: Option<Content<'a>>,
    /// Client tools and server tools.
    pub tools: Vec<Tool<'a>>,
    /// Which tool must be called.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// The most tokens to generate.
    pub max_tokens: Option<u64>,
    /// Whether to answer as an event stream. Missing means no.
    pub stream: bool,
    /// Thinking: enabled, adaptive or disabled.
    pub thinking: Option<Thinking<'a>>,
    /// Effort and the format of the answer.
    pub output_config: Option<OutputConfig<'a>>,
    /// Sampling temperature as the client wrote it.
    pub temperature: Option<&'a RawValue>,
    /// Nucleus sampling as the client wrote it.
    pub top_p: Option<&'a RawValue>,
    /// Top-k sampling as the client wrote it.
    pub top_k: Option<&'a RawValue>,
    /// Texts that end the answer.
    pub stop_sequences: Vec<JsonText<'a>>,
    /// Account facts; never forwarded.
    pub metadata: Option<&'a RawValue>,
    /// A server-side conversation (the Python SDK's tool runner asks for one).
    pub thread: Option<Thread<'a>>,
    /// Keys that are known and consumed, or unknown: named so that a note can say what was dropped.
    pub other: Vec<String>,
}

/// One message of the dialogue.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a message: an object with role and content")]
pub struct InputMessage<'a> {
    /// `user`, `assistant` or `system`.
    #[serde(borrow)]
    pub role: JsonText<'a>,
    /// A string or an array of content blocks.
    #[serde(borrow)]
    pub content: Content<'a>,
}

/// A tool definition.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a tool: an object with a name")]
pub struct Tool<'a> {
    /// Present on server tools (`web_search_20250305`); absent or `custom` on client tools.
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<JsonText<'a>>,
    /// The tool's name.
    #[serde(borrow)]
    pub name: JsonText<'a>,
    /// What the model is told about it.
    #[serde(borrow, default)]
    pub description: Option<JsonText<'a>>,
    /// JSON Schema of the arguments.
    #[serde(borrow, default)]
    pub input_schema: Option<&'a RawValue>,
    /// Not offered until a tool search has found it.
    #[serde(default)]
    pub defer_loading: Option<bool>,
}

/// Which tool must be called.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a tool choice: an object with a type")]
pub struct ToolChoice<'a> {
    /// `auto`, `any`, `tool` or `none`.
    #[serde(borrow, rename = "type")]
    pub kind: JsonText<'a>,
    /// The tool, for `tool`.
    #[serde(borrow, default)]
    pub name: Option<JsonText<'a>>,
    /// At most one call in an answer.
    #[serde(default)]
    pub disable_parallel_tool_use: Option<bool>,
}

/// The client's wish for thinking.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with a type")]
pub struct Thinking<'a> {
    /// `enabled`, `adaptive` or `disabled`.
    #[serde(borrow, rename = "type")]
    pub kind: JsonText<'a>,
    /// The most tokens to think, for `enabled`.
    #[serde(default)]
    pub budget_tokens: Option<u64>,
}

/// Effort and answer format.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub struct OutputConfig<'a> {
    /// `low`, `medium`, `high`, `xhigh` or `max`.
    #[serde(borrow, default)]
    pub effort: Option<JsonText<'a>>,
    /// The schema that the answer must follow.
    #[serde(borrow, default)]
    pub format: Option<OutputFormat<'a>>,
}

/// The schema that the answer must follow.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with a type")]
pub struct OutputFormat<'a> {
    /// `json_schema`.
    #[serde(borrow, rename = "type")]
    pub kind: JsonText<'a>,
    /// JSON Schema of the answer.
    #[serde(borrow, default)]
    pub schema: Option<&'a RawValue>,
}

/// A server-side conversation.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with a type")]
pub struct Thread<'a> {
    /// `create` or `continue`.
    #[serde(borrow, rename = "type")]
    pub kind: JsonText<'a>,
}

/// A request body that has been made fit for parsing; [`MessagesRequest`] borrows from it.
#[derive(Debug)]
pub struct RequestBody<'a>(Cow<'a, str>);

impl<'a> RequestBody<'a> {
    /// Checks that the body is UTF-8 and mends half surrogate pairs.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] that names the first byte that is not UTF-8.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let text = simdutf8::compat::from_utf8(bytes).map_err(|error| {
            let place = error.valid_up_to();
            let message = format!("request body: byte {place} is not UTF-8; send the JSON encoded as UTF-8");
            Error::new(ErrorKind::InvalidRequest, message)
        })?;
        Ok(RequestBody(if may_hold_surrogates(bytes) { mend(text) } else { Cow::Borrowed(text) }))
    }

    /// The same body with unknown escapes mended, for a second try after a parse failure.
    #[must_use]
    pub fn mended(&self) -> Option<RequestBody<'static>> {
        match mend(&self.0) {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(RequestBody(Cow::Owned(text))),
        }
    }

    /// Reads the request.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] with the place in the body and what was expected there.
    pub fn parse(&self) -> Result<MessagesRequest<'_>> {
        let request: MessagesRequest<'_> = serde_json::from_str(&self.0).map_err(|error| explain(&self.0, &error))?;
        if request.messages.is_empty() {
            return Err(Error::at("messages", "the list is empty; at least one message is needed"));
        }
        if request.messages.len() > MAX_MESSAGES {
            return Err(Error::at("messages", format_args!("at most {MAX_MESSAGES} messages are taken")));
        }
        Ok(request)
    }
}

fn mend(text: &str) -> Cow<'_, str> {
    match repair_escapes(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        // Mending puts ASCII in the place of ASCII, so nothing is lost here.
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Parses once more, slowly, to find the path of the field that failed.
fn explain(text: &str, error: &serde_json::Error) -> Error {
    let mut json = serde_json::Deserializer::from_str(text);
    let path = match serde_path_to_error::deserialize::<_, MessagesRequest<'_>>(&mut json) {
        // A raw value inside of which parsing failed has no name of its own.
        Err(detailed) => detailed.path().to_string().trim_end_matches(".?").trim_matches(['?', '.']).to_owned(),
        Ok(_) => String::new(),
    };
    let path = if path.is_empty() { "request body" } else { path.as_str() };
    Error::at(path, plain_words(error))
}

impl<'de: 'a, 'a> Deserialize<'de> for MessagesRequest<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RequestVisitor)
    }
}

struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = MessagesRequest<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Messages request (an object)")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut request = MessagesRequest::default();
        let mut has_messages = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "model" => request.model = map.next_value()?,
                "messages" => {
                    has_messages = true;
                    request.messages = map.next_value()?;
                }
                "system" => request.system = map.next_value()?,
                "tools" => request.tools = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "tool_choice" => request.tool_choice = map.next_value()?,
                "max_tokens" => request.max_tokens = map.next_value()?,
                "stream" => request.stream = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "thinking" => request.thinking = map.next_value()?,
                "output_config" => request.output_config = map.next_value()?,
                "temperature" => request.temperature = map.next_value()?,
                "top_p" => request.top_p = map.next_value()?,
                "top_k" => request.top_k = map.next_value()?,
                "stop_sequences" => request.stop_sequences = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "metadata" => request.metadata = map.next_value()?,
                "thread" => request.thread = map.next_value()?,
                _ => {
                    map.next_value::<de::IgnoredAny>()?;
                    request.other.push(key);
                }
            }
        }
        if !has_messages {
            return Err(de::Error::missing_field("messages"));
        }
        Ok(request)
    }
}
