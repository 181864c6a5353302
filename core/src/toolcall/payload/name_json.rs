//! Calls as a name and an argument object, with markers around them.

use super::json_calls::skip;
use super::{Fate, Machine, Payload, Taken, run};
use crate::toolcall::arguments::Typed;
use crate::toolcall::json::{Dialect, Json};
use crate::toolcall::lead::{Found, Lead, MAX_NAME, after_blank, lead_any, may_name, scan_near};
use crate::toolcall::out::Out;
use crate::toolcall::schema::Tools;

/// What may stand on both sides of arguments.
const FENCE: &str = "```";

/// What stands around names and arguments.
#[derive(Clone, Copy, Debug)]
pub(in crate::toolcall) struct NameSpec {
    /// What may open a call, the first and those that follow.
    pub(in crate::toolcall) open: &'static [&'static str],
    /// The name in what stands before the arguments.
    pub(in crate::toolcall) name: fn(&str, &Tools) -> Option<String>,
    /// What may stand behind the arguments of a call.
    pub(in crate::toolcall) after: &'static [&'static str],
    /// What ends all calls.
    pub(in crate::toolcall) close: &'static [&'static str],
    /// How the arguments are written.
    pub(in crate::toolcall) dialect: Dialect,
    /// Only declared tools are called.
    pub(in crate::toolcall) declared: bool,
}

/// Reads the calls.
#[derive(Debug)]
pub(in crate::toolcall) struct NameJson {
    spec: NameSpec,
    state: State,
    /// A call was found: whatever follows is no text of the model any more.
    any: bool,
}

#[derive(Debug)]
pub(super) enum State {
    Name,
    Arguments(Box<(Json, Typed)>),
    After,
    Skip,
}

impl NameJson {
    /// Begins behind a marker.
    pub(in crate::toolcall) fn new(spec: NameSpec) -> Self {
        NameJson { spec, state: State::Name, any: false }
    }

    fn name(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let no_call = if self.any { Taken::over(0) } else { Taken::text(0) };
        let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
        match lead_any(behind, self.spec.open, end) {
            Lead::Full(length) => return Taken::more(blank + length),
            Lead::Partial if !end => return Taken::more(0),
            _ => {}
        }
        // Without arguments, what ends a call stands where they should.
        let mut stops = vec!["{"];
        stops.extend(self.spec.after.iter().chain(self.spec.close).filter(|stop| **stop != FENCE));
        let (at, which) = match scan_near(behind, &stops, end) {
            Found::At(at, which) if at <= MAX_NAME => (at, which),
            Found::Hold(at) if !end && at <= MAX_NAME => return Taken::more(0),
            Found::Hold(at) if end && at <= MAX_NAME => (at, 1),
            _ => return no_call,
        };
        let header = behind.get(..at).unwrap_or_default();
        let Some(name) = (self.spec.name)(header, out.tools).filter(|name| may_name(name)) else { return no_call };
        if self.spec.declared && !out.tools.declares(&name) {
            return no_call;
        }
        self.any = true;
        out.start(&name);
        if which == 0 {
            let typed = Typed::new(out.tools.properties(&name));
            self.state = State::Arguments(Box::new((Json::new(self.spec.dialect), typed)));
        } else {
            out.arguments("{}");
            out.end();
            self.state = State::After;
        }
        Taken::more(blank + at)
    }

    fn after(&mut self, rest: &str, end: bool) -> Taken {
        let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
        // What ends them all is looked at first: it may be longer than what ends one.
        for (markers, is_close) in [(self.spec.close, true), (self.spec.after, false)] {
            match lead_any(behind, markers, end) {
                Lead::Full(length) if is_close => return Taken::over(blank + length),
                Lead::Full(length) => return Taken::more(blank + length),
                Lead::Partial if !end => return Taken::more(0),
                _ => {}
            }
        }
        match lead_any(behind, self.spec.open, end) {
            Lead::Full(length) => {
                self.state = State::Name;
                Taken::more(blank + length)
            }
            Lead::Partial if !end => Taken::more(0),
            _ => Taken::over(0),
        }
    }
}

impl Machine for NameJson {
    type Mark = std::mem::Discriminant<State>;

    fn mark(&self) -> Self::Mark {
        std::mem::discriminant(&self.state)
    }

    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        match &mut self.state {
            State::Name => self.name(rest, end, out),
            State::Arguments(inside) => {
                let (json, typed) = &mut **inside;
                let read = json.read(rest, end, typed);
                if read.done {
                    let is_broken = json.is_broken();
                    json.close(typed);
                    typed.flush(out);
                    out.end();
                    self.state = if is_broken { State::Skip } else { State::After };
                } else {
                    typed.flush(out);
                }
                Taken::more(read.bytes)
            }
            State::After => self.after(rest, end),
            State::Skip if self.spec.after.is_empty() && self.spec.close.is_empty() => Taken::over(0),
            State::Skip => {
                let markers: Vec<&str> = self.spec.close.iter().chain(self.spec.after).copied().collect();
                let mut taken = skip(rest, &markers, end);
                if taken.fate == Fate::Over {
                    self.state = State::After;
                    taken.fate = Fate::Open;
                }
                taken
            }
        }
    }

    fn at_end(&mut self, out: &mut Out<'_>) -> Fate {
        if let State::Arguments(inside) = &mut self.state {
            let (json, typed) = &mut **inside;
            if out.closes_cut() {
                json.close(typed);
            }
            typed.flush(out);
            out.end_cut();
        }
        if self.any { Fate::Over } else { Fate::Text }
    }
}

impl Payload for NameJson {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        run(self, input, end, out)
    }
}
