//! What a translation dropped, renamed or clamped.

use std::fmt;

use crate::error::shown;

/// One thing that the backend is not told as the client said it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// What was done.
    pub kind: NoteKind,
    /// What it was done to: a key, a tool, a block.
    pub what: String,
    /// Why, or what it became.
    pub why: String,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteKind {
    /// Left out.
    Dropped,
    /// Sent under another name.
    Renamed,
    /// Sent as a smaller value.
    Clamped,
    /// Sent as text in place of what it was.
    Replaced,
}

impl NoteKind {
    /// The kind as a stable lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            NoteKind::Dropped => "dropped",
            NoteKind::Renamed => "renamed",
            NoteKind::Clamped => "clamped",
            NoteKind::Replaced => "replaced",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.kind.as_str(), self.what, self.why)
    }
}

/// Collects the notes of one translation.
#[derive(Debug, Default)]
pub(crate) struct Notes(pub(crate) Vec<Note>);

impl Notes {
    /// Notes beyond this number tell nothing new; the list goes to logs and error answers.
    const MAX: usize = 64;

    /// Names come from clients, in any length.
    const MAX_BYTES: usize = 160;

    pub(crate) fn add(&mut self, kind: NoteKind, what: impl Into<String>, why: impl Into<String>) {
        if self.0.len() < Self::MAX {
            let short = |text: String| shown(&text, Self::MAX_BYTES).into_owned();
            self.0.push(Note { kind, what: short(what.into()), why: short(why.into()) });
        }
    }
}
