//! What a translator learns from a server's refusals.

use super::backend_error::RefusedParameter;
use super::context::RequestContext;
use super::relax::Hostile;
use super::request::{Translator, lock, starting_quirks};
use crate::backend::{MaxTokensKey, ReasoningParameter, ToolChoiceForm};
use crate::wire::Dialect;

impl Translator {
    /// Forgets what the server has refused.
    pub fn forget(&self) {
        lock(&self.habits).forget();
        *lock(&self.quirks) = starting_quirks(&self.spec, self.options.dialect);
        *lock(&self.hostile) = Hostile::default();
    }

    /// Learns that the server's grammar engine breaks on the schema of a tool that a request offered; which one, no
    /// server says. True when the next translation will differ: those that hold what engines are known to break on,
    /// such as regular expressions and large bounds, are sent without from now on. The model's calls are still
    /// checked against the client's own.
    pub fn learn_schemas(&self, context: &RequestContext) -> bool {
        lock(&self.hostile).learn(context.tools.iter().map(|(_, schema)| schema))
    }

    /// Learns that the server refuses a parameter; true when the next translation will differ.
    pub fn learn(&self, refused: RefusedParameter) -> bool {
        let mut quirks = lock(&self.quirks);
        let before = *quirks;
        match refused {
            RefusedParameter::ReasoningEffort | RefusedParameter::ChatTemplateKwargs => {
                quirks.reasoning = ReasoningParameter::None;
            }
            RefusedParameter::StreamOptions => quirks.stream_usage = false,
            RefusedParameter::ParallelToolCalls => quirks.parallel_tool_calls = false,
            RefusedParameter::ToolChoice => {
                // Servers that take no object mostly take the words.
                quirks.tool_choice = match quirks.tool_choice {
                    ToolChoiceForm::Reference if self.options.dialect == Dialect::Chat => ToolChoiceForm::Words,
                    _ => ToolChoiceForm::None,
                };
            }
            RefusedParameter::ResponseFormat => quirks.response_format = false,
            RefusedParameter::Temperature => quirks.temperature = false,
            RefusedParameter::TopP => quirks.top_p = false,
            RefusedParameter::TopK => quirks.top_k = false,
            RefusedParameter::Stop => quirks.max_stop = 0,
            RefusedParameter::MaxTokens => quirks.max_tokens = MaxTokensKey::MaxCompletionTokens,
            RefusedParameter::MaxCompletionTokens => quirks.max_tokens = MaxTokensKey::MaxTokens,
            // What a model cannot take is known of that model, not of the server: see `RequestMeta::models`. Of
            // schemas it matters which: see `learn_schemas`.
            RefusedParameter::Images | RefusedParameter::Tools | RefusedParameter::ToolSchema => {}
        }
        *quirks != before
    }
}
