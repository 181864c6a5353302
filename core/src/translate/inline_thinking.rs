//! Thinking of earlier answers, back in the text where it came from.

use super::conversation::{Conversation, Turn};
use super::request::{Translator, lock};
use crate::backend::{Model, Quirks, ThinkingHistory};
use crate::wire::{Dialect, JsonText};

/// What stands around thinking in text: an opener and a closer.
pub(super) type Pair = (&'static str, &'static str);

/// What most templates look for.
const THINK: Pair = ("<think>", "</think>");

impl Translator {
    /// What earlier thinking is put between, where the model gets it in the text: its template looks for it only
    /// there, or the server has no field for it and has left it there.
    pub(super) fn inline_thinking(&self, name: &str, facts: Option<&Model>, quirks: &Quirks) -> Option<Pair> {
        if self.options.dialect != Dialect::Chat {
            return None;
        }
        let seen = lock(&self.habits).of(name).thinking;
        match (quirks.thinking_history, facts.and_then(|model| model.thinking_field)) {
            (_, Some(false)) => Some(seen.unwrap_or(THINK)),
            (ThinkingHistory::Drop, _) => seen,
            (ThinkingHistory::Field(_), _) => None,
        }
    }
}

/// Puts the thinking of each answer ahead of its text.
pub(super) fn apply(conversation: &mut Conversation<'_>, (open, close): Pair) {
    // Tags of one word stand on lines of their own, as the models write them.
    let (before, behind, gap) = if close.starts_with("</") { ("\n", "\n", "\n\n") } else { ("", "", "") };
    for turn in &mut conversation.turns {
        let Turn::Assistant(turn) = turn else { continue };
        if turn.thinking.is_empty() {
            continue;
        }
        let thinking = std::mem::take(&mut turn.thinking);
        if let Some(came) = turn.came.take_if(|_| turn.calls.is_empty()) {
            turn.text = vec![came];
            continue;
        }
        let join = |texts: &[JsonText<'_>]| {
            texts.iter().map(|text| text.decode().into_owned()).collect::<Vec<_>>().join("\n\n")
        };
        let (thinking, text) = (join(&thinking), join(&turn.text));
        let (thinking, text) = (thinking.trim_matches('\n'), text.trim_start_matches('\n'));
        turn.text = vec![JsonText::from_plain(&format!("{open}{before}{thinking}{behind}{close}{gap}{text}"))];
    }
}
