//! Events and whole answers of a local server's Messages API become events.
//!
//! Such servers leave out events, put a whole call into the start of its block, repeat or skip indices.
//! So each piece is taken for what it holds, and calls are put together as those of chat completions.

use serde_json::value::{RawValue, to_raw_value};

use super::open_blocks::{Kind, OpenBlocks};
use super::pieces::Pieces;
use super::{is_failure, stop, text_of};
use crate::event::{Event, EventSink};
use crate::translate::backend_error::{StreamFailure, classify_stream_error};
use crate::wire::ApiError;
use crate::wire::messages_event::{Block, Delta, MessagesEvent, MessagesUsage};
use crate::wire::openai::{FunctionDelta, ToolCallDelta, text};

/// Decodes the answer of one request.
#[derive(Debug)]
pub(crate) struct MessagesDecoder {
    backend: &'static str,
    pieces: Pieces,
    usage: MessagesUsage,
    open: OpenBlocks,
    stopped: bool,
    closed: bool,
}

impl MessagesDecoder {
    pub(super) fn new(backend: &'static str) -> Self {
        MessagesDecoder {
            backend,
            pieces: Pieces::default(),
            usage: MessagesUsage::default(),
            open: OpenBlocks::default(),
            stopped: false,
            closed: false,
        }
    }

    /// Takes the data of one stream event, or a whole answer.
    pub(super) fn chunk(&mut self, data: &[u8], sink: &mut dyn EventSink) {
        // A model that writes half a character is no reason to lose the answer.
        let json = text_of(data);
        let event = serde_json::from_str::<MessagesEvent<'_>>(&json);
        let failure = match &event {
            Ok(event) => {
                let is_named = text(event.kind).is_some_and(|kind| kind.is("error"));
                event.error.filter(|raw| is_failure(raw)).map(RawValue::get).or(is_named.then_some(&*json))
            }
            Err(_) => Some(&*json),
        };
        if let Some(failure) = failure {
            let error = classify_stream_error(&StreamFailure::new(self.backend, failure.as_bytes()));
            return sink.event(Event::Failure(error));
        }
        let Ok(event) = event else { return };
        if event.choices.is_some() {
            let message = "the backend answered with a chat completion where a message was asked for";
            return sink.event(Event::Failure(ApiError::api(502, message)));
        }
        self.event(&event, sink);
        self.pieces.settle(sink);
    }

    /// The stream has ended in good order.
    pub(super) fn finish(&mut self, sink: &mut dyn EventSink) {
        self.pieces.finish(sink);
    }

    /// The backend has said why it ended.
    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Calls were made and each is complete: the answer can be used even if the stream breaks.
    pub(super) fn calls_complete(&self) -> bool {
        self.pieces.calls_complete()
    }

    /// The backend has said that nothing more comes.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    fn event(&mut self, event: &MessagesEvent<'_>, sink: &mut dyn EventSink) {
        let kind = text(event.kind);
        match kind.as_ref().map_or("message", |kind| kind.as_escaped()) {
            "message_start" => {
                let message = event.message.and_then(|raw| serde_json::from_str::<MessagesEvent<'_>>(raw.get()).ok());
                self.count(message.and_then(|message| message.usage), sink);
                self.usage.forget_output();
            }
            "content_block_start" => {
                if let Some(block) = &event.content_block {
                    self.begin(event.index, block, sink);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = &event.delta {
                    self.delta(event.index, delta, sink);
                }
            }
            "content_block_stop" => self.end(event.index, sink),
            "message_delta" => {
                self.count(event.usage, sink);
                if let Some(delta) = &event.delta {
                    self.stop(delta.stop_reason, delta.stop_sequence, sink);
                }
            }
            "message_stop" => self.closed = self.stopped,
            "message" => self.whole(event, sink),
            // Pings, and whatever comes to be.
            _ => {}
        }
    }

    fn count(&mut self, usage: Option<&RawValue>, sink: &mut dyn EventSink) {
        if let Some(usage) = usage {
            self.usage.update(usage);
            sink.event(Event::Usage(self.usage.to_usage()));
        }
    }

    fn stop(&mut self, reason: Option<&RawValue>, sequence: Option<&RawValue>, sink: &mut dyn EventSink) {
        if let Some(reason) = text(reason) {
            self.stopped |= stop::tell("stop_reason", &reason, text(sequence), sink);
        }
    }

    /// A block begins. What it should only be sent afterwards may be in it already.
    fn begin(&mut self, index: Option<&RawValue>, block: &Block<'_>, sink: &mut dyn EventSink) {
        let kind = self.block(index, block, sink);
        if self.open.begin(index, kind).is_err() {
            let message = "the backend's answer has more open blocks than are taken";
            sink.event(Event::Failure(ApiError::api(502, message)));
        }
    }

    fn block(&mut self, index: Option<&RawValue>, block: &Block<'_>, sink: &mut dyn EventSink) -> Kind {
        let kind = text(block.kind);
        match kind.as_ref().map_or("", |kind| kind.as_escaped()) {
            "text" | "thinking" => {
                if let Some(thinking) = text(block.thinking) {
                    self.pieces.thinking(&thinking, sink);
                }
                if let Some(text) = text(block.text) {
                    self.pieces.text(text, sink);
                }
                Kind::Prose
            }
            "tool_use" => {
                // An empty object is how every block begins: it does not say that there are no arguments.
                let arguments = block.input.filter(|raw| !is_bare(raw));
                let function = Some(FunctionDelta { name: block.name, arguments });
                self.pieces.call(&ToolCallDelta { index, id: block.id, function }, sink);
                if arguments.is_some() { Kind::Call } else { Kind::BareCall }
            }
            _ => Kind::Foreign,
        }
    }

    fn delta(&mut self, index: Option<&RawValue>, delta: &Delta<'_>, sink: &mut dyn EventSink) {
        let open = self.open.get(index);
        if open.as_deref() == Some(&Kind::Foreign) {
            return;
        }
        if let Some(arguments) = delta.partial_json.filter(|raw| !is_bare(raw)) {
            if let Some(kind) = open {
                *kind = Kind::Call;
            }
            self.arguments(index, arguments, sink);
        }
        if let Some(thinking) = text(delta.thinking) {
            self.pieces.thinking(&thinking, sink);
        }
        if let Some(text) = text(delta.text) {
            self.pieces.text(text, sink);
        }
    }

    /// A block ends.
    fn end(&mut self, index: Option<&RawValue>, sink: &mut dyn EventSink) {
        if let Some(kind) = self.open.end(index) {
            self.complete(kind, index, sink);
        }
    }

    /// A call that had no arguments until now has none.
    fn complete(&mut self, kind: Kind, index: Option<&RawValue>, sink: &mut dyn EventSink) {
        if kind == Kind::BareCall
            && let Ok(none) = to_raw_value(&serde_json::Map::new())
        {
            self.arguments(index, &none, sink);
        }
    }

    fn arguments(&mut self, index: Option<&RawValue>, arguments: &RawValue, sink: &mut dyn EventSink) {
        let function = Some(FunctionDelta { name: None, arguments: Some(arguments) });
        self.pieces.call(&ToolCallDelta { index, id: None, function }, sink);
    }

    fn whole(&mut self, message: &MessagesEvent<'_>, sink: &mut dyn EventSink) {
        self.count(message.usage, sink);
        // Some servers close a stream with the whole message; then it has been told already.
        if let Some(content) = message.content.filter(|_| !self.pieces.any()) {
            if let Some(text) = text(Some(content)) {
                self.pieces.text(text, sink);
            }
            let blocks = serde_json::from_str::<Vec<Block<'_>>>(content.get()).unwrap_or_default();
            for (place, block) in blocks.iter().enumerate() {
                // Calls without an id, or with one and the same, are kept apart by their place.
                let index = to_raw_value(&place).ok();
                let kind = self.block(index.as_deref(), block, sink);
                self.complete(kind, index.as_deref(), sink);
            }
        }
        self.stop(message.stop_reason, message.stop_sequence, sink);
    }
}

/// Whether an input holds nothing.
fn is_bare(input: &RawValue) -> bool {
    matches!(input.get(), "null" | "\"\"") || input.get().bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(*b"{}")
}
