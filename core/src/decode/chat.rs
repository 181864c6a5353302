//! OpenAI stream chunks and whole answers become events.

use serde_json::value::RawValue;

use super::tool_calls::{MAX_ARGUMENT_BYTES, ToolCalls};
use crate::event::{Event, EventSink, Stop};
use crate::translate::backend_error::{StreamFailure, classify_stream_error};
use crate::wire::openai::{ChatChunk, Choice, Delta, ToolCallDelta, Usage, number, text};
use crate::wire::{ApiError, JsonText, may_hold_surrogates, repair_escapes};

/// Decodes the answer of one request.
#[derive(Debug)]
pub(crate) struct ChatDecoder {
    backend: &'static str,
    calls: ToolCalls,
    /// What came while a call was not finished; it goes out behind the call.
    waiting: Vec<Prose>,
    waiting_bytes: usize,
    /// The escape of half a surrogate pair that ended a piece of text.
    half_character: String,
    stopped: bool,
    any_output: bool,
}

/// Words of the model, escaped.
#[derive(Debug)]
enum Prose {
    Text(String),
    Thinking(String),
}

impl ChatDecoder {
    pub(crate) fn new(backend: &'static str) -> Self {
        ChatDecoder {
            backend,
            calls: ToolCalls::default(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            half_character: String::new(),
            stopped: false,
            any_output: false,
        }
    }

    /// Takes the data of one stream event, or a whole answer.
    pub(crate) fn chunk(&mut self, data: &[u8], sink: &mut dyn EventSink) {
        // A model that writes half a character is no reason to lose the answer.
        let text = String::from_utf8_lossy(data);
        let Ok(chunk) = serde_json::from_str::<ChatChunk<'_>>(&text) else {
            let error = classify_stream_error(&StreamFailure::new(self.backend, data));
            sink.event(Event::Failure(error));
            return;
        };
        // Some servers write an empty one beside every answer.
        if let Some(error) = chunk.error.filter(|raw| !matches!(raw.get(), "null" | "false" | "{}" | "\"\"")) {
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
        self.calls.finish(sink);
        self.flush(sink);
    }

    /// The backend has said why it ended.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Calls were made and each is complete: the answer can be used even if the stream breaks.
    pub(crate) fn calls_complete(&self) -> bool {
        self.calls.all_complete()
    }

    fn choice(&mut self, choice: &Choice<'_>, sink: &mut dyn EventSink) {
        if let Some(delta) = &choice.delta {
            self.delta(delta, sink);
        }
        // Some servers close a stream with the whole message; then it has been told already.
        if let Some(message) = choice.message.as_ref().filter(|_| !self.any_output) {
            self.delta(message, sink);
        }
        if let Some(reason) = text(choice.finish_reason) {
            let sequence = [choice.stop_reason, choice.matched_stop].into_iter().find_map(text);
            match stop(&reason.decode(), sequence.map(|s| s.decode().into_owned())) {
                Some(stop) => {
                    self.stopped = true;
                    sink.event(Event::Stop(stop));
                }
                None => {
                    let message = format!("the backend gave up the answer (finish_reason {:?})", reason.decode());
                    sink.event(Event::Failure(ApiError::api(502, message)));
                }
            }
        }
    }

    fn delta(&mut self, delta: &Delta<'_>, sink: &mut dyn EventSink) {
        // Servers that send both names send the same text twice.
        if let Some(thinking) = text(delta.reasoning_content).or_else(|| text(delta.reasoning)) {
            self.thinking(&thinking, sink);
        }
        if let Some(content) = delta.content {
            self.content(content, sink);
        }
        if let Some(refusal) = text(delta.refusal) {
            self.text(refusal, sink);
            self.stopped = true;
            sink.event(Event::Stop(Stop::Refusal));
        }
        for call in delta.tool_calls.iter().flatten() {
            self.call(call, sink);
        }
        if let Some(function) = &delta.function_call {
            let function = crate::wire::openai::FunctionDelta { name: function.name, arguments: function.arguments };
            self.call(&ToolCallDelta { index: None, id: None, function: Some(function) }, sink);
        }
        if !self.calls.is_busy() {
            self.flush(sink);
        }
    }

    fn call(&mut self, call: &ToolCallDelta<'_>, sink: &mut dyn EventSink) {
        self.any_output = true;
        if self.calls.piece(call, sink).is_err() {
            let message = "the backend's answer makes more tool calls, or longer ones, than is taken";
            sink.event(Event::Failure(ApiError::api(502, message)));
        }
    }

    /// Content is a string, or a list of parts as Mistral's servers send it.
    fn content(&mut self, raw: &RawValue, sink: &mut dyn EventSink) {
        if let Some(text) = JsonText::from_raw(raw) {
            if !text.is_empty() {
                self.text(text, sink);
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
                self.thinking(&thinking, sink);
            }
            if let Some(text) = text(part.text) {
                self.text(text, sink);
            }
        }
    }

    fn text(&mut self, text: JsonText<'_>, sink: &mut dyn EventSink) {
        self.any_output = true;
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

    fn thinking(&mut self, text: &JsonText<'_>, sink: &mut dyn EventSink) {
        self.any_output = true;
        if !self.calls.is_busy() {
            return sink.event(Event::Thinking(text.borrowed()));
        }
        self.make_room(text.as_escaped().len(), sink);
        match self.waiting.last_mut() {
            Some(Prose::Thinking(waiting)) => waiting.push_str(text.as_escaped()),
            _ => self.waiting.push(Prose::Thinking(text.as_escaped().to_owned())),
        }
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

/// The words of every server for why it ended; `None` when the answer is broken off.
fn stop(reason: &str, sequence: Option<String>) -> Option<Stop> {
    Some(match reason.to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "max_length" | "model_length" | "token_limit" => Stop::Length,
        "content_filter" | "safety" | "refusal" | "recitation" | "blocked" => Stop::Refusal,
        "error" | "abort" | "aborted" | "cancelled" | "canceled" | "insufficient_system_resource" => return None,
        "stop" | "stop_sequence" => sequence.map_or(Stop::End, Stop::Sequence),
        _ => Stop::End,
    })
}
