//! What the way back must know of the way there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::class::RequestClass;
use super::offered_tools::OfferedTools;
use crate::ids::Seed;
use crate::prefix::PrefixReport;
use crate::recover::RecoveryPlan;
use crate::secret::Secrets;
use crate::session::{KnownTool, SessionKey};
use crate::toolcall::{Chosen, Selection};
use crate::wire::{ApiError, Dialect, JsonText};

/// What the converter of an answer must know about its request.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RequestContext {
    /// The model name that the client asked for; the answer carries it.
    pub model: String,
    /// The model name that the backend was sent.
    pub backend_model: String,
    /// The server has that model, as far as its list was at hand, or the user has named it.
    pub model_known: bool,
    /// The most tokens that prompt and answer may have together, if that is known.
    pub window: Option<u64>,
    /// The backend's registry word.
    pub backend: &'static str,
    /// The API by which the backend was asked, and in which it answers.
    pub dialect: Dialect,
    /// Makes the ids of the answer.
    pub seed: Seed,
    /// The conversation.
    pub session: SessionKey,
    /// What the request is for.
    pub class: RequestClass,
    /// What its prompt shares with those before it, as far as that is known before the answer.
    pub report: Option<Arc<PrefixReport>>,
    /// Prompt tokens, corrected by what the server counted before.
    pub estimated_input_tokens: u64,
    /// Prompt tokens by bytes alone.
    pub raw_estimate: u64,
    /// The client wants an event stream.
    pub stream: bool,
    /// The backend was asked for one.
    pub backend_stream: bool,
    /// The client has not switched thinking off.
    pub show_thinking: bool,
    /// The limit that the backend was sent.
    pub max_tokens: Option<u64>,
    /// Tool names that were changed.
    pub tool_names: ToolNames,
    /// The tools that are offered.
    pub(crate) tools: OfferedTools,
    /// How the answer is looked through for calls and thinking in its text.
    pub(crate) recovery: RecoveryPlan,
    /// What no error may repeat.
    pub(crate) secrets: Secrets,
}

impl RequestContext {
    /// The same for an answer to a request with these tools, definitions as the Messages API has them, by the model of
    /// this name: calls and thinking in the text are found. For requests that something else has translated.
    #[must_use]
    pub fn with_tools(mut self, tools: &[Value], model: &str) -> Self {
        let null = Value::Null;
        let known = |tool: &Value| {
            let schema = tool.get("input_schema").unwrap_or(&null).to_string();
            Some(Arc::new(KnownTool::new(tool.get("name")?.as_str()?, &schema)))
        };
        self.tools = tools.iter().filter_map(known).collect();
        self.recovery.selection = Selection::by_model(model);
        model.clone_into(&mut self.backend_model);
        self
    }

    /// The error without the secrets that the server may have repeated in it.
    pub(crate) fn masked(&self, mut error: ApiError) -> ApiError {
        if let Cow::Owned(masked) = self.secrets.mask(&error.message) {
            error.message = masked;
        }
        error
    }

    /// The formats that the answer's text is looked through for; `None` where it is passed on as it is.
    pub fn text_formats(&self) -> Option<Chosen> {
        (!self.recovery.off).then(|| self.recovery.selection.chosen())
    }

    /// A context for an answer whose request is not at hand.
    pub fn for_model(model: impl Into<String>) -> Self {
        RequestContext {
            model: model.into(),
            backend: "openai",
            stream: true,
            backend_stream: true,
            show_thinking: true,
            estimated_input_tokens: 1,
            ..Self::default()
        }
    }
}

/// Tool names as the backend knows them, with the client's name for each.
#[derive(Clone, Debug, Default)]
pub struct ToolNames {
    originals: Arc<HashMap<String, String>>,
}

/// The longest tool name of OpenAI's reference, in characters.
pub(crate) const MAX_NAME: usize = 64;

/// Characters of the hash that keeps shortened names apart.
const HASH_CHARS: usize = 8;

impl ToolNames {
    pub(crate) fn new(originals: HashMap<String, String>) -> Self {
        ToolNames { originals: Arc::new(originals) }
    }

    /// The client's name of a tool.
    pub(crate) fn original<'a>(&self, sent: &JsonText<'a>) -> JsonText<'a> {
        if self.originals.is_empty() {
            return sent.clone();
        }
        match self.originals.get(sent.decode().as_ref()) {
            Some(original) => JsonText::from_plain(original),
            None => sent.clone(),
        }
    }
}

/// The name that every backend takes for a tool: the name itself, or, when it is too long or holds
/// other characters than letters, digits, `_` and `-`, a form with a hash that depends on nothing else,
/// so that it is the same in every request.
pub(crate) fn backend_name(name: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(fits) {
        return None;
    }
    let hash = Sha256::digest(name.as_bytes());
    let kept = name.chars().take(MAX_NAME - HASH_CHARS - 1).map(|c| if fits(c) { c } else { '_' });
    let mut short: String = kept.chain(['_']).collect();
    for byte in hash.iter().take(HASH_CHARS / 2) {
        short.push_str(&format!("{byte:02x}"));
    }
    Some(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_odd_names_are_shortened_and_stay_apart() {
        assert_eq!(backend_name("mcp__server__tool-1"), None);
        let long = "mcp__".to_owned() + &"x".repeat(80);
        let (a, b) = (backend_name(&(long.clone() + "a")).unwrap(), backend_name(&(long + "b")).unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), MAX_NAME);
        assert!(backend_name("mcp.server/tool").unwrap().starts_with("mcp_server_tool_"));
    }
}
