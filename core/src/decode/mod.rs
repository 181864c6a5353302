//! A backend's bytes become [`Event`](crate::event::Event)s.

mod arguments;
mod chat;
mod messages;
mod open_blocks;
mod pieces;
mod stop;
mod tool_calls;

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::event::EventSink;
use crate::translate::RequestContext;
use crate::wire::Dialect;
use chat::ChatDecoder;
use messages::MessagesDecoder;

/// Decodes the answer of one request, in the dialect in which it was asked for.
#[derive(Debug)]
pub(crate) enum Decoder {
    Chat(ChatDecoder),
    Messages(MessagesDecoder),
}

impl Decoder {
    pub(crate) fn new(context: &RequestContext) -> Self {
        match context.dialect {
            Dialect::Chat => Decoder::Chat(ChatDecoder::new(context.backend)),
            Dialect::Messages => Decoder::Messages(MessagesDecoder::new(context.backend)),
        }
    }

    /// Takes the data of one stream event, or a whole answer.
    pub(crate) fn chunk(&mut self, data: &[u8], sink: &mut dyn EventSink) {
        match self {
            Decoder::Chat(decoder) => decoder.chunk(data, sink),
            Decoder::Messages(decoder) => decoder.chunk(data, sink),
        }
    }

    /// The stream has ended in good order.
    pub(crate) fn finish(&mut self, sink: &mut dyn EventSink) {
        match self {
            Decoder::Chat(decoder) => decoder.finish(sink),
            Decoder::Messages(decoder) => decoder.finish(sink),
        }
    }

    /// The backend has said why it ended.
    pub(crate) fn stopped(&self) -> bool {
        match self {
            Decoder::Chat(decoder) => decoder.stopped(),
            Decoder::Messages(decoder) => decoder.stopped(),
        }
    }

    /// Calls were made and each is complete: the answer can be used even if the stream breaks.
    pub(crate) fn calls_complete(&self) -> bool {
        match self {
            Decoder::Chat(decoder) => decoder.calls_complete(),
            Decoder::Messages(decoder) => decoder.calls_complete(),
        }
    }

    /// The backend has said that nothing more comes. Chat completions say it with `[DONE]`.
    pub(crate) fn closed(&self) -> bool {
        match self {
            Decoder::Chat(_) => false,
            Decoder::Messages(decoder) => decoder.closed(),
        }
    }
}

/// What came as text; half a character becomes U+FFFD.
fn text_of(data: &[u8]) -> Cow<'_, str> {
    match simdutf8::basic::from_utf8(data) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(data),
    }
}

/// Whether the value of an `error` field is one: some servers write an empty one beside every answer.
fn is_failure(raw: &RawValue) -> bool {
    !matches!(raw.get(), "null" | "false" | "{}" | "\"\"")
}
