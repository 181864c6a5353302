//! A payload that is one only if nothing else is in the output.

use super::{Fate, Payload, Taken};
use crate::toolcall::out::{Flow, Out, Piece};

/// Holds the calls of another payload until the output has ended.
#[derive(Debug)]
pub(in crate::toolcall) struct Whole {
    inner: Box<dyn Payload>,
    held: Vec<Held>,
    /// The inner payload is over.
    over: bool,
}

#[derive(Debug)]
enum Held {
    Start(String),
    Arguments(String),
    End,
}

impl Whole {
    pub(in crate::toolcall) fn new(inner: Box<dyn Payload>) -> Self {
        Whole { inner, held: Vec::new(), over: false }
    }
}

impl Payload for Whole {
    fn take(&mut self, input: &str, end: bool, out: &mut Out<'_>) -> Taken {
        let mut at = 0;
        if !self.over {
            let held = &mut self.held;
            let mut hold = |piece: Piece<'_>| match piece {
                Piece::CallStart(name) => held.push(Held::Start(name.to_owned())),
                Piece::Arguments(json) => match held.last_mut() {
                    Some(Held::Arguments(arguments)) => arguments.push_str(json),
                    _ => held.push(Held::Arguments(json.to_owned())),
                },
                Piece::CallEnd => held.push(Held::End),
                Piece::Text(_) | Piece::Thinking(_) => {}
            };
            let mut flow = Flow::new();
            let taken = self.inner.take(input, end, &mut Out { tools: out.tools, flow: &mut flow, sink: &mut hold });
            match taken.fate {
                Fate::Open => return taken,
                Fate::Text => return taken,
                Fate::Over => (self.over, at) = (true, taken.bytes),
            }
        }
        let behind = input.get(at..).unwrap_or_default();
        if !behind.trim_start().is_empty() {
            return Taken::text(at);
        }
        if !end {
            return Taken::more(input.len());
        }
        for piece in self.held.drain(..) {
            match piece {
                Held::Start(name) => out.start(&name),
                Held::Arguments(json) => out.arguments(&json),
                Held::End => out.end(),
            }
        }
        Taken::over(input.len())
    }
}
