//! How the inside of a call is read, by the kinds of payloads that formats share.

mod call_object;
mod json_calls;
mod name_json;
mod tags;

use super::out::Out;

pub(super) use json_calls::{JsonCalls, JsonSpec};
pub(super) use name_json::{NameJson, NameSpec};
pub(super) use tags::{TagSpec, Tags};

/// The inside of one call, or of several behind one marker.
pub(super) trait Payload: std::fmt::Debug + Send {
    /// Takes from the front of `input`, as much as it can. `end` says that nothing more comes: then whatever is open
    /// is closed.
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken;
}

/// How much a payload took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Bytes from the front.
    pub(super) bytes: usize,
    /// The payload is over; what follows is text again.
    pub(super) over: bool,
}

impl Taken {
    pub(super) fn more(bytes: usize) -> Self {
        Taken { bytes, over: false }
    }

    pub(super) fn over(bytes: usize) -> Self {
        Taken { bytes, over: true }
    }
}
