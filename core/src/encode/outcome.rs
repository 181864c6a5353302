//! How an answer ended, in the client's terms.

use crate::event::Stop;
use crate::translate::RequestContext;
use crate::translate::estimate::tokens_of_output;
use crate::wire::json::Object;
use crate::wire::openai::Usage;

/// Stop reason and token counts of a finished answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) stop_reason: &'static str,
    pub(crate) stop_sequence: Option<String>,
    pub(crate) tokens: TokenCounts,
}

/// Token counts as Anthropic tells them: the three input figures are disjoint and add up to the prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenCounts {
    pub(crate) input: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_creation: u64,
    pub(crate) output: u64,
    /// The backend counted; otherwise these are estimates.
    pub(crate) exact: bool,
    /// The backend told what its cache held.
    pub(crate) cache_told: bool,
}

impl Outcome {
    /// The stop reason follows the blocks that were sent, not the backend's word for it: a client that
    /// reads `tool_use` without a call, or `end_turn` with one, gets stuck.
    ///
    /// `was_cut` tells that a call ended in the middle of its arguments, whatever the backend says.
    pub(crate) fn new(
        stop: Option<&Stop>,
        tools: u64,
        calls_complete: bool,
        was_cut: bool,
        tokens: TokenCounts,
    ) -> Self {
        let cut = matches!(stop, Some(Stop::Length)) || was_cut;
        let (stop_reason, stop_sequence) = match stop {
            _ if tools > 0 && (!cut || calls_complete) => ("tool_use", None),
            Some(Stop::Length) => ("max_tokens", None),
            _ if was_cut => ("max_tokens", None),
            Some(Stop::Refusal) => ("refusal", None),
            Some(Stop::Sequence(sequence)) => ("stop_sequence", Some(sequence.clone())),
            Some(Stop::End) | None => ("end_turn", None),
        };
        Outcome { stop_reason, stop_sequence, tokens }
    }

    /// Writes `stop_reason` and `stop_sequence`.
    pub(crate) fn push_stop(&self, object: &mut Object<'_>) {
        object.plain("stop_reason", self.stop_reason);
        match &self.stop_sequence {
            Some(sequence) => object.plain("stop_sequence", sequence),
            None => object.json("stop_sequence", "null"),
        };
    }
}

impl TokenCounts {
    /// What is known before the backend has counted.
    pub(crate) fn estimated(context: &RequestContext) -> Self {
        TokenCounts { input: context.estimated_input_tokens.max(1), output: 1, ..Self::default() }
    }

    /// The backend's figures, with estimates where it gave none.
    pub(crate) fn new(usage: &Usage, context: &RequestContext, output_bytes: u64) -> Self {
        let prompt = usage.prompt_tokens.filter(|&tokens| tokens > 0);
        let total = prompt.unwrap_or(context.estimated_input_tokens).max(1);
        let cache_read = usage.cached_tokens.unwrap_or(0).min(total);
        let cache_creation = usage.cache_write_tokens.unwrap_or(0).min(total - cache_read);
        TokenCounts {
            input: total - cache_read - cache_creation,
            cache_read,
            cache_creation,
            output: usage.completion_tokens.unwrap_or_else(|| tokens_of_output(output_bytes)),
            exact: prompt.is_some(),
            cache_told: usage.cached_tokens.is_some(),
        }
    }

    pub(crate) fn push(&self, out: &mut Vec<u8>) {
        let mut usage = Object::begin(out);
        usage.number("input_tokens", self.input).number("cache_creation_input_tokens", self.cache_creation);
        usage.number("cache_read_input_tokens", self.cache_read).number("output_tokens", self.output);
        usage.end();
    }
}
