//! The one inner language between backends' answers and clients' streams.
//!
//! Decoders turn a backend's bytes into events; encoders turn events into what the client reads.
//! Whatever looks into an answer in between (text tool calls, say) is a sink that feeds a sink.

use crate::wire::{ApiError, JsonText, openai::Usage};

/// A step of an answer. Text is borrowed from the bytes that carried it, still escaped.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// More text.
    Text(JsonText<'a>),
    /// More thinking.
    Thinking(JsonText<'a>),
    /// A call begins. At most one is open at a time.
    ToolStart {
        /// The tool, as the backend was told its name.
        name: JsonText<'a>,
    },
    /// More of the open call's arguments: text of a JSON object.
    ToolArgs(JsonText<'a>),
    /// The open call's arguments as the model wrote them, where they went out in another form.
    ToolWritten(JsonText<'a>),
    /// The open call is over.
    ToolEnd,
    /// Token counts; later ones replace what they tell again.
    Usage(Usage),
    /// The backend said why its answer ended. Counts may still follow.
    Stop(Stop),
    /// The backend told of a failure in the middle of its answer.
    Failure(ApiError),
}

/// Why an answer ended, in the backend's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It was finished, or wants its tools run.
    End,
    /// The token limit was met.
    Length,
    /// One of the request's stop texts was met.
    Sequence(String),
    /// The model or a filter refused.
    Refusal,
}

/// Takes events as they are decoded.
pub(crate) trait EventSink {
    /// Takes the next event.
    fn event(&mut self, event: Event<'_>);
}
