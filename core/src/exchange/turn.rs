//! One request for a message, and its answer.

use std::sync::Arc;

use super::api::{MessagesApi, Received};
use super::lessons::learn_late;
use super::refusal::{ReadAs, Refusal, Tries, Verdict};
use crate::session::{Timestamp, TurnRecord};
use crate::stream::{Progress, StreamConverter};
use crate::translate::{Note, RequestContext, Translated};
use crate::wire::ApiError;

/// A request for a message from its translation to its last event. One thread at a time.
#[derive(Debug)]
pub struct Exchange {
    api: Arc<MessagesApi>,
    received: Received,
    /// The client's body, for further tries.
    asked: Vec<u8>,
    /// The server's.
    body: Vec<u8>,
    notes: Vec<Note>,
    context: RequestContext,
    tries: Tries,
    converter: StreamConverter,
    /// The end has been told to the translator.
    is_recorded: bool,
    /// What should be in the log.
    notices: Vec<String>,
}

impl Exchange {
    pub(super) fn new(api: Arc<MessagesApi>, received: Received, asked: Vec<u8>, translated: Translated) -> Self {
        let converter = StreamConverter::new(translated.context.clone());
        Exchange {
            api,
            received,
            asked,
            body: translated.body,
            notes: translated.notes,
            context: translated.context,
            tries: Tries::default(),
            converter,
            is_recorded: false,
            notices: Vec::new(),
        }
    }

    /// The JSON body for the server's `POST /v1/chat/completions` (or `/v1/messages`, by the translator's dialect).
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What the way back knows of the request.
    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// What was dropped, renamed or clamped.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The value of the header `request-id`.
    pub fn request_id(&self) -> String {
        self.received.seed.request_id()
    }

    /// How the answer with this head is to be read.
    pub fn reading(&self, status: u16, content_type: &str) -> ReadAs {
        ReadAs::by_head(&self.context, status, content_type)
    }

    /// The server has refused, and something was learned from it: [`Exchange::body`] is to be sent once more.
    ///
    /// # Errors
    /// What the client is told, where nothing here can cure it.
    pub fn refused(&mut self, refusal: &Refusal) -> Result<(), ApiError> {
        let refusal = &Refusal { clients_key: true, ..refusal.clone() };
        let (verdict, lesson) = self.tries.refused(&self.api.translator, &self.api.models, &self.context, refusal);
        self.notices.extend(lesson.map(|lesson| lesson.notice));
        if let Verdict::Refused(error) = verdict {
            return Err(error);
        }
        let again = self.api.translate(&self.received, &self.asked, self.tries.max_tokens(), true)?;
        self.converter.accepted(&again.context);
        (self.body, self.notes, self.context) = (again.body, again.notes, again.context);
        Ok(())
    }

    /// Takes the whole answer, for a client that wants it whole.
    ///
    /// # Errors
    /// The server's own error in the client's terms, or that this is no answer.
    pub fn message(&mut self, answer: &[u8], now: Timestamp) -> Result<Vec<u8>, ApiError> {
        let converted = self.api.translator.response_json(&self.context, answer);
        let (message, turn) = converted.map_err(|error| error.to_api())?;
        self.record(&turn, now);
        Ok(message)
    }

    /// Begins the stream, before the server has said anything.
    pub fn start(&mut self, out: &mut Vec<u8>) {
        self.converter.start(out);
    }

    /// Takes the next bytes of the server's stream, cut anywhere.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Progress {
        self.converter.push(bytes, out)
    }

    /// Takes a whole answer, for a client that wants a stream.
    pub fn push_whole(&mut self, answer: &[u8], out: &mut Vec<u8>) {
        self.converter.push_response(answer, out);
        self.converter.finish(out);
    }

    /// Call when nothing has been written for a ping interval.
    pub fn tick(&mut self, out: &mut Vec<u8>) -> Progress {
        self.converter.tick(out)
    }

    /// The server's stream has broken.
    pub fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        self.converter.fail(error, out);
    }

    /// The server's stream has ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.converter.finish(out);
    }

    /// How far the answer is.
    pub fn progress(&self) -> Progress {
        self.converter.progress()
    }

    /// Call when all is over: learns from a stream's end, so that the next request fits the server's cache. Gives what
    /// should be in the log. A second call gives nothing.
    pub fn end(&mut self, now: Timestamp) -> Vec<String> {
        if !self.is_recorded && self.progress() == Progress::Ended {
            if let Some(error) = self.converter.failure() {
                self.is_recorded = true;
                let lesson = learn_late(&self.api.translator, &self.api.models, &self.context, error);
                self.notices.extend(lesson.map(|lesson| lesson.notice));
            } else {
                let turn = self.converter.record();
                self.record(&turn, now);
            }
        }
        std::mem::take(&mut self.notices)
    }

    fn record(&mut self, turn: &TurnRecord, now: Timestamp) {
        self.is_recorded = true;
        self.api.translator.record(&self.context, turn, now);
        self.notices.extend(self.problems(turn));
    }

    #[cfg(feature = "schemas")]
    fn problems(&self, turn: &TurnRecord) -> Vec<String> {
        /// The most bytes of a tool's name in the log: models make up any.
        const MAX_TOOL_NAME: usize = 80;
        let problems = self.api.translator.check_calls(&self.context, turn);
        let line = |problem: &crate::translate::CallProblem| {
            let tool = crate::error::shown(&problem.tool, MAX_TOOL_NAME);
            format!("the call of {tool} does not fit its tool: {}", problem.messages.join("; "))
        };
        problems.iter().map(line).collect()
    }

    #[cfg(not(feature = "schemas"))]
    fn problems(&self, _turn: &TurnRecord) -> Vec<String> {
        Vec::new()
    }
}
