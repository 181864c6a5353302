//! How an answer is to be looked through.

use crate::toolcall::{Keeps, Selection, ToolParser};
use crate::translate::OfferedTools;

/// How an answer is to be looked through, as far as the request and its model decide it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecoveryPlan {
    /// The text is passed on as it is.
    pub(crate) off: bool,
    /// The formats that are looked for.
    pub(crate) selection: Selection,
    /// The prompt ends in the marker that opens thinking, and the server leaves the thinking in the text.
    pub(crate) prompt_opens_thinking: bool,
    /// That is a guess, by what the template or earlier answers show.
    pub(crate) is_guess: bool,
    /// The next prompt repeats the text as it came: calls, or thinking, go back in it.
    pub(crate) keeps_text: bool,
}

impl RecoveryPlan {
    /// The parser of the text.
    pub(super) fn parser(&self, tools: &OfferedTools) -> Option<ToolParser> {
        let typed = tools.typed().clone();
        (!self.off).then(|| ToolParser::with(&self.selection, typed, self.prompt_opens_thinking).keeping(Keeps::Text))
    }

    /// The parser of thinking that the server has told from text.
    pub(super) fn thinking_parser(&self, tools: &OfferedTools) -> Option<ToolParser> {
        let typed = tools.typed().clone();
        (!self.off).then(|| ToolParser::with(&self.selection, typed, true).keeping(Keeps::All))
    }
}
