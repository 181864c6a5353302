//! The error answer as Anthropic's clients expect it: in come a status, a type and a sentence, out
//! goes the JSON body of an HTTP answer or one SSE `error` event.
//!
//! The types and the shape are those of the Messages API. `retry_after` and `should_retry` are no
//! part of the body: the server puts them into the headers `retry-after` and `x-should-retry`.

mod kind;
mod token_limit;

pub use kind::{ErrorType, UnknownErrorType};
pub use token_limit::TokenLimit;

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

/// One error, ready to be sent to an Anthropic client.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// `error.type`.
    pub kind: ErrorType,
    /// `error.message`: a sentence for a human. Claude Code also looks for wordings in it.
    pub message: String,
    /// Whole seconds for the header `retry-after`. Above 60 Claude Code does not wait but fails.
    pub retry_after: Option<u32>,
    /// Becomes the header `x-should-retry`: `Some(false)` stops the client's retries.
    pub should_retry: Option<bool>,
    /// A raw JSON object for `error.details`; anything else than an object is left out.
    pub details: Option<String>,
    /// The backend's figures when the request was too long, so that a smaller one can be tried.
    pub limit: Option<Box<TokenLimit>>,
}

impl ApiError {
    /// An error with any status.
    pub fn new(status: u16, kind: ErrorType, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, kind, message, retry_after: None, should_retry: None, details: None, limit: None }
    }

    /// An error with the status that belongs to its type.
    pub fn of(kind: ErrorType, message: impl Into<String>) -> Self {
        Self::new(kind.usual_status(), kind, message)
    }

    /// An error with the type that belongs to its status.
    pub fn by_status(status: u16, message: impl Into<String>) -> Self {
        Self::new(status, ErrorType::by_status(status), message)
    }

    /// 400 `invalid_request_error`.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::of(ErrorType::InvalidRequest, message)
    }

    /// `api_error` with a status of the 5xx class (or 408, 409).
    pub fn api(status: u16, message: impl Into<String>) -> Self {
        Self::new(status, ErrorType::Api, message)
    }

    /// Sets the header `retry-after`, in whole seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after = seconds;
        self
    }

    /// Sets the header `x-should-retry`.
    #[must_use]
    pub fn with_should_retry(mut self, retry: bool) -> Self {
        self.should_retry = Some(retry);
        self
    }

    /// Sets `error.details` to a raw JSON object.
    #[must_use]
    pub fn with_details(mut self, object: impl Into<String>) -> Self {
        self.details = Some(object.into());
        self
    }

    /// Attaches the backend's figures.
    #[must_use]
    pub fn with_limit(mut self, limit: TokenLimit) -> Self {
        self.limit = Some(Box::new(limit));
        self
    }

    /// The body of an HTTP error answer, with the id that also stands in the header `request-id`.
    #[must_use]
    pub fn to_json(&self, request_id: &str) -> Vec<u8> {
        self.body(Some(request_id))
    }

    /// The same body without an id, for callers that have their own.
    #[must_use]
    pub fn to_json_without_id(&self) -> Vec<u8> {
        self.body(None)
    }

    /// One complete SSE event for a stream that has begun.
    #[must_use]
    pub fn to_sse(&self) -> Vec<u8> {
        let mut event = b"event: error\ndata: ".to_vec();
        event.extend_from_slice(&self.body(None));
        event.extend_from_slice(b"\n\n");
        event
    }

    fn body(&self, request_id: Option<&str>) -> Vec<u8> {
        let details = self.details.as_deref().filter(|raw| raw.trim_start().starts_with('{'));
        let envelope = Envelope {
            kind: "error",
            error: Inner {
                kind: self.kind.as_str(),
                message: &self.message,
                // Parsing again keeps a broken `details` from breaking the whole body, and
                // takes line breaks out of it, which would end an SSE data line.
                details: details
                    .and_then(|raw| serde_json::from_str::<serde_json::Value>(raw).ok())
                    .and_then(|value| serde_json::value::to_raw_value(&value).ok()),
            },
            request_id,
        };
        serde_json::to_vec(&envelope).unwrap_or_else(|_| FALLBACK_BODY.to_vec())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.kind, self.message)
    }
}

impl std::error::Error for ApiError {}

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    error: Inner<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Inner<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<RawValue>>,
}

/// Sent if serialising fails, which strings alone cannot cause.
const FALLBACK_BODY: &[u8] = br#"{"type":"error","error":{"type":"api_error","message":"internal error"}}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_and_event_have_anthropics_shape() {
        let error = ApiError::invalid_request("bad \"thing\"\nhere").with_details("{\"a\":\n1}");
        assert_eq!(
            String::from_utf8(error.to_json("req_1")).unwrap(),
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"bad \"thing\"\nhere","details":{"a":1}},"request_id":"req_1"}"#
        );
        let event = String::from_utf8(error.to_sse()).unwrap();
        assert!(event.starts_with("event: error\ndata: {") && event.ends_with("}\n\n"));
        assert_eq!(event.lines().count(), 3);
    }

    #[test]
    fn details_that_are_no_object_are_left_out() {
        for bad in ["[1]", "{broken", "", "7"] {
            let body = ApiError::api(500, "x").with_details(bad).to_json("r");
            assert!(!String::from_utf8(body).unwrap().contains("details"), "{bad}");
        }
    }
}
