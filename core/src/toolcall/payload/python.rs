//! Calls as Python writes them: `f(a="x", n=3)`.

use super::{Fate, Machine, Payload, Taken, run};
use crate::toolcall::arguments::Typed;
use crate::toolcall::json::{Dialect, Json, JsonSink, Kind};
use crate::toolcall::lead::{Lead, MAX_NAME, after_blank, is_name, lead_any};
use crate::toolcall::out::Out;

/// What stands around the calls.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::toolcall) struct PythonSpec {
    /// What ends them all; may be left out.
    pub(in crate::toolcall) close: &'static [&'static str],
    /// The calls stand in brackets.
    pub(in crate::toolcall) brackets: bool,
    /// Only declared tools are called.
    pub(in crate::toolcall) declared: bool,
}

/// Reads the calls.
#[derive(Debug)]
pub(in crate::toolcall) struct Python {
    spec: PythonSpec,
    state: State,
    in_list: bool,
    any: bool,
    typed: Typed,
    json: Option<Json>,
    has_any: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Start,
    Name,
    Key,
    Value,
    AfterValue,
    After,
}

/// Puts a value in its place as a member of the arguments.
struct Member<'t>(&'t mut Typed);

impl JsonSink for Member<'_> {
    fn key(&mut self, depth: usize, key: &str) {
        self.0.key(depth + 1, key);
    }
    fn begin(&mut self, depth: usize, kind: Kind) {
        self.0.begin(depth + 1, kind);
    }
    fn text(&mut self, depth: usize, json: &str) {
        self.0.text(depth + 1, json);
    }
    fn end(&mut self, depth: usize) {
        self.0.end(depth + 1);
    }
}

impl Python {
    /// Begins behind a marker.
    pub(in crate::toolcall) fn new(spec: PythonSpec) -> Self {
        let (state, typed) = (State::Start, Typed::default());
        Python { spec, state, in_list: false, any: false, typed, json: None, has_any: false }
    }

    fn no_call(&self) -> Taken {
        if self.any { Taken::over(0) } else { Taken::text(0) }
    }

    fn end_call(&mut self, out: &mut Out<'_>) {
        self.typed.text(0, if self.has_any { "}" } else { "{}" });
        self.typed.flush(out);
        out.end();
        self.state = State::After;
    }

    fn name(&mut self, blank: usize, behind: &str, end: bool, out: &mut Out<'_>) -> Taken {
        // A comma may stand behind the last call, too.
        if self.in_list && self.any && behind.starts_with(']') {
            (self.in_list, self.state) = (false, State::After);
            return Taken::more(blank + 1);
        }
        let at = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
        if at == behind.len() && !end && at <= MAX_NAME {
            return Taken::more(0);
        }
        let name = behind.get(..at).unwrap_or_default();
        if name.is_empty() || !behind.get(at..).unwrap_or_default().starts_with('(') {
            return self.no_call();
        }
        if self.spec.declared && !out.tools.declares(name) {
            return self.no_call();
        }
        self.any = true;
        out.start(name);
        self.typed = Typed::new(out.tools.properties(name));
        (self.has_any, self.state) = (false, State::Key);
        Taken::more(blank + at + 1)
    }

    fn key(&mut self, blank: usize, behind: &str, end: bool, out: &mut Out<'_>) -> Taken {
        if behind.starts_with(')') {
            self.end_call(out);
            return Taken::more(blank + 1);
        }
        let at = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
        let name = behind.get(..at).unwrap_or_default();
        let Some((more, sign)) = after_blank(behind.get(at..).unwrap_or_default(), end) else {
            return if at > MAX_NAME { self.broken(out) } else { Taken::more(0) };
        };
        if name.is_empty() || !sign.starts_with('=') {
            return self.broken(out);
        }
        let opening = if std::mem::replace(&mut self.has_any, true) { "," } else { "{" };
        self.typed.text(0, opening);
        self.typed.key(1, name);
        self.typed.text(0, &format!("{}:", serde_json::Value::from(name)));
        self.json = Some(Json::new(Dialect::default()));
        self.state = State::Value;
        Taken::more(blank + at + more + 1)
    }

    /// Something that is no call of Python's.
    fn broken(&mut self, out: &mut Out<'_>) -> Taken {
        if self.spec.declared {
            // Its calls were held back: all of it is text.
            return Taken::text(0);
        }
        self.end_call(out);
        Taken::over(0)
    }

    fn value(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let Some(json) = &mut self.json else { return Taken::over(0) };
        let mut member = Member(&mut self.typed);
        let read = json.read(rest, end, &mut member);
        let is_broken = json.is_broken();
        if read.done {
            if is_broken {
                close_value(json, &mut self.typed);
            }
            self.json = None;
            self.state = State::AfterValue;
        }
        self.typed.flush(out);
        if is_broken && self.spec.declared { Taken::text(read.bytes) } else { Taken::more(read.bytes) }
    }

    fn after(&mut self, blank: usize, behind: &str, end: bool) -> Taken {
        match behind.chars().next() {
            Some(',' | ';') if self.in_list || !self.spec.brackets => {
                self.state = State::Name;
                return Taken::more(blank + 1);
            }
            Some(']') if self.in_list => {
                self.in_list = false;
                return Taken::more(blank + 1);
            }
            _ => {}
        }
        match lead_any(behind, self.spec.close, end) {
            Lead::Full(length) => Taken::over(blank + length),
            Lead::Partial if !end => Taken::more(0),
            _ if !self.spec.brackets && behind.starts_with(is_name) => {
                self.state = State::Name;
                Taken::more(0)
            }
            _ => Taken::over(0),
        }
    }
}

/// Closes a value that was cut; one that never began is nothing.
fn close_value(json: &mut Json, typed: &mut Typed) {
    if json.has_begun() {
        json.close(&mut Member(typed));
    } else {
        typed.begin(1, Kind::Null);
        typed.text(1, "null");
        typed.end(1);
    }
}

impl Machine for Python {
    type Mark = (State, bool);

    fn mark(&self) -> Self::Mark {
        (self.state, self.in_list)
    }

    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        if self.state == State::Value {
            return self.value(rest, end, out);
        }
        let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
        match self.state {
            State::Start if behind.starts_with('[') => {
                (self.in_list, self.state) = (true, State::Name);
                Taken::more(blank + 1)
            }
            State::Start => {
                self.state = State::Name;
                Taken::more(blank)
            }
            State::Name => self.name(blank, behind, end, out),
            State::Key => self.key(blank, behind, end, out),
            State::AfterValue if behind.starts_with([',', ')']) => {
                self.state = State::Key;
                Taken::more(blank + usize::from(behind.starts_with(',')))
            }
            State::AfterValue => self.broken(out),
            State::After => self.after(blank, behind, end),
            State::Value => Taken::more(0),
        }
    }

    fn at_end(&mut self, out: &mut Out<'_>) -> Fate {
        let is_open = matches!(self.state, State::Key | State::Value | State::AfterValue);
        if is_open && !out.closes_cut() {
            self.typed.flush(out);
            out.end_cut();
            return Fate::Over;
        }
        if let Some(mut json) = self.json.take() {
            close_value(&mut json, &mut self.typed);
        }
        if is_open {
            out.flow.cut = true;
            self.end_call(out);
        }
        if self.any { Fate::Over } else { Fate::Text }
    }
}

impl Payload for Python {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        run(self, input, end, out)
    }
}
