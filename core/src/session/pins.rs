//! Lines that are kept as a session saw them first, by rules of the user's.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::wire::JsonText;

/// The most lines that are pinned in one session.
const MAX_LINES: usize = 64;

/// The longest line that is pinned, in bytes.
const MAX_LINE: usize = 4 << 10;

/// The pinned lines of a session: by rule, and by how often the rule has fitted before in the same request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pins {
    lines: HashMap<(usize, usize), Box<str>>,
}

/// Applies the rules to one request.
#[derive(Debug)]
pub(crate) struct Pinning<'r> {
    /// What pinned lines begin with, blanks aside.
    rules: &'r [String],
    pins: Cow<'r, Pins>,
    met: HashMap<usize, usize>,
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
        let lines: Vec<Cow<'_, str>> = plain.split('\n').map(|line| self.line(line, &mut changed)).collect();
        changed.then(|| JsonText::from_plain(&lines.join("\n")))
    }

    fn line<'l>(&mut self, line: &'l str, changed: &mut bool) -> Cow<'l, str> {
        let begins = |rule: &String| !rule.is_empty() && line.trim_start().starts_with(rule.as_str());
        let Some(rule) = self.rules.iter().position(begins) else { return Cow::Borrowed(line) };
        let met = self.met.entry(rule).or_default();
        let place = (rule, *met);
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
        // Words in the middle of a line are no rule's.
        assert!(Pinning::new(&rules, &pins).apply(&JsonText::escaped("I know: Today is Sunday")).is_none());
    }
}
