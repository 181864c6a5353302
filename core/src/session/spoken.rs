//! What the model has said, as it said it: replayed where the client's echo differs in form only.
//!
//! Claude Code drops blank text and normalises the arguments of calls before it sends them back. The server
//! has cached the tokens that it generated itself, so a prompt with anything else in their place is read anew
//! from there on.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::TurnRecord;
use crate::wire::JsonText;

/// The most bytes kept of one conversation: some hundred turns with a file each.
const MAX_BYTES: usize = 1 << 20;

/// The most turns kept of one conversation.
const MAX_TURNS: usize = 512;

/// Characters by which an answer without calls is looked for.
const KEY_CHARS: usize = 128;

/// The answers of one conversation, the newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoken {
    turns: VecDeque<Arc<SpokenTurn>>,
    /// The number of the turn that stands first.
    first: u64,
    by_call: HashMap<Box<str>, u64>,
    /// Turns that say the same, the oldest first.
    by_text: HashMap<u64, VecDeque<u64>>,
    bytes: usize,
}

/// One answer.
#[derive(Debug, Default)]
pub(crate) struct SpokenTurn {
    /// Its text, as one.
    pub(crate) text: JsonText<'static>,
    /// Its thinking, as one.
    pub(crate) thinking: JsonText<'static>,
    /// Ids of its calls, each with its arguments as the model wrote them.
    calls: Vec<(Box<str>, Arc<str>)>,
    /// All of it as one text, as it came, where it goes back so; empty otherwise.
    pub(crate) came: JsonText<'static>,
    /// What the client was shown as thinking was the text, and is not sent twice.
    pub(crate) is_no_thought: bool,
    key: Option<u64>,
}

impl SpokenTurn {
    fn new(turn: &TurnRecord) -> Self {
        // One form of escapes, whatever the server's was.
        let normal = |text: &str| JsonText::from_plain(&JsonText::escaped(text).decode());
        let call = |call: &super::ToolCallRecord| (call.id.as_str().into(), call.arguments.trim().into());
        let text = normal(&turn.text);
        SpokenTurn {
            key: key(std::slice::from_ref(&text)),
            text,
            thinking: normal(&turn.thinking),
            came: normal(&turn.came),
            is_no_thought: turn.found.was_no_thought,
            calls: turn.tool_calls.iter().map(call).collect(),
        }
    }

    fn bytes(&self) -> usize {
        let calls: usize = self.calls.iter().map(|(id, arguments)| 2 * id.len() + arguments.len() + 128).sum();
        self.text.as_escaped().len() + self.thinking.as_escaped().len() + self.came.as_escaped().len() + calls + 256
    }

    /// The arguments of a call, as the model wrote them; `None` where they were not kept.
    pub(crate) fn arguments(&self, id: &str) -> Option<&Arc<str>> {
        self.calls.iter().find(|(known, _)| **known == *id).map(|(_, arguments)| arguments).filter(|a| !a.is_empty())
    }

    /// Whether it made as many calls.
    pub(crate) fn has_calls(&self, count: usize) -> bool {
        self.calls.len() == count
    }
}

impl Spoken {
    /// Adds an answer; the oldest go when there are too many.
    pub(crate) fn push(&mut self, turn: &TurnRecord) {
        if turn.text.is_empty() && turn.thinking.is_empty() && turn.tool_calls.is_empty() {
            return;
        }
        let turn = SpokenTurn::new(turn);
        let number = self.first + self.turns.len() as u64;
        for (id, _) in &turn.calls {
            self.by_call.insert(id.clone(), number);
        }
        if let Some(key) = turn.key {
            self.by_text.entry(key).or_default().push_back(number);
        }
        self.bytes += turn.bytes();
        self.turns.push_back(Arc::new(turn));
        while self.turns.len() > MAX_TURNS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.turns.pop_front() else { break };
            self.bytes -= oldest.bytes();
            for (id, _) in &oldest.calls {
                if self.by_call.get(id) == Some(&self.first) {
                    self.by_call.remove(id);
                }
            }
            if let Some((key, turns)) = oldest.key.and_then(|key| Some((key, self.by_text.get_mut(&key)?))) {
                turns.pop_front();
                if turns.is_empty() {
                    self.by_text.remove(&key);
                }
            }
            self.first += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The answer that made a call, and its number.
    pub(crate) fn with_call(&self, id: &str) -> Option<(u64, &SpokenTurn)> {
        self.get(*self.by_call.get(id)?)
    }

    /// The answer without calls that said this, blanks aside, and its number. Models say the same more than once:
    /// the first one behind the answer with the number `behind` is taken.
    pub(crate) fn with_text(&self, texts: &[JsonText<'_>], behind: Option<u64>) -> Option<(u64, &SpokenTurn)> {
        let turns = self.by_text.get(&key(texts)?)?;
        let from = behind.map_or(0, |behind| turns.partition_point(|number| *number <= behind));
        let mut said = turns.range(from..).filter_map(|number| self.get(*number));
        said.find(|(_, turn)| turn.calls.is_empty() && turn.says(texts))
    }

    fn get(&self, number: u64) -> Option<(u64, &SpokenTurn)> {
        let turn = self.turns.get(usize::try_from(number.checked_sub(self.first)?).ok()?)?;
        Some((number, turn))
    }
}

impl SpokenTurn {
    /// Whether its text is this one, but for blanks at its ends and where it was cut into blocks: within a block
    /// they may mean something.
    pub(crate) fn says(&self, texts: &[JsonText<'_>]) -> bool {
        if let [one] = texts
            && one.as_escaped() == self.text.as_escaped()
        {
            return true;
        }
        let said = self.text.decode();
        let mut left = said.trim();
        for text in texts {
            let Some(rest) = left.strip_prefix(text.decode().trim()) else { return false };
            left = rest.trim_start();
        }
        left.is_empty()
    }
}

fn letters<'t>(texts: &'t [JsonText<'_>]) -> impl Iterator<Item = char> + 't {
    texts.iter().flat_map(JsonText::chars).filter(|c| !c.is_whitespace())
}

/// What a text is looked for by; `None` for a blank one.
fn key(texts: &[JsonText<'_>]) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    let mut count = 0;
    for letter in letters(texts).take(KEY_CHARS) {
        letter.hash(&mut hasher);
        count += 1;
    }
    (count > 0).then(|| hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::ToolCallRecord;

    fn turn(text: &str, calls: &[(&str, &str)]) -> TurnRecord {
        let call = |(id, arguments): &(&str, &str)| {
            let mut call = ToolCallRecord::new((*id).to_owned(), "Bash".to_owned());
            call.push_arguments(arguments);
            call
        };
        TurnRecord { text: text.to_owned(), tool_calls: calls.iter().map(call).collect(), ..TurnRecord::default() }
    }

    #[test]
    fn answers_are_found_by_their_calls_and_by_their_words() {
        let mut spoken = Spoken::default();
        spoken.push(&turn(r"\n\nI l\u006fok.\n", &[("toolu_1", r#"{"a": 1}"#)]));
        spoken.push(&turn(r"All done.\n", &[]));
        let (number, look) = spoken.with_call("toolu_1").unwrap();
        assert_eq!((number, look.arguments("toolu_1").unwrap().as_ref()), (0, r#"{"a": 1}"#));
        assert_eq!(look.text.as_escaped(), r"\n\nI look.\n");
        let (number, found) =
            spoken.with_text(&[JsonText::escaped("All"), JsonText::escaped(r" done.")], None).unwrap();
        assert_eq!((number, found.text.as_escaped()), (1, r"All done.\n"));
        for other in ["All gone.", "All done", "", "I look.", "All  done.", "Alldone."] {
            assert!(spoken.with_text(&[JsonText::escaped(other)], None).is_none(), "{other}");
        }
        spoken.push(&turn(r"\nAll done.", &[]));
        let again = |behind| spoken.with_text(&[JsonText::escaped("All done.")], behind).map(|(number, _)| number);
        assert_eq!((again(None), again(Some(0)), again(Some(1)), again(Some(2))), (Some(1), Some(1), Some(2), None));
        assert!(spoken.with_call("toolu_2").is_none());
    }

    #[test]
    fn a_conversation_is_bounded() {
        let mut spoken = Spoken::default();
        for number in 0..MAX_TURNS + 88 {
            spoken.push(&turn(&format!("Answer {number}."), &[(&format!("toolu_{number}"), "{}")]));
        }
        assert_eq!((spoken.turns.len(), spoken.by_call.len(), spoken.by_text.len()), (MAX_TURNS, MAX_TURNS, MAX_TURNS));
        assert!(spoken.with_call("toolu_87").is_none() && spoken.with_call("toolu_88").is_some());
        for number in 0..20 {
            spoken.push(&turn(&"x".repeat(100_000), &[(&format!("big_{number}"), "{}")]));
        }
        assert!(spoken.bytes <= MAX_BYTES && spoken.turns.len() < 20, "{}", spoken.turns.len());
        assert_eq!(spoken.by_text.len(), 1, "all of them say the same");
    }
}
