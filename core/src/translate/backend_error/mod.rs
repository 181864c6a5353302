//! A backend's refusal -> the error that an Anthropic client understands.
//!
//! In come status, headers and body of a failed answer (or the `error` object inside a stream that
//! began with 200); out goes an [`ApiError`]. The pipeline calls [`classify`] and
//! [`classify_stream_error`], and [`refused_parameter`] before it gives up on a request that a
//! server refused because of an optional parameter of ours.
//!
//! Claude Code acts on status and wording, so both are chosen by what it does with them: "prompt is
//! too long" starts a compaction, 401 and 529 are never sent (the first is retried for a minute,
//! the second given up after two seconds), 404 means nothing but an unknown model.
//!
//! The order of the questions matters: wordings say more than statuses, because servers report one
//! and the same cause with 400, 404, 413, 422, 500 or inside a 200.

mod body;
mod figures;
mod html;
mod message;
mod reasons;
mod redact;
mod refused;
mod refused_wordings;
mod retry_after;
mod status;
mod stream;
mod too_long;
mod too_long_wordings;

pub(crate) use redact::redact_body;
pub use refused::{RefusedParameter, refused_parameter};
pub use stream::{StreamFailure, classify_stream_error};

use crate::wire::ApiError;
use body::Said;

/// A failed answer of a backend, as it came.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BackendFailure<'a> {
    /// The registry's word for the backend, e.g. `mlx-lm`. Only put into sentences.
    pub backend: &'a str,
    /// The HTTP status. A 2xx status is allowed: some servers send errors with 200.
    pub status: u16,
    /// The header `content-type`, if any. Not needed: the body is looked at.
    pub content_type: Option<&'a str>,
    /// The header `retry-after`, if any.
    pub retry_after: Option<&'a str>,
    /// The body, as far as it was read.
    pub body: &'a [u8],
    /// The `max_tokens` that was sent to the backend.
    pub max_tokens: Option<u64>,
    /// Our own estimate of the prompt in tokens; 0 when there is none.
    pub estimated_prompt: u64,
    /// The key that the backend saw was the client's own, not one of ours.
    pub clients_key: bool,
}

impl<'a> BackendFailure<'a> {
    /// A failure of which only status and body are known; the other fields can be set afterwards.
    #[must_use]
    pub fn new(backend: &'a str, status: u16, body: &'a [u8]) -> Self {
        Self {
            backend,
            status,
            content_type: None,
            retry_after: None,
            body,
            max_tokens: None,
            estimated_prompt: 0,
            clients_key: false,
        }
    }
}

/// Turns a backend's failed answer into what the client is told. Never fails: a body that cannot be
/// read gives a sentence with the status and the backend's name.
///
/// ```
/// use anyclaude_core::{BackendFailure, classify};
///
/// let body = br#"{"error":{"code":400,"type":"exceed_context_size_error","n_prompt_tokens":8708,"n_ctx":8192,
///     "message":"request (8708 tokens) exceeds the available context size (8192 tokens)"}}"#;
/// let error = classify(&BackendFailure::new("llama.cpp", 400, body));
/// assert_eq!(error.message, "prompt is too long: 8708 tokens > 8192 maximum");
/// ```
#[must_use]
pub fn classify(failure: &BackendFailure<'_>) -> ApiError {
    let said = Said::read(failure.body);
    let error = judge(failure, &said);
    message::finish(error)
}

/// The questions in their order, for whole answers and stream errors alike.
fn judge(failure: &BackendFailure<'_>, said: &Said) -> ApiError {
    too_long::find(failure, said)
        .or_else(|| reasons::find(failure, said))
        .unwrap_or_else(|| status::by_status(failure, said))
}
