//! A backend's stream becomes the client's stream: decode, then encode.

use crate::decode::Decoder;
use crate::encode::{Blocks, MessageWriter, Outcome, SseWriter, TokenCounts};
use crate::encode::{push_message_delta, push_message_start, push_ping};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventSink, Stop};
use crate::recover::Recovery;
use crate::session::{KeptText, ToolCallRecord, TurnRecord};
use crate::translate::RequestContext;
use crate::wire::ApiError;
use crate::wire::openai::Usage;
use crate::wire::sse::SseSplitter;

/// Turns the event stream of a server, in either [`Dialect`](crate::Dialect), into that of the Messages API.
///
/// Every call appends to the caller's buffer; nothing is held back but what the client's format
/// forbids to send yet. How a broken stream ends is told by the [table of ends](crate#ends).
///
/// ```
/// use anyclaude_core::{RequestContext, StreamConverter};
///
/// let mut converter = StreamConverter::new(RequestContext::for_model("claude-opus-5-5"));
/// let mut out = Vec::new();
/// converter.push(b"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n", &mut out);
/// let turn = converter.finish(&mut out);
/// assert_eq!(turn.stop_reason, Some("end_turn"));
/// assert!(String::from_utf8_lossy(&out).contains(r#""text":"Hi""#));
/// ```
#[derive(Debug)]
pub struct StreamConverter {
    context: RequestContext,
    splitter: SseSplitter,
    decoder: Decoder,
    recovery: Recovery,
    answer: Answer,
    phase: Phase,
}

/// How far the answer is after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The model has not said anything yet.
    Waiting,
    /// Some of the answer has been sent.
    Answering,
    /// The last event has been sent; the rest of the backend's stream is of no interest.
    Ended,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been sent.
    Fresh,
    /// `message_start` has been sent.
    Started,
    /// The last event has been sent.
    Ended,
}

/// What has been decoded and not only passed on.
#[derive(Debug)]
struct Answer {
    blocks: Blocks,
    names: crate::translate::ToolNames,
    usage: Usage,
    stop: Option<Stop>,
    failure: Option<ApiError>,
    calls: Vec<ToolCallRecord>,
    text: KeptText,
    thinking: KeptText,
}

impl StreamConverter {
    /// A converter for the answer to one request.
    pub fn new(context: RequestContext) -> Self {
        StreamConverter {
            splitter: SseSplitter::new(),
            decoder: Decoder::new(&context),
            recovery: Recovery::new(&context),
            answer: Answer::new(&context),
            phase: Phase::Fresh,
            context,
        }
    }

    /// Sends `message_start` now, before the backend has said anything.
    pub fn start(&mut self, out: &mut Vec<u8>) {
        if self.phase == Phase::Fresh {
            self.phase = Phase::Started;
            push_message_start(out, &self.context);
        }
    }

    /// The backend has accepted this request, perhaps another than the one that the converter was made for; nothing
    /// of its answer was taken yet.
    pub fn accepted(&mut self, context: &RequestContext) {
        let phase = std::mem::replace(&mut self.phase, Phase::Fresh);
        *self = StreamConverter { phase, ..StreamConverter::new(context.clone()) };
    }

    /// Takes the next bytes of the backend's stream, cut anywhere.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Progress {
        self.start(out);
        let mut splitter = std::mem::take(&mut self.splitter);
        let split = splitter.push(bytes, &mut |event| self.take(event.data, out));
        self.splitter = splitter;
        self.settle(split, out);
        self.progress()
    }

    /// Takes the JSON of one chunk, from a server whose events are split already.
    pub fn push_chunk(&mut self, json: &[u8], out: &mut Vec<u8>) -> Progress {
        self.start(out);
        let taken = self.take(json, out);
        self.settle(taken, out);
        self.progress()
    }

    /// Takes a whole answer, from a server that was asked to stream and did not.
    pub fn push_response(&mut self, json: &[u8], out: &mut Vec<u8>) -> Progress {
        let opened = || convert_whole(&self.context, json).is_ok_and(|(_, record)| record.found.prompt_opened);
        if self.progress() == Progress::Waiting && !self.context.recovery.prompt_opens_thinking && opened() {
            self.context.recovery.prompt_opens_thinking = true;
            self.recovery = Recovery::new(&self.context);
            self.recovery.knows_prompt_opened();
        }
        self.push_chunk(json, out);
        // One JSON document is whole by itself, also from servers that give no reason.
        if self.phase == Phase::Started && (self.answer.blocks.any() || self.recovery.holds() || self.calls_complete())
        {
            self.end(out);
        }
        self.progress()
    }

    /// Call when nothing has been written for a ping interval: writes a ping, and begins the stream if need be.
    pub fn tick(&mut self, out: &mut Vec<u8>) -> Progress {
        self.start(out);
        if self.phase == Phase::Started {
            if self.decoder.stopped() {
                // The answer is over and only the counts, or the close, never came.
                self.end(out);
            } else {
                push_ping(out);
            }
        }
        self.progress()
    }

    /// The backend's stream has ended. Ends the client's stream and tells what the turn was.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> TurnRecord {
        self.start(out);
        let mut splitter = std::mem::take(&mut self.splitter);
        let split = splitter.finish(&mut |event| self.take(event.data, out));
        self.settle(split, out);
        if self.phase == Phase::Started {
            if self.decoder.stopped() {
                self.end(out);
            } else {
                let error = ApiError::api(502, CUT_SHORT);
                self.fail(&error, out);
            }
        }
        self.record()
    }

    /// The backend's stream has broken: ends the client's stream by the [table of ends](crate#ends).
    pub fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        match self.phase {
            Phase::Ended => return,
            // What was asked for has come; that the connection broke afterwards costs nothing.
            Phase::Started if self.decoder.stopped() || self.calls_complete() => return self.end(out),
            Phase::Fresh | Phase::Started => {}
        }
        let error = self.context.masked(error.clone());
        out.extend_from_slice(&error.to_sse());
        self.answer.failure.get_or_insert(error);
        self.phase = Phase::Ended;
    }

    /// The failure that ended the stream, for the log.
    pub fn failure(&self) -> Option<&ApiError> {
        self.answer.failure.as_ref()
    }

    /// Whether the model has said anything.
    #[cfg(feature = "proxy")]
    pub(crate) fn has_said(&self) -> bool {
        self.answer.blocks.bytes() > 0 || self.answer.blocks.any()
    }

    /// The calls of the answer so far; the arguments of the last may still be coming.
    #[cfg(feature = "proxy")]
    pub(crate) fn calls_made(&self) -> &[ToolCallRecord] {
        &self.answer.calls
    }

    /// What the turn produced so far.
    pub fn record(&self) -> TurnRecord {
        let failed = self.answer.failure.is_some();
        let ended = self.phase == Phase::Ended && !failed;
        self.answer.record(&self.context, self.calls(), &self.recovery, ended)
    }

    /// How far the answer is.
    pub fn progress(&self) -> Progress {
        match self.phase {
            Phase::Ended => Progress::Ended,
            _ if self.answer.blocks.bytes() > 0 || self.answer.blocks.any() => Progress::Answering,
            _ => Progress::Waiting,
        }
    }

    fn take(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let data = data.trim_ascii();
        if self.phase == Phase::Ended || data.is_empty() || self.answer.failure.is_some() {
            return Ok(());
        }
        if data == b"[DONE]" {
            if self.decoder.stopped() {
                self.end(out);
            }
            return Ok(());
        }
        let mut writer = SseWriter(out);
        let mut encode = Encode { answer: &mut self.answer, writer: &mut writer };
        self.decoder.chunk(data, &mut self.recovery.before(&self.context, &mut encode));
        if self.decoder.closed() && self.answer.failure.is_none() {
            self.end(out);
        }
        Ok(())
    }

    /// Ends the stream if what was just taken told of a failure.
    fn settle(&mut self, split: Result<()>, out: &mut Vec<u8>) {
        let told = self.answer.failure.take();
        let failure = split.err().map(|error| error.to_api()).or(told);
        if let Some(error) = failure {
            self.fail(&error, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let mut writer = SseWriter(out);
        let mut encode = Encode { answer: &mut self.answer, writer: &mut writer };
        self.decoder.finish(&mut self.recovery.before(&self.context, &mut encode));
        self.recovery.finish(&mut encode);
        self.answer.blocks.close(&mut writer);
        let outcome = self.answer.outcome(&self.context, self.calls());
        push_message_delta(out, &outcome);
        self.phase = Phase::Ended;
    }

    fn calls(&self) -> Calls {
        Calls { complete: self.calls_complete(), cut: self.recovery.was_cut() }
    }

    fn calls_complete(&self) -> bool {
        self.recovery.calls_complete(self.decoder.calls_complete())
    }
}

/// A stream that ends without a reason is half an answer, whatever it has said.
const CUT_SHORT: &str = "the backend ended its stream in the middle of the answer";

/// Turns a whole answer of a server, or a whole event stream of one, into a message.
///
/// # Errors
/// The backend's own error in the client's terms, or [`ErrorKind::Backend`] when the body is no answer.
pub(crate) fn convert_response(context: &RequestContext, body: &[u8]) -> Result<(Vec<u8>, TurnRecord)> {
    let (message, record) = convert_whole(context, body)?;
    // What a stream can only learn for the next time can be put right here: the prompt had opened the thinking.
    if record.found.prompt_opened && !context.recovery.prompt_opens_thinking {
        let mut context = context.clone();
        context.recovery.prompt_opens_thinking = true;
        let (message, mut record) = convert_whole(&context, body)?;
        record.found.prompt_opened = true;
        return Ok((message, record));
    }
    Ok((message, record))
}

fn convert_whole(context: &RequestContext, body: &[u8]) -> Result<(Vec<u8>, TurnRecord)> {
    let mut decoder = Decoder::new(context);
    let mut recovery = Recovery::new(context);
    let mut answer = Answer::new(context);
    let mut writer = MessageWriter::default();
    let mut encode = Encode { answer: &mut answer, writer: &mut writer };
    let is_whole = body.trim_ascii_start().starts_with(b"{");
    if is_whole {
        decoder.chunk(body, &mut recovery.before(context, &mut encode));
    } else {
        // Some servers stream whatever they are asked for.
        let mut splitter = SseSplitter::new();
        let mut each = |event: crate::wire::sse::SseEvent<'_>| {
            if event.data.trim_ascii() != b"[DONE]" && !event.data.is_empty() {
                decoder.chunk(event.data, &mut recovery.before(context, &mut encode));
            }
            Ok(())
        };
        splitter.push(body, &mut each)?;
        splitter.finish(&mut each)?;
    }
    decoder.finish(&mut recovery.before(context, &mut encode));
    recovery.finish(&mut encode);
    if let Some(error) = answer.failure.take() {
        return Err(Error::told(ErrorKind::Backend, context.masked(error)));
    }
    if !decoder.stopped() && !answer.blocks.any() {
        let what = format!("the backend answered with something that is no {}", context.dialect.answer());
        return Err(Error::new(ErrorKind::Backend, what));
    }
    let calls = Calls { complete: recovery.calls_complete(decoder.calls_complete()), cut: recovery.was_cut() };
    if !decoder.stopped() && !is_whole && !calls.complete {
        return Err(Error::told(ErrorKind::Backend, ApiError::api(502, CUT_SHORT)));
    }
    answer.blocks.close(&mut writer);
    let outcome = answer.outcome(context, calls);
    let record = answer.record(context, calls, &recovery, true);
    Ok((writer.finish(context, &outcome), record))
}

/// How the calls of an answer ended.
#[derive(Clone, Copy, Debug)]
struct Calls {
    /// Each is complete.
    complete: bool,
    /// One in the text ended in the middle.
    cut: bool,
}

impl Answer {
    fn new(context: &RequestContext) -> Self {
        Answer {
            blocks: Blocks::new(context),
            names: context.tool_names.clone(),
            usage: Usage::default(),
            stop: None,
            failure: None,
            calls: Vec::new(),
            text: KeptText::default(),
            thinking: KeptText::default(),
        }
    }

    fn outcome(&self, context: &RequestContext, calls: Calls) -> Outcome {
        let tokens = TokenCounts::new(&self.usage, context, self.blocks.bytes());
        Outcome::new(self.stop.as_ref(), self.blocks.tools(), calls.complete, calls.cut, tokens)
    }

    fn record(&self, context: &RequestContext, calls: Calls, recovery: &Recovery, ended: bool) -> TurnRecord {
        let outcome = self.outcome(context, calls);
        TurnRecord {
            stop_reason: ended.then_some(outcome.stop_reason),
            input_tokens: outcome.tokens.input + outcome.tokens.cache_creation,
            cache_read_input_tokens: outcome.tokens.cache_read,
            output_tokens: outcome.tokens.output,
            exact_usage: outcome.tokens.exact,
            cache_told: outcome.tokens.cache_told,
            estimated_input_tokens: context.raw_estimate,
            tool_calls: self.calls.clone(),
            prefill_ms: None,
            text: self.text.get().to_owned(),
            thinking: self.thinking.get().to_owned(),
            came: recovery.came(),
            found: recovery.found(),
        }
    }
}

/// The sink between decoder and encoder.
struct Encode<'a, W> {
    answer: &'a mut Answer,
    writer: &'a mut W,
}

impl<W: crate::encode::BlockWriter> EventSink for Encode<'_, W> {
    fn event(&mut self, event: Event<'_>) {
        use crate::encode::Kind;
        let Answer { blocks, names, usage, stop, failure, calls, text: said, thinking } = self.answer;
        if failure.is_some() {
            return;
        }
        match event {
            Event::Text(text) => {
                said.push(text.as_escaped());
                blocks.prose(Kind::Text, &text, self.writer);
            }
            Event::Thinking(text) => {
                thinking.push(text.as_escaped());
                blocks.prose(Kind::Thinking, &text, self.writer);
            }
            Event::ToolStart { name } => {
                let name = names.original(&name);
                let id = blocks.tool(&name, self.writer);
                calls.push(ToolCallRecord::new(id, name.decode().into_owned()));
            }
            Event::ToolArgs(text) => {
                blocks.arguments(&text, self.writer);
                if let Some(call) = calls.last_mut() {
                    call.push_arguments(&text.decode());
                }
            }
            Event::ToolWritten(text) => {
                if let Some(call) = calls.last_mut() {
                    call.written(&text.decode());
                }
            }
            Event::ToolEnd => blocks.close(self.writer),
            Event::Usage(new) => {
                usage.prompt_tokens = new.prompt_tokens.or(usage.prompt_tokens);
                usage.completion_tokens = new.completion_tokens.or(usage.completion_tokens);
                usage.cached_tokens = new.cached_tokens.or(usage.cached_tokens);
                usage.cache_write_tokens = new.cache_write_tokens.or(usage.cache_write_tokens);
            }
            // The first reason stands: some servers repeat a plainer one with the counts.
            Event::Stop(reason) => {
                stop.get_or_insert(reason);
            }
            Event::Failure(error) => *failure = Some(error),
        }
    }
}
