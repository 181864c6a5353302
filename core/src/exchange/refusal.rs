//! What becomes of a request that the server refuses.

use super::lessons::{Lesson, learn, learn_limits};
use super::limits::MAX_TRIES;
use super::models::ModelTable;
use crate::translate::{BackendFailure, RequestContext, Translator, classify, refused_parameter};
use crate::wire::ApiError;

/// An error answer of a server, read as far as it tells anything ([`MAX_ERROR_BYTES`](super::MAX_ERROR_BYTES)).
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    /// The HTTP status; also a 2xx one, of a server that answers with a page.
    pub status: u16,
    /// The header `content-type`.
    pub content_type: Option<String>,
    /// The header `retry-after`.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// The key that the server saw was the client's own, as inside of a server.
    pub clients_key: bool,
}

/// How the body of a server's answer is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAs {
    /// As events, while they come.
    Events,
    /// Whole: one JSON document. Some servers send that although they were asked for a stream.
    Whole,
    /// As a [`Refusal`].
    Refusal,
}

impl ReadAs {
    /// By the head of the answer to a request.
    pub fn by_head(context: &RequestContext, status: u16, content_type: &str) -> Self {
        let is_success = (200..300).contains(&status);
        let content_type = content_type.trim_start().to_ascii_lowercase();
        if !is_success || content_type.starts_with("text/html") {
            return ReadAs::Refusal;
        }
        let is_events = context.backend_stream || content_type.starts_with("text/event-stream");
        if context.stream && is_events && !content_type.starts_with("application/json") {
            ReadAs::Events
        } else {
            ReadAs::Whole
        }
    }
}

/// What is to be done about a refusal.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Translate the request once more, with [`Tries::max_tokens`], and send that.
    Again,
    /// Tell the client.
    Refused(ApiError),
}

/// The tries of one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tries {
    made: usize,
    max_tokens: Option<u64>,
}

impl Tries {
    /// The most tokens that the next try may ask for, where a refusal told; for
    /// [`RequestMeta::max_tokens`](crate::RequestMeta).
    pub fn max_tokens(&self) -> Option<u64> {
        self.max_tokens
    }

    /// The last try was refused: learns from it, and says what follows. The lesson, if there is one, is for the log.
    pub fn refused(
        &mut self,
        translator: &Translator,
        models: &ModelTable,
        context: &RequestContext,
        refusal: &Refusal,
    ) -> (Verdict, Option<Lesson>) {
        self.made += 1;
        let error = refusal.classify(context);
        learn_limits(models, context, refusal.status, &error);
        let lesson = refused_parameter(refusal.status, &refusal.body)
            .and_then(|refused| learn(translator, models, context, refused));
        let smaller = error.limit.as_ref().and_then(|limit| limit.max_tokens_for_retry());
        let smaller = smaller.filter(|_| self.max_tokens.is_none());
        self.max_tokens = self.max_tokens.or(smaller);
        let differs = smaller.is_some() || lesson.as_ref().is_some_and(|lesson| lesson.changes);
        let verdict = if differs && self.made < MAX_TRIES { Verdict::Again } else { Verdict::Refused(error) };
        (verdict, lesson)
    }
}

impl Refusal {
    /// What the client is told of it.
    pub fn classify(&self, context: &RequestContext) -> ApiError {
        let mut failure = BackendFailure::new(context.backend, self.status, &self.body);
        failure.content_type = self.content_type.as_deref();
        failure.retry_after = self.retry_after.as_deref();
        failure.max_tokens = context.max_tokens;
        failure.estimated_prompt = context.estimated_input_tokens;
        failure.clients_key = self.clients_key;
        context.masked(classify(&failure))
    }
}
