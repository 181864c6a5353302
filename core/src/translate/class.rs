//! What a request is for: the dialogue itself, a subagent's, or something on the side.
//!
//! Claude Code tells by headers where it was asked to; elsewhere the shape of the request tells.
//! Source: the client's gateway documentation, and what it was seen to send.

use std::fmt;

use serde::Serialize;

use crate::wire::anthropic::MessagesRequest;
use crate::wire::blocks::{Block, Content};

/// What a request is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestClass {
    /// The user's dialogue.
    #[default]
    Main,
    /// A subagent's dialogue.
    Subagent,
    /// A step of a workflow.
    Workflow,
    /// The summary that takes the place of a long dialogue.
    Compaction,
    /// The judgement whether a tool may run.
    Classifier,
    /// A title, a topic, a short summary.
    Title,
    /// A web search by the server.
    WebSearch,
    /// A question of one token: whether the server is there, or how long the prompt is.
    Probe,
    /// Something else on the side.
    Auxiliary,
}

impl RequestClass {
    /// Its word in logs, traces and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            RequestClass::Main => "main",
            RequestClass::Subagent => "subagent",
            RequestClass::Workflow => "workflow",
            RequestClass::Compaction => "compaction",
            RequestClass::Classifier => "classifier",
            RequestClass::Title => "title",
            RequestClass::WebSearch => "web_search",
            RequestClass::Probe => "probe",
            RequestClass::Auxiliary => "auxiliary",
        }
    }

    /// It has a prompt of its own beside the dialogue in whose name it is sent.
    pub fn is_side(self) -> bool {
        !matches!(self, RequestClass::Main | RequestClass::Subagent | RequestClass::Workflow | RequestClass::Compaction)
    }
}

impl fmt::Display for RequestClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the client's headers tell of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hints {
    /// `x-claude-code-request-class`.
    pub class: Option<String>,
    /// `x-claude-code-agent-type`.
    pub agent_type: Option<String>,
    /// `x-claude-code-compaction`: this request makes the summary.
    pub compaction: bool,
    /// `x-claude-code-context-compacted`: the dialogue before it is gone.
    pub compacted: bool,
    /// `anthropic-beta`.
    pub betas: Option<String>,
}

impl Hints {
    /// Reads the headers of a request; `header` gives the value of one by its name in lower case.
    pub fn from_headers(header: impl Fn(&str) -> Option<String>) -> Self {
        Hints {
            class: header("x-claude-code-request-class"),
            agent_type: header("x-claude-code-agent-type"),
            compaction: header("x-claude-code-compaction").is_some_and(|how| is_compaction(&how)),
            compacted: header("x-claude-code-context-compacted").is_some_and(|how| is_compaction(&how)),
            betas: header("anthropic-beta"),
        }
    }
}

/// How a dialogue comes to be compacted.
fn is_compaction(how: &str) -> bool {
    matches!(how, "auto" | "manual" | "reactive")
}

/// The beta that Claude Code names in requests for a summary, and in no others.
const COMPACTION_BETA: &str = "fallback-credit-";

/// Ends of the classifier's answers.
const VERDICTS: [&str; 2] = ["</block>", "</severity>"];

/// What Claude Code names in all of its requests.
const CLAUDE_CODE_BETA: &str = "claude-code-";

/// What a request is for, by the client's hints, or else by its shape.
pub(crate) fn classify(request: &MessagesRequest<'_>, hints: &Hints, is_agent: bool) -> RequestClass {
    let has_beta = |name: &str| hints.betas.as_deref().is_some_and(|betas| betas.contains(name));
    let by_shape = || side(request, has_beta(CLAUDE_CODE_BETA));
    match hints.class.as_deref() {
        _ if hints.compaction => RequestClass::Compaction,
        Some("main") => RequestClass::Main,
        Some("subagent") => RequestClass::Subagent,
        Some("workflow") => RequestClass::Workflow,
        Some("compaction") => RequestClass::Compaction,
        Some("auxiliary") => by_shape().unwrap_or(RequestClass::Auxiliary),
        _ if has_beta(COMPACTION_BETA) => RequestClass::Compaction,
        _ => by_shape().unwrap_or(if is_agent { RequestClass::Subagent } else { RequestClass::Main }),
    }
}

/// What a request on the side is for; `None` for one that could be a turn of a dialogue.
fn side(request: &MessagesRequest<'_>, is_claude_code: bool) -> Option<RequestClass> {
    if request.stop_sequences.iter().any(|stop| VERDICTS.iter().any(|verdict| stop.is(verdict))) {
        return Some(RequestClass::Classifier);
    }
    // A dialogue has answers.
    if request.messages.iter().any(|message| message.role.is("assistant")) {
        return None;
    }
    let is_search = |kind: &str| kind.starts_with("web_search");
    match request.tools.as_slice() {
        [tool] if tool.kind.as_ref().is_some_and(|kind| is_search(kind.as_escaped())) => {
            return Some(RequestClass::WebSearch);
        }
        [] => {}
        _ => return None,
    }
    if request.max_tokens == Some(1) {
        return Some(RequestClass::Probe);
    }
    // Claude Code's dialogues have tools, other programs' may be about titles.
    let asks_title = request.system.as_ref().is_some_and(|system| mentions(system, "title"));
    (is_claude_code && asks_title).then_some(RequestClass::Title)
}

/// Whether a text says a word.
fn mentions(content: &Content<'_>, word: &str) -> bool {
    let says = |text: &str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    match content {
        Content::Text(text) => says(text.as_escaped()),
        Content::Blocks(blocks) => {
            blocks.iter().any(|block| matches!(block, Block::Text(text) if says(text.as_escaped())))
        }
    }
}
