//! The parts of a chat request that the demo looks at.

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A request that was read. Unknown fields are of no interest to a demo.
#[derive(Debug)]
pub(super) struct Request {
    pub model: String,
    pub stream: bool,
    pub include_usage: bool,
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
    /// Estimate of the prompt in tokens.
    pub prompt_tokens: usize,
    /// Hex digits that depend on the request alone: ids are made from them.
    pub fingerprint: String,
    messages: Vec<Message>,
}

/// A declared function.
#[derive(Debug)]
pub(super) struct Tool {
    pub name: String,
    /// Its JSON schema; null if there is none.
    pub parameters: Value,
}

/// What `tool_choice` demands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ToolChoice {
    Auto,
    None,
    Required,
    Named(String),
}

/// What the request waits for an answer to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The user's words without reminders; empty if there are none.
    Prompt(String),
    /// The text of the last tool result.
    ToolResult(String),
}

#[derive(Debug, Deserialize)]
struct Wire {
    #[serde(default)]
    model: Value,
    messages: Vec<Message>,
    #[serde(default)]
    tools: Value,
    #[serde(default)]
    tool_choice: Value,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Value,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Value,
}

impl Request {
    /// Reads a request body. The error is a sentence for the client.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        if body.len() > MAX_REQUEST_BYTES {
            return Err(format!("the request has {} bytes, the demo takes {MAX_REQUEST_BYTES}", body.len()));
        }
        let wire: Wire =
            serde_json::from_slice(body).map_err(|error| format!("the request is no chat request: {error}"))?;
        if wire.messages.is_empty() {
            return Err("messages is empty".to_owned());
        }
        Ok(Self {
            model: wire
                .model
                .as_str()
                .map_or_else(|| "demo".to_owned(), |model| model.chars().take(MAX_NAME_CHARS).collect()),
            stream: wire.stream.unwrap_or(false),
            include_usage: wire.stream_options.get("include_usage").and_then(Value::as_bool).unwrap_or(false),
            tools: read_tools(&wire.tools),
            tool_choice: read_choice(&wire.tool_choice),
            prompt_tokens: body.len() / BYTES_PER_TOKEN + 1,
            fingerprint: Sha256::digest(body)
                .iter()
                .take(FINGERPRINT_BYTES)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            messages: wire.messages,
        })
    }

    /// Looks from the end for the words or the result that are to be answered. A user message of
    /// reminders alone, which clients put after a tool result, is passed over.
    pub(super) fn turn(&self) -> Turn {
        for message in self.messages.iter().rev() {
            match message.role.as_str() {
                "tool" | "function" => return Turn::ToolResult(text_of(&message.content)),
                "user" => {
                    let words = without_reminders(&text_of(&message.content));
                    if !words.trim().is_empty() {
                        return Turn::Prompt(words.trim().to_owned());
                    }
                }
                _ => {}
            }
        }
        Turn::Prompt(String::new())
    }
}

/// The words of a text in lower case.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn read_tools(tools: &Value) -> Vec<Tool> {
    let listed = tools.as_array().map(Vec::as_slice).unwrap_or_default();
    let read = |tool: &Value| {
        let function = tool.get("function")?;
        let name = function.get("name")?.as_str()?.to_owned();
        Some(Tool { name, parameters: function.get("parameters").cloned().unwrap_or(Value::Null) })
    };
    listed.iter().take(MAX_TOOLS).filter_map(read).collect()
}

fn read_choice(choice: &Value) -> ToolChoice {
    match choice {
        Value::String(word) if word == "none" => ToolChoice::None,
        Value::String(word) if word == "required" || word == "any" => ToolChoice::Required,
        Value::Object(_) => match choice.pointer("/function/name").and_then(Value::as_str) {
            Some(name) => ToolChoice::Named(name.to_owned()),
            None => ToolChoice::Auto,
        },
        _ => ToolChoice::Auto,
    }
}

/// The text of a message whose content is a string, a list of parts, or nothing.
fn text_of(content: &Value) -> String {
    let text = match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts =
                parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str).or_else(|| part.as_str()));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    };
    text.chars().take(MAX_TEXT_CHARS).collect()
}

/// Takes out what the client put between the user's words. An opening tag without an end takes the
/// rest with it.
fn without_reminders(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once(REMINDER_START) {
        out.push_str(before);
        rest = inside.split_once(REMINDER_END).map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

const REMINDER_START: &str = "<system-reminder>";
const REMINDER_END: &str = "</system-reminder>";

/// The size that Anthropic's API takes; a demo needs no more.
const MAX_REQUEST_BYTES: usize = 32 << 20;
/// Clients offer some hundred tools with many MCP servers; the rest is not looked at.
const MAX_TOOLS: usize = 1024;
/// Text of one message that is searched for words.
const MAX_TEXT_CHARS: usize = 100_000;
/// Longest model name that is repeated in the answer.
const MAX_NAME_CHARS: usize = 200;
/// Rule of thumb for English and code.
pub(super) const BYTES_PER_TOKEN: usize = 4;
/// 48 bits tell the requests of a conversation apart.
const FINGERPRINT_BYTES: usize = 6;
