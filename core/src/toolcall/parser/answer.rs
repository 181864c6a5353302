//! What the way of an answer through the proxy needs of a parser, beside pushing text.

use super::{State, ToolParser};
use crate::toolcall::lead::{Lead, after_blank, lead_any};
use crate::toolcall::out::{Keeps, Piece, Voice};

/// What ends calls in text, and is left over where a server has taken the call out.
const LEFTOVERS: &[&str] = &[
    "</tool_call>",
    "</tool_calls>",
    "</function>",
    "</function_calls>",
    "</seed:tool_call>",
    "</minimax:tool_call>",
    "</longcat_tool_call>",
    "</TOOLCALL>",
    "<tool_call|>",
    "<|/tool_call|>",
    "<|tool_call_end|>",
    "<|tool_calls_section_end|>",
    "<|tools_suffix|>",
    "<|END_ACTION|>",
    "<end_function_call>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁calls▁end｜>",
    "</｜DSML｜invoke>",
    "</｜DSML｜function_calls>",
    "</｜DSML｜tool_calls>",
    "<|call|>",
];

impl ToolParser {
    /// Keeps white space that a reader would not miss, but that a prompt which repeats the answer must have.
    pub(crate) fn keeping(mut self, keeps: Keeps) -> Self {
        self.flow.keeps = keeps;
        self.flow.leaves_open = true;
        self
    }

    /// Which voice text would have that can go out as it is: nothing waits, and no marker begins in it. The text is
    /// that of a JSON string; `None` where it has to be looked at.
    pub(crate) fn passes(&mut self, escaped: &str) -> Option<Voice> {
        if !self.pending.is_empty() || !matches!(self.state, State::Words) || !self.flow.flows() {
            return None;
        }
        let voice = self.flow.voice();
        let is_start = if voice == Voice::Text { self.at_start } else { self.may_reopen };
        if is_start || self.has_leftovers || self.live.may_begin(escaped.as_bytes()) {
            return None;
        }
        let last = escaped.chars().next_back()?;
        let is_escape = escaped.chars().nth_back(1) == Some('\\');
        let is_plain_end = !is_escape && (last.is_alphanumeric() || (last.is_ascii_punctuation() && last != '\\'));
        if voice == Voice::Thinking && !is_plain_end && self.flow.keeps != Keeps::All {
            return None; // white space at the end of a thought is kept back
        }
        // Behind an escape it is a letter; only quotation marks and blanks are told apart later.
        self.last = last;
        Some(voice)
    }

    /// The server tells thinking from text itself: the text ends none.
    pub(crate) fn expects_no_closer(&mut self) {
        self.closer_due = false;
    }

    /// What was taken for thinking is text from here on.
    pub(crate) fn gives_up_thinking(&mut self) {
        self.flow.turn_to(Voice::Text);
        self.closers.clear();
    }

    /// A call came by another way: what may have been the beginning of the same one is forgotten, and what is open is
    /// closed.
    pub(crate) fn interrupt(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        let is_call = match &self.state {
            State::Words => self.live.is_marker(self.pending.trim()),
            State::Payload { calls, .. } => self.flow.calls == *calls,
        };
        if is_call {
            (self.state, self.pending) = (State::Words, String::new());
        }
        self.advance(true, sink);
        self.state = State::Words;
        self.flow.release(sink);
        self.flow.interrupt();
        (self.at_start, self.has_leftovers) = (false, true);
        // Whatever was cut off here, it is not the end.
        self.flow.cut = false;
    }

    /// What stood around the thinking, if it stood in the text: its opener and its closer.
    pub(crate) fn thinking_pair(&self) -> Option<(&'static str, &'static str)> {
        self.pair.map(|pair| (pair.open, pair.close))
    }

    /// Thinking was ended that nothing had begun, so the prompt must have: what came before was thinking, too.
    pub(crate) fn met_stray_closer(&self) -> bool {
        self.stray_closer
    }

    /// The words that come now are thinking.
    pub(crate) fn is_thinking(&self) -> bool {
        self.flow.voice() == Voice::Thinking
    }

    /// A call was cut off: its arguments were closed as far as they came.
    pub(crate) fn was_cut(&self) -> bool {
        self.flow.cut
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.flow.calls
    }

    /// The end of a call that came by another way. `None` when there is nothing of it, `Some(None)` when more must come.
    pub(super) fn leftover(&mut self, rest: &str, end: bool) -> Option<Option<usize>> {
        let Some((blank, behind)) = after_blank(rest, end) else { return Some(None) };
        match lead_any(behind, LEFTOVERS, end) {
            Lead::Full(length) => Some(Some(blank + length)),
            Lead::Partial if !end => Some(None),
            _ => {
                self.has_leftovers = false;
                None
            }
        }
    }
}
