//! Text, thinking and calls in the order in which a client may be sent them.

use super::tool_calls::{MAX_ARGUMENT_BYTES, ToolCalls};
use crate::event::{Event, EventSink};
use crate::wire::openai::ToolCallDelta;
use crate::wire::{ApiError, JsonText, may_hold_surrogates, repair_escapes};

/// The pieces of one answer, whatever the server's dialect.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    calls: ToolCalls,
    /// What came while a call was not finished; it goes out behind the call.
    waiting: Vec<Prose>,
    waiting_bytes: usize,
    /// The escape of half a surrogate pair that ended a piece of text.
    half_character: String,
    any: bool,
}

/// Words of the model, escaped.
#[derive(Debug)]
enum Prose {
    Text(String),
    Thinking(String),
}

impl Pieces {
    pub(super) fn text(&mut self, text: JsonText<'_>, sink: &mut dyn EventSink) {
        self.any = true;
        let Some(text) = self.whole_characters(text) else { return };
        if !self.calls.is_busy() {
            return sink.event(Event::Text(text));
        }
        self.make_room(text.as_escaped().len(), sink);
        match self.waiting.last_mut() {
            Some(Prose::Text(waiting)) => waiting.push_str(text.as_escaped()),
            _ => self.waiting.push(Prose::Text(text.as_escaped().to_owned())),
        }
    }

    pub(super) fn thinking(&mut self, text: &JsonText<'_>, sink: &mut dyn EventSink) {
        self.any = true;
        if !self.calls.is_busy() {
            return sink.event(Event::Thinking(text.borrowed()));
        }
        self.make_room(text.as_escaped().len(), sink);
        match self.waiting.last_mut() {
            Some(Prose::Thinking(waiting)) => waiting.push_str(text.as_escaped()),
            _ => self.waiting.push(Prose::Thinking(text.as_escaped().to_owned())),
        }
    }

    pub(super) fn call(&mut self, call: &ToolCallDelta<'_>, sink: &mut dyn EventSink) {
        self.any = true;
        if self.calls.piece(call, sink).is_err() {
            let message = "the backend's answer makes more tool calls, or longer ones, than is taken";
            sink.event(Event::Failure(ApiError::api(502, message)));
        }
    }

    /// Sends what waited for a call, if the call has ended.
    pub(super) fn settle(&mut self, sink: &mut dyn EventSink) {
        if !self.calls.is_busy() {
            self.flush(sink);
        }
    }

    /// The answer is over: everything goes out.
    pub(super) fn finish(&mut self, sink: &mut dyn EventSink) {
        self.calls.finish(sink);
        self.flush(sink);
    }

    /// The server has said anything.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// Calls were made and each is complete.
    pub(super) fn calls_complete(&self) -> bool {
        self.calls.all_complete()
    }

    /// Bounds what waits; a failure ends the answer.
    fn make_room(&mut self, bytes: usize, sink: &mut dyn EventSink) {
        self.waiting_bytes += bytes;
        if self.waiting_bytes > MAX_ARGUMENT_BYTES {
            sink.event(Event::Failure(ApiError::api(502, "the backend sent too much text inside of a tool call")));
        }
    }

    /// Some servers cut an emoji between the two halves of its escape; a client that parses each
    /// event by itself could not join them. The first half waits for the second.
    fn whole_characters<'t>(&mut self, text: JsonText<'t>) -> Option<JsonText<'t>> {
        if self.half_character.is_empty() && !may_hold_surrogates(text.as_escaped().as_bytes()) {
            return Some(text);
        }
        let joined = std::mem::take(&mut self.half_character) + text.as_escaped();
        let joined = JsonText::escaped(&joined);
        let (whole, half) = joined.split_surrogate();
        self.half_character.push_str(half);
        let mended = String::from_utf8_lossy(&repair_escapes(whole.as_bytes())).into_owned();
        (!mended.is_empty()).then(|| JsonText::escaped(&mended).into_owned())
    }

    fn flush(&mut self, sink: &mut dyn EventSink) {
        for prose in std::mem::take(&mut self.waiting) {
            match prose {
                Prose::Text(text) => sink.event(Event::Text(JsonText::escaped(&text))),
                Prose::Thinking(text) => sink.event(Event::Thinking(JsonText::escaped(&text))),
            }
        }
        self.waiting_bytes = 0;
    }
}
