//! Calls that come twice: as text, and as the server's own.
//!
//! Some servers pass the text of a call on and tell of the call as well. Once calls of one kind were told, those of
//! the other are held until they are complete, and left out if they say the same.

use serde_json::Value;

use crate::event::{Event, EventSink};
use crate::session::KeptText;
use crate::wire::{ApiError, JsonText};

/// Where a call was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Among the server's own.
    Server,
    /// In the text.
    Text,
    /// In thinking that the server told from text.
    Thinking,
}

impl Origin {
    fn is_server(self) -> bool {
        self == Origin::Server
    }
}

/// The most bytes of a call that is held to be compared; a longer one is told as it comes.
const MAX_HELD: usize = crate::session::MAX_KEPT_ARGUMENT_BYTES;

/// The most calls of each kind in one answer, as many as the decoder takes of the server's own.
const MAX_CALLS: usize = 256;

/// The calls of one answer on their way to the client.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    /// At most [`MAX_CALLS`] of each kind.
    told: Vec<Told>,
    open: Option<Open>,
    /// The open call's arguments as the model wrote them, where they go out otherwise.
    pub(super) written: Option<JsonText<'static>>,
}

/// A call that was told.
#[derive(Debug)]
struct Told {
    by_server: bool,
    name: String,
    arguments: KeptText,
    /// It has come again.
    echoed: bool,
}

/// A call that comes.
#[derive(Debug)]
enum Open {
    /// It goes out as it comes; it is the last of those told.
    Streams,
    /// Perhaps it was told before. All escaped.
    Held { by_server: bool, name: String, arguments: String },
}

impl Echoes {
    /// A call begins.
    pub(super) fn start(&mut self, from: Origin, name: &JsonText<'_>, next: &mut dyn EventSink) {
        self.release(next);
        let by_server = from.is_server();
        let may_echo = self.told.iter().any(|told| told.by_server != by_server && !told.echoed);
        if may_echo {
            let name = name.as_escaped().to_owned();
            self.open = Some(Open::Held { by_server, name, arguments: String::new() });
        } else {
            self.tell(by_server, name.as_escaped(), next);
            self.open = Some(Open::Streams);
        }
    }

    /// More of its arguments.
    pub(super) fn arguments(&mut self, text: &JsonText<'_>, next: &mut dyn EventSink) {
        match &mut self.open {
            Some(Open::Held { arguments, .. }) => {
                arguments.push_str(text.as_escaped());
                if arguments.len() > MAX_HELD {
                    self.go_out(next);
                }
            }
            _ => self.pass(text.as_escaped(), next),
        }
    }

    /// It is complete.
    pub(super) fn end(&mut self, next: &mut dyn EventSink) {
        if let Some(Open::Held { by_server, name, arguments }) = &self.open
            && let Some(told) = self.told.iter_mut().find(|told| told.is_same(*by_server, name, arguments))
        {
            told.echoed = true;
            (self.open, self.written) = (None, None);
            return;
        }
        self.go_out(next);
        let written = self.written.take();
        if self.open.take().is_some() {
            if let Some(written) = written {
                next.event(Event::ToolWritten(written));
            }
            next.event(Event::ToolEnd);
        }
    }

    /// Whatever is held goes out: nothing more of it comes.
    pub(super) fn release(&mut self, next: &mut dyn EventSink) {
        if self.open.is_some() {
            self.end(next);
        }
    }

    fn go_out(&mut self, next: &mut dyn EventSink) {
        if let Some(Open::Held { by_server, name, arguments }) = &mut self.open {
            let (by_server, name, arguments) = (*by_server, std::mem::take(name), std::mem::take(arguments));
            self.tell(by_server, &name, next);
            self.pass(&arguments, next);
            self.open = Some(Open::Streams);
        }
    }

    fn tell(&mut self, by_server: bool, name: &str, next: &mut dyn EventSink) {
        if self.told.iter().filter(|told| told.by_server == by_server).count() >= MAX_CALLS {
            let message = "the model's answer makes more tool calls than is taken";
            return next.event(Event::Failure(ApiError::api(502, message)));
        }
        self.told.push(Told { by_server, name: name.to_owned(), arguments: KeptText::default(), echoed: false });
        next.event(Event::ToolStart { name: JsonText::escaped(name) });
    }

    fn pass(&mut self, escaped: &str, next: &mut dyn EventSink) {
        if let Some(told) = self.told.last_mut() {
            told.arguments.push(escaped);
        }
        if !escaped.is_empty() {
            next.event(Event::ToolArgs(JsonText::escaped(escaped)));
        }
    }
}

impl Told {
    fn is_same(&self, by_server: bool, name: &str, arguments: &str) -> bool {
        let value = |escaped: &str| serde_json::from_str::<Value>(&JsonText::escaped(escaped).decode()).ok();
        self.by_server != by_server
            && !self.echoed
            && JsonText::escaped(&self.name).decode() == JsonText::escaped(name).decode()
            && value(self.arguments.get()).is_some_and(|told| value(arguments) == Some(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Said(String);

    impl EventSink for Said {
        fn event(&mut self, event: Event<'_>) {
            match event {
                Event::ToolStart { name } => self.0 += &format!("[{}:", name.decode()),
                Event::ToolArgs(text) => self.0 += &text.decode(),
                Event::ToolEnd => self.0.push(']'),
                _ => {}
            }
        }
    }

    fn told(calls: &[(Origin, &str, &str)]) -> String {
        let (mut echoes, mut said) = (Echoes::default(), Said::default());
        for (from, name, arguments) in calls {
            echoes.start(*from, &JsonText::from_plain(name), &mut said);
            for piece in arguments.as_bytes().chunks(3) {
                echoes.arguments(&JsonText::from_plain(&String::from_utf8_lossy(piece)), &mut said);
            }
            echoes.end(&mut said);
        }
        said.0
    }

    #[test]
    fn a_call_is_told_once() {
        use Origin::{Server, Text};
        let twice = [(Text, "f", r#"{"a": 1}"#), (Server, "f", r#"{"a":1}"#)];
        assert_eq!(told(&twice), r#"[f:{"a": 1}]"#);
        // Two of the same kind are two.
        let both =
            [(Text, "f", "{}"), (Text, "f", "{}"), (Server, "f", "{}"), (Server, "f", "{}"), (Server, "f", "{}")];
        assert_eq!(told(&both), "[f:{}][f:{}][f:{}]");
        let others = [(Server, "f", "{}"), (Text, "g", "{}"), (Text, "f", r#"{"x":2}"#), (Text, "f", "{}")];
        assert_eq!(told(&others), r#"[f:{}][g:{}][f:{"x":2}]"#);
    }
}
