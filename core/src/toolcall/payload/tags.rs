//! Calls as tags around a name, keys and values whose types only the schema tells.

use super::name_json::MAX_NAME;
use super::{Payload, Taken};
use crate::toolcall::arguments::Pairs;
use crate::toolcall::lead::{Lead, held, lead, lead_any, space};
use crate::toolcall::out::{Out, Piece};
use crate::toolcall::schema::Types;

/// The tags of a format.
#[derive(Clone, Copy, Debug)]
pub(in crate::toolcall) struct TagSpec {
    /// What opens a call, before its name; empty where the name stands right behind the marker.
    pub(in crate::toolcall) call: &'static str,
    /// What ends the name.
    pub(in crate::toolcall) name_end: &'static [&'static str],
    /// What stands before a key.
    pub(in crate::toolcall) key: &'static str,
    /// What ends a key. Attributes behind the key's own are read where the end is `>`.
    pub(in crate::toolcall) key_end: &'static str,
    /// What stands between a key and its value; white space may stand around it.
    pub(in crate::toolcall) value: &'static str,
    /// What ends a value.
    pub(in crate::toolcall) value_end: &'static [&'static str],
    /// What ends a call.
    pub(in crate::toolcall) call_end: &'static [&'static str],
    /// What ends them all; may be left out.
    pub(in crate::toolcall) close: &'static [&'static str],
    /// One line end on either side of a value is not its own.
    pub(in crate::toolcall) trims: bool,
}

/// Reads the calls.
#[derive(Debug)]
pub(in crate::toolcall) struct Tags {
    spec: TagSpec,
    state: State,
    /// The marker, until a call is known.
    taken: String,
    pairs: Pairs,
    in_call: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A call, or the end.
    Outside,
    Name,
    /// A key, or the end of the call.
    Inside,
    Key,
    BeforeValue,
    /// The first line end of a value has not been looked at.
    ValueStart,
    Value,
}

/// What a key's tag says beside the key.
fn types_of(attributes: &str) -> Option<Types> {
    let says = |text: &str| attributes.contains(text);
    let string = Types { string: true, ..Types::default() };
    if says("string=\"true\"") || says("type=\"string\"") {
        return Some(string);
    }
    // JSON, of whatever type.
    says("string=\"false\"").then_some(Types::default())
}

impl Tags {
    /// Begins behind a marker, which is `opener` in the text.
    pub(in crate::toolcall) fn new(spec: TagSpec, opener: &str) -> Self {
        let state = if spec.call.is_empty() { State::Name } else { State::Outside };
        Tags { spec, state, taken: opener.to_owned(), pairs: Pairs::default(), in_call: false }
    }

    /// Begins inside of a call's tag, whose name follows.
    pub(in crate::toolcall) fn at_name(spec: TagSpec, opener: &str) -> Self {
        Tags { state: State::Name, ..Tags::new(spec, opener) }
    }

    fn end_call(&mut self, out: &mut Out<'_>) {
        if std::mem::take(&mut self.in_call) {
            self.pairs.end(out);
            out.end();
        }
        self.state = State::Outside;
    }

    fn outside(&mut self, rest: &str, end: bool) -> Taken {
        let close = lead_any(rest, self.spec.close);
        if let Lead::Full(length) = close {
            return Taken::over(length);
        }
        let call = if self.spec.call.is_empty() { Lead::No } else { lead(rest, self.spec.call) };
        match call {
            Lead::Full(length) => {
                self.state = State::Name;
                Taken::more(length)
            }
            Lead::Partial if !end => Taken::more(0),
            _ if close == Lead::Partial && !end => Taken::more(0),
            _ => match lead_any(rest, self.spec.call_end) {
                // One closer too many.
                Lead::Full(length) => Taken::more(length),
                Lead::Partial if !end => Taken::more(0),
                _ => Taken::over(0),
            },
        }
    }

    fn name(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        // Where no tag stands before it, what follows the name ends it, and is read next.
        let is_bare = self.spec.call.is_empty();
        let found = self.spec.name_end.iter().filter_map(|end| Some((rest.find(end)?, end.len()))).min();
        let Some((at, length)) = found else {
            if end || rest.len() > MAX_NAME {
                return self.no_call(out);
            }
            return Taken::more(0);
        };
        let name = rest.get(..at).unwrap_or_default().trim().trim_matches(['"', '\'']);
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_name) {
            return self.no_call(out);
        }
        self.taken.clear();
        out.start(name);
        self.pairs = Pairs::new(out.tools.properties(name));
        self.in_call = true;
        self.state = State::Inside;
        Taken::more(if is_bare { at } else { at + length })
    }

    fn no_call(&mut self, out: &mut Out<'_>) -> Taken {
        (out.sink)(Piece::Text(&std::mem::take(&mut self.taken)));
        Taken::over(0)
    }

    fn inside(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        if let Lead::Full(length) = lead(rest, self.spec.key) {
            self.state = State::Key;
            return Taken::more(length);
        }
        if let Lead::Full(length) = lead_any(rest, self.spec.call_end) {
            let is_all = self.spec.close.is_empty();
            self.end_call(out);
            return Taken { bytes: length, over: is_all };
        }
        let ends = |markers: &[&str]| matches!(lead_any(rest, markers), Lead::Full(_));
        let next_call = !self.spec.call.is_empty() && ends(&[self.spec.call]);
        if ends(self.spec.close) || next_call {
            // Its own closer was left out.
            self.end_call(out);
            return Taken::more(0);
        }
        if !end && held(rest, self.markers()) == rest.len() {
            return Taken::more(0);
        }
        // Something else stands here: it says nothing.
        let next = rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at);
        let skipped = rest.get(next..).and_then(|behind| behind.find('<')).map_or(rest.len(), |at| at + next);
        Taken::more(skipped)
    }

    fn markers(&self) -> impl Iterator<Item = &'static str> + use<> {
        let one = [self.spec.key, self.spec.call];
        let lists = [self.spec.call_end, self.spec.close, self.spec.value_end];
        one.into_iter().chain(lists.into_iter().flatten().copied()).filter(|marker| !marker.is_empty())
    }

    fn key(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let Some(at) = rest.find(self.spec.key_end) else {
            if end || rest.len() > 4 * MAX_NAME {
                self.state = State::Inside;
            }
            return Taken::more(if end { rest.len() } else { 0 });
        };
        let inside = rest.get(..at).unwrap_or_default();
        let (key, attributes) = match inside.split_once('"') {
            Some((key, attributes)) if self.spec.key_end == ">" => (key, attributes),
            _ => (inside, ""),
        };
        self.pairs.key(key.trim(), types_of(attributes), out);
        self.state = if self.spec.value.is_empty() { State::ValueStart } else { State::BeforeValue };
        Taken::more(at + self.spec.key_end.len())
    }

    fn before_value(&mut self, rest: &str, end: bool) -> Taken {
        match lead(rest, self.spec.value) {
            Lead::Full(length) => {
                self.state = State::ValueStart;
                Taken::more(length)
            }
            Lead::Partial if !end => Taken::more(0),
            _ => {
                self.state = State::ValueStart;
                Taken::more(0)
            }
        }
    }

    fn value(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        // Its own closer, or what can only come behind it.
        let own = self.spec.value_end.iter().map(|marker| (*marker, true));
        let others = [self.spec.key].into_iter().chain(self.spec.call_end.iter().copied()).map(|marker| (marker, false));
        let found = own.chain(others).filter_map(|(marker, is_own)| Some((rest.find(marker)?, marker.len(), is_own)));
        if let Some((at, length, is_own)) = found.min_by_key(|(at, ..)| *at) {
            let text = rest.get(..at).unwrap_or_default();
            let text = if self.spec.trims { text.strip_suffix('\n').unwrap_or(text) } else { text };
            self.pairs.text(text, out);
            self.pairs.end_value(out);
            self.state = State::Inside;
            return Taken::more(if is_own { at + length } else { at });
        }
        let kept = if end { 0 } else { held(rest, self.markers()) };
        let text = rest.get(..rest.len() - kept).unwrap_or_default();
        // The last line end may be the one before the closer.
        let text = if self.spec.trims { text.strip_suffix('\n').unwrap_or(text) } else { text };
        self.pairs.text(text, out);
        if end {
            self.state = State::Inside;
            return Taken::more(rest.len());
        }
        Taken::more(text.len())
    }

    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let blank = space(rest);
        if blank > 0 && matches!(self.state, State::Outside | State::Inside | State::BeforeValue) {
            return Taken::more(blank);
        }
        match self.state {
            State::Outside => self.outside(rest, end),
            State::Name => self.name(rest, end, out),
            State::Inside => self.inside(rest, end, out),
            State::Key => self.key(rest, end, out),
            State::BeforeValue => self.before_value(rest, end),
            State::ValueStart => {
                self.state = State::Value;
                Taken::more(usize::from(self.spec.trims && rest.starts_with('\n')))
            }
            State::Value => self.value(rest, end, out),
        }
    }
}

impl Payload for Tags {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            if rest.is_empty() {
                if end {
                    if self.in_call {
                        self.end_call(out);
                    } else if self.state == State::Name {
                        self.no_call(out);
                    }
                }
                return Taken { bytes: at, over: end };
            }
            let before = self.state;
            let taken = self.step(rest, end, out);
            at += taken.bytes;
            if taken.over {
                return Taken::over(at);
            }
            if taken.bytes == 0 && before == self.state {
                if end && self.in_call {
                    self.end_call(out);
                }
                return Taken { bytes: at, over: end };
            }
        }
    }
}
