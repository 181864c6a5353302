//! One call object, or a list of them, between markers.

use super::call_object::{CallObject, CallRules, Progress};
use super::{Fate, Machine, Payload, Taken, run};
use crate::toolcall::lead::{Found, Lead, after_blank, lead, lead_any, scan};
use crate::toolcall::out::Out;

/// What stands around the objects.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::toolcall) struct JsonSpec {
    /// Ends of the payload; left out by some models, and empty where a format has none.
    pub(in crate::toolcall) close: &'static [&'static str],
    /// What the objects may be.
    pub(in crate::toolcall) rules: CallRules,
    /// Further objects may follow the first without a list around them.
    pub(in crate::toolcall) repeats: bool,
    /// What stands before the objects, up to and with this.
    pub(in crate::toolcall) head: &'static str,
}

impl JsonSpec {
    /// One object, with nothing around it.
    pub(in crate::toolcall) const NONE: Self =
        JsonSpec { close: &[], rules: CallRules::NONE, repeats: false, head: "" };
}

/// Reads the objects.
#[derive(Debug)]
pub(in crate::toolcall) struct JsonCalls {
    spec: JsonSpec,
    state: State,
    in_list: bool,
    fenced: bool,
    /// A list or an object was there.
    any: bool,
    /// An object was there.
    has_object: bool,
}

#[derive(Debug)]
pub(super) enum State {
    Head,
    Start,
    Object(Box<CallObject>),
    Between,
    /// Something that cannot be read: it goes with the end marker.
    Skip,
}

/// Fences that models put around JSON.
const FENCES: [&str; 3] = ["```json", "```JSON", "```"];

impl JsonCalls {
    /// Begins behind a marker.
    pub(in crate::toolcall) fn new(spec: JsonSpec) -> Self {
        let state = if spec.head.is_empty() { State::Start } else { State::Head };
        JsonCalls { spec, state, in_list: false, fenced: false, any: false, has_object: false }
    }

    fn start(&mut self, rest: &str, end: bool, out: &Out<'_>) -> Taken {
        let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
        match behind.chars().next() {
            Some('{') => {
                (self.any, self.has_object) = (true, true);
                self.state = State::Object(Box::new(CallObject::new(self.spec.rules, out.tools)));
                return Taken::more(blank);
            }
            Some('[') if !self.in_list => {
                (self.in_list, self.any) = (true, true);
                return Taken::more(blank + 1);
            }
            Some(']') if self.in_list => {
                self.state = State::Between;
                return Taken::more(blank);
            }
            _ => {}
        }
        match lead_any(behind, &FENCES, end) {
            Lead::Full(length) if !self.fenced && !self.in_list => {
                self.fenced = true;
                Taken::more(blank + length)
            }
            Lead::Partial if !end => Taken::more(0),
            _ if !self.any => Taken::text(0),
            _ => self.close(rest, blank, end),
        }
    }

    fn between(&mut self, rest: &str, end: bool) -> Taken {
        let Some((blank, behind)) = after_blank(rest, end) else { return Taken::more(0) };
        let goes_on = self.in_list || self.spec.repeats;
        match behind.chars().next() {
            Some('{') if goes_on => {
                self.state = State::Start;
                Taken::more(blank)
            }
            Some(',') if self.in_list => {
                self.state = State::Start;
                Taken::more(blank + 1)
            }
            Some(';') if self.spec.repeats => match after_blank(behind.get(1..).unwrap_or_default(), end) {
                None => Taken::more(0),
                Some((more, next)) if next.starts_with('{') => {
                    self.state = State::Start;
                    Taken::more(blank + 1 + more)
                }
                // The last of a list of calls may have one, too.
                Some((_, "")) => Taken::over(blank + 1),
                Some(_) => Taken::over(0),
            },
            Some(']') if self.in_list => {
                self.in_list = false;
                Taken::more(blank + 1)
            }
            _ => self.close(rest, blank, end),
        }
    }

    /// The end marker, with a fence before it, if it comes; without one the payload is over as well.
    fn close(&mut self, rest: &str, blank: usize, end: bool) -> Taken {
        let behind = rest.get(blank..).unwrap_or_default();
        if self.fenced {
            match lead(behind, "```") {
                Lead::Full(length) => {
                    self.fenced = false;
                    return Taken::more(blank + length);
                }
                Lead::Partial if !end => return Taken::more(0),
                _ => {}
            }
        }
        match lead_any(behind, self.spec.close, end) {
            Lead::Full(length) => Taken::over(blank + length),
            Lead::Partial if !end => Taken::more(0),
            _ => Taken::over(0),
        }
    }
}

impl Machine for JsonCalls {
    type Mark = (std::mem::Discriminant<State>, bool);

    fn mark(&self) -> Self::Mark {
        (std::mem::discriminant(&self.state), self.in_list)
    }

    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        match &mut self.state {
            State::Head => match rest.find(self.spec.head) {
                Some(at) => {
                    self.state = State::Start;
                    Taken::more(at + self.spec.head.len())
                }
                None => Taken::more(0),
            },
            State::Start => self.start(rest, end, out),
            State::Object(object) => {
                let (bytes, progress) = object.read(rest, end, out);
                match progress {
                    Progress::Open => {}
                    Progress::NoCall => return Taken::text(bytes),
                    Progress::Whole => self.state = State::Between,
                    Progress::Cut if self.spec.close.is_empty() => return Taken::over(bytes),
                    Progress::Cut => self.state = State::Skip,
                }
                Taken::more(bytes)
            }
            State::Between => self.between(rest, end),
            State::Skip => skip(rest, self.spec.close, end),
        }
    }

    fn at_end(&mut self, out: &mut Out<'_>) -> Fate {
        match &mut self.state {
            State::Object(object) => match object.read("", true, out).1 {
                Progress::NoCall => Fate::Text,
                _ => Fate::Over,
            },
            State::Head | State::Start if !self.any => Fate::Text,
            _ => Fate::Over,
        }
    }
}

impl Payload for JsonCalls {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let taken = run(self, input, end, out);
        // An empty list calls nothing. Without a marker of its own it is what the model has to say.
        if taken.fate == Fate::Over && self.spec.rules.declared && !self.has_object {
            return Taken::text(taken.bytes);
        }
        taken
    }
}

/// Leaves out what cannot be read, up to and with an end marker.
pub(super) fn skip(rest: &str, close: &[&str], end: bool) -> Taken {
    match scan(rest, close, end) {
        Found::At(at, which) => Taken::over(at + close.get(which).map_or(0, |marker| marker.len())),
        Found::Hold(at) => Taken::more(at),
    }
}
