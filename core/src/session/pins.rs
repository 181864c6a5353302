//! Lines that are kept as a conversation saw them first, by rules of the user's.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::wire::JsonText;

/// The most lines that are pinned in one conversation.
const MAX_LINES: usize = 16;

/// The longest line that is pinned, in bytes.
const MAX_LINE: usize = 1 << 10;

/// The pinned lines of a conversation, by their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pins {
    lines: HashMap<Place, Box<str>>,
}

/// A line's place: its rule, the line before it, and how often both were met before in the same request.
type Place = (usize, Box<str>, usize);

/// Applies the rules to one request.
#[derive(Debug)]
pub(crate) struct Pinning<'r> {
    /// What pinned lines begin with, blanks aside.
    rules: &'r [String],
    pins: Cow<'r, Pins>,
    met: HashMap<(usize, Box<str>), usize>,
}

impl<'r> Pinning<'r> {
    pub(crate) fn new(rules: &'r [String], pins: &'r Pins) -> Self {
        Pinning { rules, pins: Cow::Borrowed(pins), met: HashMap::new() }
    }

    /// The text with its pinned lines; `None` where nothing changes.
    pub(crate) fn apply(&mut self, text: &JsonText<'_>) -> Option<JsonText<'static>> {
        if self.rules.is_empty() {
            return None;
        }
        let plain = text.decode();
        if !self.rules.iter().any(|rule| plain.contains(rule.as_str())) {
            return None;
        }
        let mut changed = false;
        let mut lines: Vec<Cow<'_, str>> = Vec::new();
        for line in plain.split('\n') {
            let before = lines.last().cloned().unwrap_or_default();
            lines.push(self.line(line, &before, &mut changed));
        }
        changed.then(|| JsonText::from_plain(&lines.join("\n")))
    }

    fn line<'l>(&mut self, line: &'l str, before: &str, changed: &mut bool) -> Cow<'l, str> {
        let begins = |rule: &String| !rule.is_empty() && line.trim_start().starts_with(rule.as_str());
        let Some(rule) = self.rules.iter().position(begins) else { return Cow::Borrowed(line) };
        let before: Box<str> = before.chars().take(MAX_LINE / 4).collect();
        let met = self.met.entry((rule, before.clone())).or_default();
        let place = (rule, before, *met);
        *met += 1;
        match self.pins.lines.get(&place) {
            Some(pinned) if **pinned == *line => Cow::Borrowed(line),
            Some(pinned) => {
                *changed = true;
                Cow::Owned(pinned.to_string())
            }
            None => {
                if self.pins.lines.len() < MAX_LINES && line.len() <= MAX_LINE {
                    self.pins.to_mut().lines.insert(place, line.into());
                }
                Cow::Borrowed(line)
            }
        }
    }

    /// What is pinned now, if that is more than before.
    pub(crate) fn into_new(self) -> Option<Pins> {
        match self.pins {
            Cow::Borrowed(_) => None,
            Cow::Owned(pins) => Some(pins),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_as_they_were_first() {
        let rules = vec!["Today is".to_owned()];
        let none = Pins::default();
        let mut first = Pinning::new(&rules, &none);
        let monday = JsonText::escaped(r"Hello\n  Today is Monday.\nToday is fine.");
        assert!(first.apply(&monday).is_none());
        let pins = first.into_new().unwrap();
        let mut second = Pinning::new(&rules, &pins);
        let tuesday = JsonText::escaped(r"Hello\n  Today is Tuesday.\nToday is fine.\nBut today is not");
        let pinned = second.apply(&tuesday).unwrap();
        assert_eq!(pinned.as_escaped(), r"Hello\n  Today is Monday.\nToday is fine.\nBut today is not");
        assert!(second.into_new().is_none());
        // A line more above it is another place for what follows it, and no other line's.
        let moved = JsonText::escaped(r"Today is new.\nHello\n  Today is Tuesday.");
        let pinned = Pinning::new(&rules, &pins).apply(&moved).unwrap();
        assert_eq!(pinned.as_escaped(), r"Today is new.\nHello\n  Today is Monday.");
        // Words in the middle of a line are no rule's.
        assert!(Pinning::new(&rules, &pins).apply(&JsonText::escaped("I know: Today is Sunday")).is_none());
    }
}
