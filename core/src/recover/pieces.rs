//! A parser's pieces become events, those of one kind in a row as one.

use super::echo::{Echoes, Origin};
use crate::event::{Event, EventSink};
use crate::session::KeptText;
use crate::toolcall::Piece;
use crate::wire::JsonText;

/// Takes the pieces of one push.
pub(super) struct Pieces<'p> {
    from: Origin,
    echoes: &'p mut Echoes,
    /// Thinking that came inside of a call; it goes out behind it.
    late: &'p mut KeptText,
    next: &'p mut dyn EventSink,
    kind: Kind,
    text: String,
    begun: usize,
    ended: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Arguments,
}

impl<'p> Pieces<'p> {
    pub(super) fn new(
        from: Origin,
        echoes: &'p mut Echoes,
        late: &'p mut KeptText,
        next: &'p mut dyn EventSink,
    ) -> Self {
        Pieces { from, echoes, late, next, kind: Kind::Text, text: String::new(), begun: 0, ended: 0 }
    }

    pub(super) fn take(&mut self, piece: Piece<'_>) {
        match piece {
            // What stands behind a call in thinking is no answer.
            Piece::Text(text) if self.from == Origin::Thinking => self.add(Kind::Thinking, text),
            Piece::Text(text) => self.add(Kind::Text, text),
            Piece::Thinking(text) => self.add(Kind::Thinking, text),
            Piece::Arguments(json) => self.add(Kind::Arguments, json),
            Piece::CallStart(name) => {
                self.send();
                self.begun += 1;
                self.echoes.start(self.from, &JsonText::from_plain(name), self.next);
            }
            Piece::CallEnd => {
                self.send();
                self.ended += 1;
                self.echoes.end(self.next);
                let late = std::mem::take(self.late);
                if !late.get().is_empty() {
                    self.next.event(Event::Thinking(JsonText::escaped(late.get())));
                }
            }
        }
    }

    /// Sends what waits; gives how many calls began and ended.
    pub(super) fn flush(mut self) -> (usize, usize) {
        self.send();
        (self.begun, self.ended)
    }

    fn add(&mut self, kind: Kind, text: &str) {
        if self.kind != kind {
            self.send();
            self.kind = kind;
        }
        self.text.push_str(text);
    }

    fn send(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let text = JsonText::from_plain(&self.text);
        match self.kind {
            Kind::Text => self.next.event(Event::Text(text)),
            Kind::Thinking => self.next.event(Event::Thinking(text)),
            Kind::Arguments => self.echoes.arguments(&text, self.next),
        }
        self.text.clear();
    }
}
