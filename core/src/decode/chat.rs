//! OpenAI stream chunks and whole answers become events.

use serde_json::value::RawValue;

use super::pieces::Pieces;
use super::{is_failure, stop, text_of};
use crate::event::{Event, EventSink, Stop};
use crate::translate::backend_error::{StreamFailure, classify_stream_error};
use crate::wire::JsonText;
use crate::wire::openai::{ChatChunk, Choice, Delta, ToolCallDelta, Usage, number, text};

/// Decodes the answer of one request.
#[derive(Debug)]
pub(crate) struct ChatDecoder {
    backend: &'static str,
    pieces: Pieces,
    stopped: bool,
}

impl ChatDecoder {
    pub(crate) fn new(backend: &'static str) -> Self {
        ChatDecoder { backend, pieces: Pieces::default(), stopped: false }
    }

    /// Takes the data of one stream event, or a whole answer.
    pub(crate) fn chunk(&mut self, data: &[u8], sink: &mut dyn EventSink) {
        // A model that writes half a character is no reason to lose the answer.
        let text = text_of(data);
        let Ok(chunk) = serde_json::from_str::<ChatChunk<'_>>(&text) else {
            let error = classify_stream_error(&StreamFailure::new(self.backend, data));
            sink.event(Event::Failure(error));
            return;
        };
        if let Some(error) = chunk.error.filter(|raw| is_failure(raw)) {
            sink.event(Event::Failure(classify_stream_error(&StreamFailure::new(
                self.backend,
                error.get().as_bytes(),
            ))));
            return;
        }
        if let Some(usage) = chunk.usage {
            sink.event(Event::Usage(Usage::from_raw(usage)));
        }
        // One chunk may hold text, calls and the end: they go out in this order.
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index.and_then(number).unwrap_or(0) == 0 {
                self.choice(&choice, sink);
            }
        }
    }

    /// The stream has ended in good order.
    pub(crate) fn finish(&mut self, sink: &mut dyn EventSink) {
        self.pieces.finish(sink);
    }

    /// The backend has said why it ended.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Calls were made and each is complete: the answer can be used even if the stream breaks.
    pub(crate) fn calls_complete(&self) -> bool {
        self.pieces.calls_complete()
    }

    fn choice(&mut self, choice: &Choice<'_>, sink: &mut dyn EventSink) {
        if let Some(delta) = &choice.delta {
            self.delta(delta, sink);
        }
        // Some servers close a stream with the whole message; then it has been told already.
        if let Some(message) = choice.message.as_ref().filter(|_| !self.pieces.any()) {
            self.delta(message, sink);
        }
        if let Some(reason) = text(choice.finish_reason) {
            let sequence = [choice.stop_reason, choice.matched_stop].into_iter().find_map(text);
            self.stopped |= stop::tell("finish_reason", &reason, sequence, sink);
        }
    }

    fn delta(&mut self, delta: &Delta<'_>, sink: &mut dyn EventSink) {
        // Servers that send both names send the same text twice.
        if let Some(thinking) = text(delta.reasoning_content).or_else(|| text(delta.reasoning)) {
            self.pieces.thinking(&thinking, sink);
        }
        if let Some(content) = delta.content {
            self.content(content, sink);
        }
        if let Some(refusal) = text(delta.refusal) {
            self.pieces.text(refusal, sink);
            self.stopped = true;
            sink.event(Event::Stop(Stop::Refusal));
        }
        for call in delta.tool_calls.iter().flatten() {
            self.pieces.call(call, sink);
        }
        if let Some(function) = &delta.function_call {
            let function = crate::wire::openai::FunctionDelta { name: function.name, arguments: function.arguments };
            self.pieces.call(&ToolCallDelta { index: None, id: None, function: Some(function) }, sink);
        }
        self.pieces.settle(sink);
    }

    /// Content is a string, or a list of parts as Mistral's servers send it.
    fn content(&mut self, raw: &RawValue, sink: &mut dyn EventSink) {
        if let Some(text) = JsonText::from_raw(raw) {
            if !text.is_empty() {
                self.pieces.text(text, sink);
            }
            return;
        }
        #[derive(serde::Deserialize)]
        struct Part<'a> {
            #[serde(borrow, default)]
            text: Option<&'a RawValue>,
            #[serde(borrow, default)]
            thinking: Option<&'a RawValue>,
        }
        for part in serde_json::from_str::<Vec<Part<'_>>>(raw.get()).unwrap_or_default() {
            let thoughts =
                part.thinking.map(|raw| serde_json::from_str::<Vec<Part<'_>>>(raw.get()).unwrap_or_default());
            let pieces = thoughts.iter().flatten().map(|thought| thought.text).chain([part.thinking]);
            for thinking in pieces.filter_map(text) {
                self.pieces.thinking(&thinking, sink);
            }
            if let Some(text) = text(part.text) {
                self.pieces.text(text, sink);
            }
        }
    }
}
