//! Which markers are live for a parser.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::choice::Selection;
use super::format::{Format, Mark, Pair, THINK};
use super::formats;

/// Something that the scanner looks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// What may open a call or a message.
    Mark(&'static Mark),
    /// What opens thinking.
    Opens(Pair),
    /// What opens thinking at the start of a turn; elsewhere it is spoken of.
    Speaks,
    /// What ends thinking.
    Closes,
    /// The end of an answer that was wrapped.
    Unwraps,
}

/// The markers that a parser looks for.
#[derive(Debug)]
pub(super) struct Live {
    /// Markers with what they are; those of the first choice come first.
    targets: Vec<(&'static str, Target)>,
    /// The targets by the first two bytes of their markers.
    by_bytes: HashMap<[u8; 2], Vec<usize>>,
    firsts: Vec<bool>,
    /// What may stand at the start of an answer, without a marker.
    pub(super) bare: Vec<&'static Mark>,
    pub(super) pairs: Vec<Pair>,
    /// What ends thinking that the prompt opened.
    pub(super) closers: Vec<&'static str>,
    pub(super) wraps: Vec<Pair>,
}

/// A target in the text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// Where, and the first of the targets there.
    At(usize, &'static str),
    /// None up to here; behind it one may have begun.
    None(usize),
}

/// Those that were made so far, by their formats: few models are met, and few formats set.
static MADE: Mutex<Vec<(Key, Arc<Live>)>> = Mutex::new(Vec::new());

/// Names of the formats, whether no others are live, and whether there are tools.
type Key = (Vec<&'static str>, bool, bool);

/// The most of them that are kept; there are fewer sets of formats that models' names choose.
const MAX_MADE: usize = 128;

impl Live {
    /// The markers of formats that have been decided on: made once.
    pub(super) fn of(selection: &Selection, has_tools: bool) -> Arc<Self> {
        let key: Key = (selection.names(), selection.only(), has_tools);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, live)) = made.iter().find(|(known, _)| *known == key) {
            return Arc::clone(live);
        }
        let live = Arc::new(Live::new(selection.formats(), selection.only(), has_tools));
        if made.len() < MAX_MADE {
            made.push((key, Arc::clone(&live)));
        }
        live
    }

    /// Whether a marker may begin somewhere in the text of a JSON string.
    pub(super) fn may_begin(&self, escaped: &[u8]) -> bool {
        let mut bytes = escaped.iter();
        while let Some(byte) = bytes.next() {
            if self.firsts.get(usize::from(*byte)) == Some(&true) {
                return true;
            }
            // An escape may hold any character; the short ones hold blanks and marks that begin nothing.
            if *byte == b'\\' && bytes.next() == Some(&b'u') {
                return true;
            }
        }
        false
    }

    /// Whether a text is a marker that opens or closes something.
    pub(super) fn is_marker(&self, text: &str) -> bool {
        self.targets.iter().any(|(marker, _)| *marker == text)
    }

    /// The pair that a closer belongs to.
    pub(super) fn pair_of(&self, closer: &str) -> Option<Pair> {
        self.pairs.iter().find(|pair| pair.close == closer).copied()
    }

    /// The markers of these formats; with `only` no others are live.
    pub(super) fn new(chosen: &[&'static Format], only: bool, has_tools: bool) -> Self {
        let others =
            formats::ALL.iter().copied().filter(|format| !only && !chosen.iter().any(|one| one.name == format.name));
        let all: Vec<&'static Format> = chosen.iter().copied().chain(others).collect();
        let mut live = Live {
            targets: Vec::new(),
            by_bytes: HashMap::new(),
            firsts: vec![false; 256],
            bare: Vec::new(),
            pairs: Vec::new(),
            closers: Vec::new(),
            wraps: Vec::new(),
        };
        let is_chosen = |format: &Format| chosen.iter().any(|one| one.name == format.name);
        for format in &all {
            let marks = format.marks.iter().filter(|mark| has_tools || mark.is_structural());
            marks.for_each(|mark| live.add(mark.text, Target::Mark(mark)));
            for pair in format.thinking.iter().filter(|pair| !pair.prose || is_chosen(format)) {
                live.pair(*pair);
            }
            if is_chosen(format) {
                live.wraps.extend(format.wraps);
                live.closers.extend(format.thinking.iter().map(|pair| pair.close));
                let bare = format.bare.iter().filter(|mark| has_tools || mark.is_structural());
                for mark in bare {
                    if mark.text.is_empty() { live.bare.push(mark) } else { live.add(mark.text, Target::Mark(mark)) }
                }
            }
        }
        live.pair(THINK);
        if live.closers.is_empty() && chosen.is_empty() {
            live.closers = live.pairs.iter().map(|pair| pair.close).collect();
        } else {
            live.closers.push(THINK.close);
        }
        if chosen.is_empty() && has_tools {
            live.bare.extend(formats::WHOLE);
        }
        for wrap in live.wraps.clone() {
            live.add(wrap.close, Target::Unwraps);
        }
        live
    }

    fn pair(&mut self, pair: Pair) {
        if self.pairs.contains(&pair) {
            return;
        }
        self.pairs.push(pair);
        self.add(pair.open, if pair.anywhere { Target::Opens(pair) } else { Target::Speaks });
        self.add(pair.close, Target::Closes);
    }

    fn add(&mut self, text: &'static str, target: Target) {
        let &[first, second, ..] = text.as_bytes() else { return };
        if let Some(slot) = self.firsts.get_mut(usize::from(first)) {
            *slot = true;
        }
        self.by_bytes.entry([first, second]).or_default().push(self.targets.len());
        self.targets.push((text, target));
    }

    /// The first marker in `text`.
    pub(super) fn scan(&self, text: &str, end: bool) -> Seen {
        let bytes = text.as_bytes();
        let mut from = 0;
        loop {
            let rest = bytes.get(from..).unwrap_or_default();
            let Some(skipped) = rest.iter().position(|byte| self.firsts.get(usize::from(*byte)) == Some(&true)) else {
                return Seen::None(text.len());
            };
            let at = from + skipped;
            let Some(second) = bytes.get(at + 1) else { return Seen::None(if end { text.len() } else { at }) };
            let first = bytes.get(at).copied().unwrap_or_default();
            if let Some(indices) = self.by_bytes.get(&[first, *second]) {
                let rest = text.get(at..).unwrap_or_default();
                let mut found: Option<&'static str> = None;
                for (marker, _) in indices.iter().filter_map(|index| self.targets.get(*index)) {
                    // Of two markers at one place the longer one is meant.
                    if rest.starts_with(marker) {
                        if found.is_none_or(|longest| longest.len() < marker.len()) {
                            found = Some(marker);
                        }
                    } else if !end && marker.starts_with(rest) {
                        return Seen::None(at);
                    }
                }
                if let Some(marker) = found {
                    return Seen::At(at, marker);
                }
            }
            from = at + 1;
        }
    }

    /// What a marker may be.
    pub(super) fn targets(&self, marker: &str) -> Vec<Target> {
        self.targets.iter().filter(|(text, _)| *text == marker).map(|(_, target)| *target).collect()
    }
}
