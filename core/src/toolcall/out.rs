//! What a parser gives: text, thinking, and calls whose arguments come in pieces.

use super::schema::Tools;

/// A piece of what the model said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece<'p> {
    /// More text.
    Text(&'p str),
    /// More thinking.
    Thinking(&'p str),
    /// A call of this tool begins.
    CallStart(&'p str),
    /// More of its arguments: text of a JSON object.
    Arguments(&'p str),
    /// The call is complete.
    CallEnd,
}

/// Where parsers put what they find.
pub(super) struct Out<'o> {
    pub(super) tools: &'o Tools,
    pub(super) sink: &'o mut dyn FnMut(Piece<'_>),
}

impl Out<'_> {
    pub(super) fn start(&mut self, name: &str) {
        (self.sink)(Piece::CallStart(name));
    }

    pub(super) fn arguments(&mut self, json: &str) {
        if !json.is_empty() {
            (self.sink)(Piece::Arguments(json));
        }
    }

    pub(super) fn end(&mut self) {
        (self.sink)(Piece::CallEnd);
    }

    /// A whole call.
    pub(super) fn call(&mut self, name: &str, arguments: &str) {
        self.start(name);
        self.arguments(arguments);
        self.end();
    }
}
