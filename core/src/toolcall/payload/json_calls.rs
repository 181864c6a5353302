//! One call object, or a list of them, between markers.

use super::call_object::{CallObject, Ended};
use super::{Payload, Taken};
use crate::toolcall::lead::{Lead, lead, lead_any, space};
use crate::toolcall::out::{Out, Piece};

/// What stands around the objects.
#[derive(Clone, Copy, Debug)]
pub(in crate::toolcall) struct JsonSpec {
    /// Ends of the payload; left out by some models, and empty where a format has none.
    pub(in crate::toolcall) close: &'static [&'static str],
    /// Objects are `{"NAME": {arguments}}`.
    pub(in crate::toolcall) keyed: bool,
    /// Further objects may follow the first without a list around them.
    pub(in crate::toolcall) repeats: bool,
}

/// Reads the objects.
#[derive(Debug)]
pub(in crate::toolcall) struct JsonCalls {
    spec: JsonSpec,
    state: State,
    in_list: bool,
    fenced: bool,
    /// What was taken, marker and all, as long as no call is known: it may be text after all.
    taken: String,
    any: bool,
}

#[derive(Debug)]
enum State {
    Start,
    Object(Box<CallObject>),
    Between,
    /// Something that cannot be read: it goes with the end marker.
    Skip,
}

/// Fences that models put around JSON.
const FENCES: [&str; 3] = ["```json", "```JSON", "```"];

impl JsonCalls {
    /// Begins behind a marker, which is `opener` in the text.
    pub(in crate::toolcall) fn new(spec: JsonSpec, opener: &str) -> Self {
        JsonCalls { spec, state: State::Start, in_list: false, fenced: false, taken: opener.to_owned(), any: false }
    }

    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let blank = space(rest);
        if blank > 0 && !matches!(self.state, State::Object(_)) {
            return Taken::more(blank);
        }
        match &mut self.state {
            State::Start => self.start(rest, end, out),
            State::Object(object) => {
                let (bytes, ended) = object.read(rest, end, out);
                let started = object.has_started();
                self.any |= started;
                if started {
                    self.taken.clear();
                } else {
                    self.taken.push_str(rest.get(..bytes).unwrap_or_default());
                }
                match ended {
                    None => return Taken::more(bytes),
                    Some(_) if !started => {
                        // An object without a name is no call.
                        (out.sink)(Piece::Text(&std::mem::take(&mut self.taken)));
                        return Taken::over(bytes);
                    }
                    Some(Ended::Whole) => self.state = State::Between,
                    Some(Ended::Cut) => self.state = State::Skip,
                }
                if bytes == 0 { self.step(rest, end, out) } else { Taken::more(bytes) }
            }
            State::Between => self.between(rest, end),
            State::Skip => self.skip(rest, end),
        }
    }

    fn start(&mut self, rest: &str, end: bool, out: &Out<'_>) -> Taken {
        if rest.starts_with('{') {
            self.state = State::Object(Box::new(CallObject::new(self.spec.keyed, out.tools)));
            return Taken::more(0);
        }
        if rest.starts_with('[') && !self.in_list {
            self.in_list = true;
            self.taken.push('[');
            return Taken::more(1);
        }
        if rest.starts_with(']') && self.in_list {
            self.state = State::Between;
            return Taken::more(0);
        }
        match lead_any(rest, &FENCES) {
            Lead::Full(length) if !self.fenced => {
                // "```" may be the beginning of "```json".
                if length == 3 && rest.len() < 7 && !end && FENCES.iter().any(|fence| fence.starts_with(rest)) {
                    return Taken::more(0);
                }
                self.fenced = true;
                Taken::more(length)
            }
            Lead::Partial if !end => Taken::more(0),
            _ => self.close(rest, end),
        }
    }

    fn between(&mut self, rest: &str, end: bool) -> Taken {
        match rest.chars().next() {
            None => Taken::more(0),
            Some('{') if self.in_list || self.spec.repeats => {
                self.state = State::Start;
                Taken::more(0)
            }
            Some(',' | ';') if self.in_list || self.spec.repeats => {
                self.state = State::Start;
                Taken::more(1)
            }
            Some(']') if self.in_list => {
                self.in_list = false;
                Taken::more(1)
            }
            Some(_) => self.close(rest, end),
        }
    }

    /// The end marker, with a fence before it, if it comes; without one the payload is over as well.
    fn close(&mut self, rest: &str, end: bool) -> Taken {
        if self.fenced {
            match lead(rest, "```") {
                Lead::Full(length) => {
                    self.fenced = false;
                    return Taken::more(length);
                }
                Lead::Partial if !end => return Taken::more(0),
                _ => {}
            }
        }
        match lead_any(rest, self.spec.close) {
            Lead::Full(length) => Taken::over(length),
            Lead::Partial if !end => Taken::more(0),
            _ => Taken::over(0),
        }
    }

    fn skip(&mut self, rest: &str, end: bool) -> Taken {
        let found = self.spec.close.iter().filter_map(|close| Some((rest.find(close)?, close.len()))).min();
        match found {
            Some((at, length)) => Taken::over(at + length),
            None if self.spec.close.is_empty() => Taken::over(0),
            None if end => Taken::over(rest.len()),
            None => {
                let held = crate::toolcall::lead::held(rest, self.spec.close.iter().copied());
                Taken::more(rest.len() - held)
            }
        }
    }
}

impl Payload for JsonCalls {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            if rest.is_empty() && !end {
                return Taken::more(at);
            }
            let before = std::mem::discriminant(&self.state);
            let taken = if rest.is_empty() { self.at_end(out) } else { self.step(rest, end, out) };
            at += taken.bytes;
            if taken.over {
                return Taken::over(at);
            }
            if taken.bytes == 0 && before == std::mem::discriminant(&self.state) {
                return Taken { bytes: at, over: end };
            }
        }
    }
}

impl JsonCalls {
    /// Nothing more comes.
    fn at_end(&mut self, out: &mut Out<'_>) -> Taken {
        if let State::Object(object) = &mut self.state {
            let (_, _) = object.read("", true, out);
            self.any |= object.has_started();
        }
        if !self.any && !self.taken.is_empty() {
            (out.sink)(Piece::Text(&std::mem::take(&mut self.taken)));
        }
        Taken::over(0)
    }
}
