//! How the inside of a call is read, by the kinds of payloads that formats share.

mod call_object;
mod header;
mod json_calls;
mod name_json;
mod nested;
mod python;
mod tags;
mod whole;

use super::out::Out;

pub(super) use call_object::{CallRules, object};
pub(super) use header::{Header, HeaderSpec};
pub(super) use json_calls::{JsonCalls, JsonSpec};
pub(super) use name_json::{NameJson, NameSpec};
pub(super) use nested::{Nested, NestedSpec};
pub(super) use python::{Python, PythonSpec};
pub(super) use tags::{TagSpec, Tags};
pub(super) use whole::Whole;

/// The inside of one call, or of several behind one marker.
pub(super) trait Payload: std::fmt::Debug + Send {
    /// Takes from the front of `input`, as much as it can. `end` says that nothing more comes: then whatever is open
    /// is closed, and the payload is over.
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken;
}

/// What has become of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// More of it must come.
    Open,
    /// It is complete; what follows is text again.
    Over,
    /// It was no call: all of it is text, its marker too.
    Text,
}

/// How much a payload took, and what has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Bytes from the front.
    pub(super) bytes: usize,
    pub(super) fate: Fate,
}

impl Taken {
    pub(super) fn more(bytes: usize) -> Self {
        Taken { bytes, fate: Fate::Open }
    }

    pub(super) fn over(bytes: usize) -> Self {
        Taken { bytes, fate: Fate::Over }
    }

    pub(super) fn text(bytes: usize) -> Self {
        Taken { bytes, fate: Fate::Text }
    }
}

/// Steps of a machine that reads from the front of its input: they are taken until one has to wait or all is read.
trait Machine {
    /// What tells that a step led somewhere although it took nothing.
    type Mark: PartialEq;

    fn mark(&self) -> Self::Mark;

    /// Takes from the front of `rest`, which is empty only at the end.
    fn step(&mut self, rest: &str, end: bool, out: &mut Out<'_>) -> Taken;

    /// Nothing more comes, or nothing that helps.
    fn at_end(&mut self, out: &mut Out<'_>) -> Fate;
}

/// Takes all the steps that the input allows.
fn run(machine: &mut impl Machine, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
    let mut at = 0;
    loop {
        let rest = input.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Taken { bytes: at, fate: if end { machine.at_end(out) } else { Fate::Open } };
        }
        let (before, ended) = (machine.mark(), out.flow.ended);
        let taken = machine.step(rest, end, out);
        at += taken.bytes;
        // What follows a call may be no call: then it is text, from here on.
        if out.flow.ended > ended && at > 0 && taken.fate == Fate::Open {
            return Taken::more(at);
        }
        if taken.fate != Fate::Open {
            return Taken { bytes: at, fate: taken.fate };
        }
        if taken.bytes == 0 && before == machine.mark() {
            return Taken { bytes: at, fate: if end { machine.at_end(out) } else { Fate::Open } };
        }
    }
}
