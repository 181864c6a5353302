//! The Anthropic Messages request, as clients send it.
//!
//! Source: Anthropic's Messages API reference, and what Claude Code and the SDKs were seen to send.

use std::borrow::Cow;

use super::blocks::Content;
use super::json::JsonText;
use super::repair::{may_hold_surrogates, repair_escapes};
use super::scan::{RawJson, ScanError, Scanner};
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
    pub temperature: Option<RawJson<'a>>,
    /// Nucleus sampling as the client wrote it.
    pub top_p: Option<RawJson<'a>>,
    /// Top-k sampling as the client wrote it.
    pub top_k: Option<RawJson<'a>>,
    /// Texts that end the answer.
    pub stop_sequences: Vec<JsonText<'a>>,
    /// Account facts; never forwarded.
    pub metadata: Option<RawJson<'a>>,
    /// A server-side conversation (the Python SDK's tool runner asks for one).
    pub thread: Option<Thread<'a>>,
    /// Keys that are known and consumed, or unknown: named so that a note can say what was dropped.
    pub other: Vec<String>,
}

/// One message of the dialogue.
#[derive(Debug)]
pub struct InputMessage<'a> {
    /// `user`, `assistant` or `system`.
    pub role: JsonText<'a>,
    /// A string or an array of content blocks.
    pub content: Content<'a>,
}

/// A tool definition.
#[derive(Debug)]
pub struct Tool<'a> {
    /// Present on server tools (`web_search_20250305`); absent or `custom` on client tools.
    pub kind: Option<JsonText<'a>>,
    /// The tool's name.
    pub name: JsonText<'a>,
    /// What the model is told about it.
    pub description: Option<JsonText<'a>>,
    /// JSON Schema of the arguments.
    pub input_schema: Option<RawJson<'a>>,
    /// Not offered until a tool search has found it.
    pub defer_loading: Option<bool>,
}

/// Which tool must be called.
#[derive(Debug)]
pub struct ToolChoice<'a> {
    /// `auto`, `any`, `tool` or `none`.
    pub kind: JsonText<'a>,
    /// The tool, for `tool`.
    pub name: Option<JsonText<'a>>,
    /// At most one call in an answer.
    pub disable_parallel_tool_use: Option<bool>,
}

/// The client's wish for thinking.
#[derive(Debug)]
pub struct Thinking<'a> {
    /// `enabled`, `adaptive` or `disabled`.
    pub kind: JsonText<'a>,
    /// The most tokens to think, for `enabled`.
    pub budget_tokens: Option<u64>,
}

/// Effort and answer format.
#[derive(Debug)]
pub struct OutputConfig<'a> {
    /// `low`, `medium`, `high`, `xhigh` or `max`.
    pub effort: Option<JsonText<'a>>,
    /// The schema that the answer must follow.
    pub format: Option<OutputFormat<'a>>,
}

/// The schema that the answer must follow.
#[derive(Debug)]
pub struct OutputFormat<'a> {
    /// `json_schema`.
    pub kind: JsonText<'a>,
    /// JSON Schema of the answer.
    pub schema: Option<RawJson<'a>>,
}

/// A server-side conversation.
#[derive(Debug)]
pub struct Thread<'a> {
    /// `create` or `continue`.
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
        let mut scanner = Scanner::new(&self.0);
        let request = MessagesRequest::read(&mut scanner).and_then(|request| scanner.end().map(|()| request));
        let request = request.map_err(|error| {
            let path = if error.path().is_empty() { "request body" } else { error.path() };
            Error::at(path, error.what())
        })?;
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

impl<'a> MessagesRequest<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, ScanError> {
        let mut request = MessagesRequest::default();
        let mut has_messages = false;
        scanner.object("a Messages request: an object", |key, value| {
            match key.as_escaped() {
                "model" => request.model = value.nullable(Scanner::string)?,
                "messages" => {
                    has_messages = true;
                    request.messages = list(value, InputMessage::read)?;
                }
                "system" => request.system = value.nullable(Content::read)?,
                "tools" => request.tools = value.nullable(|value| list(value, Tool::read))?.unwrap_or_default(),
                "tool_choice" => request.tool_choice = value.nullable(ToolChoice::read)?,
                "max_tokens" => request.max_tokens = value.nullable(Scanner::count)?,
                "stream" => request.stream = value.nullable(Scanner::boolean)?.unwrap_or_default(),
                "thinking" => request.thinking = value.nullable(Thinking::read)?,
                "output_config" => request.output_config = value.nullable(OutputConfig::read)?,
                "temperature" => request.temperature = value.nullable(number)?,
                "top_p" => request.top_p = value.nullable(number)?,
                "top_k" => request.top_k = value.nullable(number)?,
                "stop_sequences" => {
                    request.stop_sequences = value.nullable(|value| list(value, Scanner::string))?.unwrap_or_default();
                }
                "metadata" => request.metadata = value.nullable(Scanner::raw)?,
                "thread" => request.thread = value.nullable(Thread::read)?,
                _ => {
                    value.raw()?;
                    request.other.push(key.decode().into_owned());
                }
            }
            Ok(())
        })?;
        if has_messages { Ok(request) } else { Err(ScanError::missing("messages", "an array of messages")) }
    }
}

impl<'a> InputMessage<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, ScanError> {
        let (mut role, mut content) = (None, None);
        scanner.object("a message: an object with role and content", |key, value| {
            match key.as_escaped() {
                "role" => role = Some(value.string()?),
                "content" => content = Some(Content::read(value)?),
                _ => _ = value.raw()?,
            }
            Ok(())
        })?;
        Ok(InputMessage {
            role: role.ok_or_else(|| ScanError::missing("role", "\"user\" or \"assistant\""))?,
            content: content.ok_or_else(|| ScanError::missing("content", "a string or an array of content blocks"))?,
        })
    }
}

impl<'a> Tool<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, ScanError> {
        let mut tool =
            Tool { kind: None, name: JsonText::default(), description: None, input_schema: None, defer_loading: None };
        let mut has_name = false;
        scanner.object("a tool: an object with a name", |key, value| {
            match key.as_escaped() {
                "type" => tool.kind = value.nullable(Scanner::string)?,
                "name" => {
                    has_name = true;
                    tool.name = value.string()?;
                }
                "description" => tool.description = value.nullable(Scanner::string)?,
                "input_schema" => tool.input_schema = value.nullable(Scanner::raw)?,
                "defer_loading" => tool.defer_loading = value.nullable(Scanner::boolean)?,
                _ => _ = value.raw()?,
            }
            Ok(())
        })?;
        if has_name { Ok(tool) } else { Err(ScanError::missing("name", "a string")) }
    }
}

impl<'a> ToolChoice<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, ScanError> {
        let (mut kind, mut name, mut disable_parallel_tool_use) = (None, None, None);
        scanner.object("a tool choice: an object with a type", |key, value| {
            match key.as_escaped() {
                "type" => kind = Some(value.string()?),
                "name" => name = value.nullable(Scanner::string)?,
                "disable_parallel_tool_use" => disable_parallel_tool_use = value.nullable(Scanner::boolean)?,
                _ => _ = value.raw()?,
            }
            Ok(())
        })?;
        Ok(ToolChoice {
            kind: kind.ok_or_else(|| ScanError::missing("type", "a string"))?,
            name,
            disable_parallel_tool_use,
        })
    }
}

impl<'a> Thinking<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, ScanError> {
        let (mut kind, mut budget_tokens) = (None, None);
        scanner.object("an object with a type", |key, value| {
            match key.as_escaped() {
                "type" => kind = Some(value.string()?),
                "budget_tokens" => budget_tokens = value.nullable(Scanner::count)?,
                _ => _ = value.raw()?,
            }
            Ok(())
        })?;
        Ok(Thinking { kind: kind.ok_or_else(|| ScanError::missing("type", "a string"))?, budget_tokens })
    }
}

impl<'a> OutputConfig<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, ScanError> {
        let mut config = OutputConfig { effort: None, format: None };
        scanner.object("an object", |key, value| {
            match key.as_escaped() {
                "effort" => config.effort = value.nullable(Scanner::string)?,
                "format" => config.format = value.nullable(OutputFormat::read)?,
                _ => _ = value.raw()?,
            }
            Ok(())
        })?;
        Ok(config)
    }
}

impl<'a> OutputFormat<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, ScanError> {
        let (mut kind, mut schema) = (None, None);
        scanner.object("an object with a type", |key, value| {
            match key.as_escaped() {
                "type" => kind = Some(value.string()?),
                "schema" => schema = value.nullable(Scanner::raw)?,
                _ => _ = value.raw()?,
            }
            Ok(())
        })?;
        Ok(OutputFormat { kind: kind.ok_or_else(|| ScanError::missing("type", "a string"))?, schema })
    }
}

impl<'a> Thread<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, ScanError> {
        let mut kind = None;
        scanner.object("an object with a type", |key, value| {
            match key.as_escaped() {
                "type" => kind = Some(value.string()?),
                _ => _ = value.raw()?,
            }
            Ok(())
        })?;
        Ok(Thread { kind: kind.ok_or_else(|| ScanError::missing("type", "a string"))? })
    }
}

fn list<'a, T>(
    scanner: &mut Scanner<'a>,
    mut read: impl FnMut(&mut Scanner<'a>) -> Result<T, ScanError>,
) -> Result<Vec<T>, ScanError> {
    let mut items = Vec::new();
    scanner.array("an array", |item| {
        items.push(read(item)?);
        Ok(())
    })?;
    Ok(items)
}

/// A number, kept as the client wrote it.
fn number<'a>(scanner: &mut Scanner<'a>) -> Result<RawJson<'a>, ScanError> {
    match scanner.peek() {
        Some(b'-' | b'0'..=b'9') => scanner.raw(),
        _ => Err(scanner.unexpected("a number")),
    }
}
