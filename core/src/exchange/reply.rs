//! Answers for the client, as a status, headers and a body.

use crate::wire::{ApiError, ErrorType};

/// An answer, or the head of a stream of events. Header names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers; the length of the body is the door's to tell.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for the head of a stream.
    pub body: Vec<u8>,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Reply { status, headers: vec![("content-type", "application/json".to_owned())], body: body.into() }
    }

    /// The head of a stream of events.
    pub fn events() -> Self {
        let headers = vec![
            ("content-type", "text/event-stream; charset=utf-8".to_owned()),
            ("cache-control", "no-cache".to_owned()),
        ];
        Reply { status: 200, headers, body: Vec::new() }
    }

    /// An error, with the headers that clients act on.
    pub fn error(error: &ApiError, request_id: &str) -> Self {
        let mut reply = Reply::json(error.status, error.to_json(request_id));
        if let Some(seconds) = error.retry_after {
            reply.headers.push(("retry-after", seconds.to_string()));
        }
        if let Some(retry) = error.should_retry {
            reply.headers.push(("x-should-retry", retry.to_string()));
        }
        reply
    }

    /// The answer to a question for the tokens of a prompt, which is an estimate.
    pub fn token_count(tokens: u64) -> Self {
        let mut reply = Reply::json(200, format!("{{\"input_tokens\":{tokens}}}"));
        reply.headers.push(("x-anyclaude-token-count", "estimated".to_owned()));
        reply
    }

    /// The same with the id of the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        self.headers.push(("request-id", request_id.to_owned()));
        self
    }
}

/// 405 for a path that is there, with the methods that it takes.
pub fn method_not_allowed(method: &str, path: &str, allowed: &[&str]) -> ApiError {
    ApiError::new(405, ErrorType::InvalidRequest, format!("{method} {path}: use {}", allowed.join(" or ")))
}
