//! The brain of the built-in `demo` backend: an OpenAI chat-completions request in, a canned answer
//! out, both as a stream and as one body.
//!
//! It is no model. It lets a user try the whole way (client, proxy, tool call, tool result) before
//! any server is installed, and says so in every answer. Same request, same answer: nothing here
//! reads a clock or draws a random number. The backend that serves `demo` is the only caller.
//!
//! - "think" in the prompt: the answer begins with reasoning.
//! - "tool", or a tool's name with "use", "run" or "call": one harmless tool call.
//! - after a tool result: a text that quotes it.

mod render;
mod request;
mod tools;

use request::{Request, Turn};
use tools::Call;

/// The demo's answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct DemoAnswer {
    /// HTTP status: 200, or 400 for a request that cannot be read.
    pub status: u16,
    /// Whether the request asked for a stream.
    pub stream: bool,
    /// The stream, one `data: ...` event each, `[DONE]` last. Empty if the status is not 200.
    pub chunks: Vec<Vec<u8>>,
    /// The same answer as one JSON body; an OpenAI-shaped error if the status is not 200.
    pub body: Vec<u8>,
}

/// Answers a chat request. Never fails: a request that cannot be read gives status 400.
#[must_use]
pub(crate) fn answer(chat_request: &[u8]) -> DemoAnswer {
    match Request::read(chat_request) {
        Ok(request) => render::answer(&request, &reply(&request)),
        Err(reason) => DemoAnswer { status: 400, stream: false, chunks: Vec::new(), body: render::error(&reason) },
    }
}

/// What is answered, before it is put into OpenAI's shape.
struct Reply {
    reasoning: Option<String>,
    text: String,
    call: Option<Call>,
}

fn reply(request: &Request) -> Reply {
    match request.turn() {
        Turn::ToolResult(result) => Reply { reasoning: None, text: after_tool(&result), call: None },
        Turn::Prompt(prompt) => {
            let call = tools::choose(request, &prompt);
            let thinks = request::words(&prompt).any(|word| word == "think" || word == "thinking");
            let text = match &call {
                Some(call) => format!("{INTRODUCTION} You asked for a tool, so I call {}.", call.name),
                None => about(&prompt),
            };
            Reply { reasoning: thinks.then(|| REASONING.to_owned()), text, call }
        }
    }
}

fn about(prompt: &str) -> String {
    let asked = excerpt(prompt, MAX_PROMPT_CHARS);
    let echo = if asked.is_empty() { "You asked nothing.".to_owned() } else { format!("You asked: \"{asked}\"") };
    format!("{INTRODUCTION} {echo}\n\n{HOW_TO_CONNECT}")
}

fn after_tool(result: &str) -> String {
    let quoted = excerpt(result, MAX_RESULT_CHARS);
    let echo = if quoted.is_empty() {
        "The tool answered nothing.".to_owned()
    } else {
        format!("The tool answered: \"{quoted}\"")
    };
    format!("{INTRODUCTION} {echo}\n\n{HOW_TO_CONNECT}")
}

/// The first characters of a text on one line, with dots if it goes on.
fn excerpt(text: &str, max_chars: usize) -> String {
    let mut chars = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    let start: String = chars.by_ref().take(max_chars).collect();
    if chars.next().is_some() { format!("{}...", start.trim_end()) } else { start }
}

const INTRODUCTION: &str = "This is anyclaude's built-in demo, not a language model: the answer is canned.";

const HOW_TO_CONNECT: &str = "To talk to a real model, start an OpenAI-compatible server (mlx-lm, llama.cpp, vLLM, LM Studio, Ollama) and point anyclaude at it:\n\n    anyclaude serve --backend mlx-lm --backend-url http://127.0.0.1:8080/v1";

const REASONING: &str = "The prompt asks me to think. I am a demo, so this is all the thinking there is: I show where a model's reasoning appears.";

/// Enough of the prompt to see that it arrived.
const MAX_PROMPT_CHARS: usize = 80;

/// Enough of a tool's result to see that it came back.
const MAX_RESULT_CHARS: usize = 200;

#[cfg(test)]
mod tests;
