//! Calls as tags around a name, keys and values whose types only the schema tells.

use super::{Fate, Machine, Payload, Taken, run};
use crate::toolcall::arguments::{Pairs, Typed};
use crate::toolcall::json::{Dialect, Json};
use crate::toolcall::lead::{Found, Lead, MAX_NAME, after_blank, lead, lead_any, may_name, scan, scan_near};
use crate::toolcall::out::Out;
use crate::toolcall::schema::Types;

/// The tags of a format.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::toolcall) struct TagSpec {
    /// What may stand before the first call, beside the marker.
    pub(in crate::toolcall) wrap: &'static [&'static str],
    /// What opens a call, before its name; the marker itself does where this is empty.
    pub(in crate::toolcall) call: &'static str,
    /// What ends the name; attributes may stand before it.
    pub(in crate::toolcall) name_end: &'static [&'static str],
    /// What stands before a key.
    pub(in crate::toolcall) key: &'static str,
    /// What ends a key; attributes may stand before it.
    pub(in crate::toolcall) key_end: &'static str,
    /// What stands between a key and its value, with whatever is around it.
    pub(in crate::toolcall) value: &'static str,
    /// What ends a value.
    pub(in crate::toolcall) value_end: &'static [&'static str],
    /// What ends a value whose end was left out; it is read next. The line end before it is part of it.
    pub(in crate::toolcall) value_cut: &'static [&'static str],
    /// What ends a call.
    pub(in crate::toolcall) call_end: &'static [&'static str],
    /// What may stand behind a call.
    pub(in crate::toolcall) after: &'static [&'static str],
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
    any: bool,
    pairs: Pairs,
    name: String,
    /// Something was skipped inside of the call: what follows is no object that holds all arguments.
    has_skipped: bool,
    body: Option<Box<(Json, Typed)>>,
    ends: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A call, or the end.
    Outside,
    Name,
    /// A key, or the end of the call.
    Inside,
    /// The arguments are one JSON object.
    Body,
    Key,
    BeforeValue,
    /// The first line end of a value has not been looked at.
    ValueStart,
    Value,
}

const CDATA: &str = "<![CDATA[";

impl Tags {
    /// Begins behind a marker.
    pub(in crate::toolcall) fn new(spec: TagSpec) -> Self {
        let state = if spec.call.is_empty() { State::Name } else { State::Outside };
        let pairs = Pairs::default();
        Tags {
            spec,
            state,
            any: false,
            pairs,
            name: String::new(),
            has_skipped: false,
            body: None,
            ends: spec.value_end,
        }
    }

    /// Begins behind what opens a call, whose name follows.
    pub(in crate::toolcall) fn at_name(spec: TagSpec) -> Self {
        Tags { state: State::Name, ..Tags::new(spec) }
    }

    fn no_call(&self) -> Taken {
        if self.any { Taken::over(0) } else { Taken::text(0) }
    }

    fn end_call(&mut self, out: &mut Out<'_>) {
        self.pairs.end(out);
        out.end();
        self.state = State::Outside;
    }

    fn outside(&mut self, rest: &str, end: bool) -> Taken {
        let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
        let mut markers = vec![self.spec.call];
        markers.extend(self.spec.wrap.iter().chain(self.spec.after).chain(self.spec.call_end).chain(self.spec.close));
        markers.retain(|marker| !marker.is_empty());
        match lead_any(behind, &markers, end) {
            Lead::Full(length) => {
                let marker = behind.get(..length).unwrap_or_default();
                if self.spec.close.contains(&marker) {
                    return Taken::over(blank + length);
                }
                if marker == self.spec.call || (self.spec.call.is_empty() && self.spec.wrap.contains(&marker)) {
                    self.state = State::Name;
                }
                Taken::more(blank + length)
            }
            Lead::Partial if !end => Taken::more(0),
            _ => self.no_call(),
        }
    }

    fn name(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
        // Where no tag ends the name, what follows it does, and is read next.
        let mut markers: Vec<&str> = self.spec.name_end.to_vec();
        let consumed = markers.len();
        if self.spec.call.is_empty() {
            markers.push(self.spec.key);
            markers.extend(self.spec.call_end);
        }
        let (at, length) = match scan_near(behind, &markers, end) {
            Found::At(at, which) if at <= MAX_NAME => {
                (at, if which < consumed { markers.get(which).map_or(0, |marker| marker.len()) } else { 0 })
            }
            Found::Hold(at) if !end && at <= MAX_NAME => return Taken::more(0),
            Found::Hold(at) if self.spec.call.is_empty() && out.tools.declares(behind.trim()) => (at, 0),
            _ => return self.no_call(),
        };
        let head = behind.get(..at).unwrap_or_default().trim();
        let (head, is_closed) = head.strip_suffix('/').map_or((head, false), |head| (head.trim_end(), true));
        let name = head.trim_start_matches(['"', '\'']).split(['"', '\'']).next().unwrap_or_default().trim();
        if !may_name(name) {
            return self.no_call();
        }
        self.any = true;
        name.clone_into(&mut self.name);
        out.start(name);
        self.pairs = Pairs::new(out.tools.properties(name));
        (self.state, self.has_skipped) = (State::Inside, false);
        if is_closed {
            self.end_call(out);
        }
        Taken::more(blank + at + length)
    }

    fn inside(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
        if behind.starts_with('{') && self.pairs.is_empty() && !self.has_skipped {
            let typed = Typed::new(out.tools.properties(&self.name));
            self.body = Some(Box::new((Json::new(Dialect::default()), typed)));
            self.state = State::Body;
            return Taken::more(blank);
        }
        let mut markers = vec![self.spec.key, self.spec.call];
        markers.extend(self.spec.call_end.iter().chain(self.spec.after).chain(self.spec.close));
        markers.retain(|marker| !marker.is_empty());
        match scan(behind, &markers, end) {
            // What stands between says nothing.
            Found::Hold(0) => Taken::more(0),
            Found::Hold(at) => {
                self.has_skipped = true;
                Taken::more(blank + at)
            }
            Found::At(at, which) => {
                let marker = markers.get(which).copied().unwrap_or_default();
                if marker == self.spec.key {
                    self.state = State::Key;
                    return Taken::more(blank + at + marker.len());
                }
                self.end_call(out);
                // Where its own closer was left out, the next marker is read outside.
                let own = self.spec.call_end.contains(&marker);
                let is_all =
                    own && self.spec.close.is_empty() && self.spec.call.is_empty() && self.spec.after.is_empty();
                let taken = blank + at + if own { marker.len() } else { 0 };
                if is_all { Taken::over(taken) } else { Taken::more(taken) }
            }
        }
    }

    fn body(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let Some(body) = &mut self.body else { return Taken::over(0) };
        let (json, typed) = &mut **body;
        let read = json.read(rest, end, typed);
        typed.flush(out);
        if read.done {
            json.close(typed);
            typed.flush(out);
            out.end();
            self.body = None;
            self.state = State::Outside;
        }
        Taken::more(read.bytes)
    }

    fn key(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let at = match scan_near(rest, &[self.spec.key_end], end) {
            Found::At(at, _) if at <= MAX_NAME => at,
            Found::Hold(at) if at <= MAX_NAME => return Taken::more(0),
            _ => {
                self.state = State::Inside;
                return Taken::more(0);
            }
        };
        let inside = rest.get(..at).unwrap_or_default();
        let (key, attributes) = match inside.split_once('"') {
            Some((key, attributes)) if self.spec.key.ends_with('"') => (key, attributes),
            _ => (inside.trim_matches(['"', '\'']), ""),
        };
        self.pairs.key(key.trim(), types_of(attributes), out);
        self.state = if self.spec.value.is_empty() { State::ValueStart } else { State::BeforeValue };
        Taken::more(at + self.spec.key_end.len())
    }

    fn before_value(&mut self, rest: &str, end: bool) -> Taken {
        match scan_near(rest, &[self.spec.value], end) {
            Found::At(at, _) if at <= MAX_NAME => {
                self.state = State::ValueStart;
                Taken::more(at + self.spec.value.len())
            }
            Found::Hold(at) if !end && at <= MAX_NAME => Taken::more(0),
            _ => {
                self.state = State::ValueStart;
                Taken::more(0)
            }
        }
    }

    fn value_start(&mut self, rest: &str, end: bool) -> Taken {
        self.ends = self.spec.value_end;
        match lead(rest, CDATA) {
            Lead::Partial if !end => return Taken::more(0),
            Lead::Full(length) => {
                self.ends = &["]]>"];
                self.state = State::Value;
                return Taken::more(length);
            }
            _ => self.state = State::Value,
        }
        // An empty value has one line end at most, which is read with its end.
        let line = usize::from(self.spec.trims && rest.starts_with('\n'));
        Taken::more(line)
    }

    fn value(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let mut markers: Vec<&str> = self.ends.to_vec();
        let own = markers.len();
        markers.extend(self.spec.value_cut);
        let trim =
            |text: &'_ str| if self.spec.trims { text.strip_suffix('\n').unwrap_or(text).len() } else { text.len() };
        match scan(rest, &markers, end) {
            Found::At(at, which) => {
                let kept = trim(rest.get(..at).unwrap_or_default());
                self.pairs.text(rest.get(..kept).unwrap_or_default(), out);
                self.pairs.end_value(out);
                self.state = State::Inside;
                Taken::more(at + if which < own { markers.get(which).map_or(0, |marker| marker.len()) } else { 0 })
            }
            Found::Hold(at) => {
                // The last line end may be the one before the closer.
                let kept = trim(rest.get(..at).unwrap_or_default());
                self.pairs.text(rest.get(..kept).unwrap_or_default(), out);
                Taken::more(if end { at } else { kept })
            }
        }
    }
}

/// What a key's tag says beside the key.
fn types_of(attributes: &str) -> Option<Types> {
    let says = |text: &str| attributes.contains(text);
    if says("string=\"true\"") || says("type=\"string\"") {
        return Some(Types { string: true, ..Types::default() });
    }
    // JSON, of whatever type.
    (says("string=\"false\"") || says("type=\"")).then(Types::default)
}

impl Machine for Tags {
    type Mark = State;

    fn mark(&self) -> State {
        self.state
    }

    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        match self.state {
            State::Outside => self.outside(rest, end),
            State::Name => self.name(rest, end, out),
            State::Inside => self.inside(rest, end, out),
            State::Body => self.body(rest, end, out),
            State::Key => self.key(rest, end, out),
            State::BeforeValue => self.before_value(rest, end),
            State::ValueStart => self.value_start(rest, end),
            State::Value => self.value(rest, end, out),
        }
    }

    fn at_end(&mut self, out: &mut Out<'_>) -> Fate {
        match self.state {
            State::Outside | State::Name => {}
            State::Body => {
                if let Some(mut body) = self.body.take() {
                    if out.closes_cut() {
                        body.0.close(&mut body.1);
                    }
                    body.1.flush(out);
                    out.end_cut();
                }
            }
            State::Key | State::BeforeValue | State::ValueStart | State::Value => {
                if out.closes_cut() {
                    out.flow.cut = true;
                    self.end_call(out);
                } else {
                    out.end_cut();
                }
            }
            // Only end tags are missing.
            State::Inside => self.end_call(out),
        }
        self.state = State::Outside;
        if self.any { Fate::Over } else { Fate::Text }
    }
}

impl Payload for Tags {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        run(self, input, end, out)
    }
}
