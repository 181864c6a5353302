//! What a conversation needs remembered: a bounded table keyed by session and agent.

mod estimate;
mod pins;
mod spoken;
mod table;
mod tool_list;

pub(crate) use estimate::Estimate;
pub(crate) use pins::{Pinning, Pins};
pub(crate) use spoken::{Spoken, SpokenTurn};
pub(crate) use table::{Asked, Before, Leaves, SessionTable};
pub(crate) use tool_list::{KnownTool, ToolList};

/// The most conversations remembered. Claude Code makes one for itself and one a subagent; a day's
/// work of one person stays far below.
pub const MAX_SESSIONS: usize = 512;

/// Conversations idle for longer are forgotten, in milliseconds (a day).
pub(crate) const SESSION_IDLE_MS: u64 = 24 * 60 * 60 * 1000;

/// The most bytes kept of what one answer says, and of what it thinks; longer ones are not kept at all.
pub(crate) const MAX_KEPT_TEXT_BYTES: usize = 256 << 10;

/// The most bytes of arguments kept of one call; longer ones are not kept at all.
pub(crate) const MAX_KEPT_ARGUMENT_BYTES: usize = 256 << 10;

/// Which conversation a request belongs to: the client's session id and, for subagents, agent id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// `x-claude-code-session-id`, or whatever names the conversation; empty when nothing does.
    pub session: String,
    /// `x-claude-code-agent-id`; empty for the main agent.
    pub agent: String,
}

impl SessionKey {
    /// Reads the headers of a request; `header` gives the value of one by its name in lower case.
    pub fn from_headers(header: impl Fn(&str) -> Option<String>) -> Self {
        let name = |name| header(name).unwrap_or_default();
        SessionKey { session: name("x-claude-code-session-id"), agent: name("x-claude-code-agent-id") }
    }
}

/// Milliseconds since the Unix epoch, passed in by the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// What one turn produced.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TurnRecord {
    /// Why the turn ended; `None` when it broke.
    pub stop_reason: Option<&'static str>,
    /// Prompt tokens that were read anew.
    pub input_tokens: u64,
    /// Prompt tokens that the server's cache held.
    pub cache_read_input_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// The server counted the prompt; otherwise the figures are estimates.
    pub exact_usage: bool,
    /// The server told how much of the prompt its cache held; otherwise that is not known to be nothing.
    pub cache_told: bool,
    /// What was estimated for the prompt before any correction.
    pub estimated_input_tokens: u64,
    /// The calls that were made.
    pub tool_calls: Vec<ToolCallRecord>,
    /// How long the server read before it said anything, in milliseconds, where somebody has measured it.
    pub prefill_ms: Option<u64>,
    /// What was said, escaped as in JSON; empty when it was too long to keep.
    pub(crate) text: String,
    /// What was thought, likewise.
    pub(crate) thinking: String,
    /// The text as it came, calls and thinking in it included, where the next prompt repeats it so; escaped.
    pub(crate) came: String,
    /// What the answer has shown of its model.
    pub(crate) found: crate::recover::Found,
}

/// A call as the client was told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolCallRecord {
    /// The id that the client got.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them; empty when they were too long to keep.
    pub arguments: String,
    /// The arguments as the client got them, where they were made to fit their tool.
    fitted: Option<String>,
    too_long: bool,
}

impl ToolCallRecord {
    pub(crate) fn new(id: String, name: String) -> Self {
        ToolCallRecord { id, name, ..Self::default() }
    }

    /// The arguments that the client got, unless they were too long to keep.
    #[cfg(feature = "schemas")]
    pub(crate) fn whole_arguments(&self) -> Option<&str> {
        (!self.too_long).then(|| self.fitted.as_ref().unwrap_or(&self.arguments).as_str())
    }

    /// The model wrote the arguments otherwise than the client got them.
    pub(crate) fn written(&mut self, arguments: &str) {
        self.fitted = Some(std::mem::replace(&mut self.arguments, arguments.to_owned()));
    }

    pub(crate) fn push_arguments(&mut self, text: &str) {
        self.too_long |= self.arguments.len() + text.len() > MAX_KEPT_ARGUMENT_BYTES;
        if self.too_long {
            self.arguments = String::new();
        } else {
            self.arguments.push_str(text);
        }
    }
}

/// Text that is kept unless it grows too long.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptText {
    text: String,
    too_long: bool,
}

impl KeptText {
    pub(crate) fn push(&mut self, text: &str) {
        self.too_long |= self.text.len() + text.len() > MAX_KEPT_TEXT_BYTES;
        if self.too_long {
            self.text = String::new();
        } else {
            self.text.push_str(text);
        }
    }

    /// The text; empty when it was too long.
    pub(crate) fn get(&self) -> &str {
        &self.text
    }
}
