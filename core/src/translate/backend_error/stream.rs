//! Errors inside a stream that began with status 200.

use crate::wire::ApiError;

use super::body::Said;
use super::{BackendFailure, judge, message};

/// An `error` found in a backend's stream.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StreamFailure<'a> {
    /// The registry's word for the backend.
    pub backend: &'a str,
    /// Raw JSON: the value of `error` (object or string), or the whole chunk that contains it.
    pub raw: &'a [u8],
    /// The `max_tokens` that was sent.
    pub max_tokens: Option<u64>,
    /// Our own estimate of the prompt in tokens; 0 when there is none.
    pub estimated_prompt: u64,
}

impl<'a> StreamFailure<'a> {
    /// A failure of which only the raw error is known; the other fields can be set afterwards.
    #[must_use]
    pub fn new(backend: &'a str, raw: &'a [u8]) -> Self {
        Self { backend, raw, max_tokens: None, estimated_prompt: 0 }
    }
}

/// Turns an error inside a stream into what the client is told. The status is the one that the
/// server names in its error object, else that of its `type`, else 502: it matters because the
/// client's repeated request, which is not streamed, is answered with it when it fails again.
#[must_use]
pub fn classify_stream_error(failure: &StreamFailure<'_>) -> ApiError {
    let said = Said::read(failure.raw);
    let whole = BackendFailure {
        max_tokens: failure.max_tokens,
        estimated_prompt: failure.estimated_prompt,
        ..BackendFailure::new(failure.backend, status_of(&said), failure.raw)
    };
    message::finish(judge(&whole, &said))
}

fn status_of(said: &Said) -> u16 {
    let named = said.status.or_else(|| TYPES.iter().find(|(word, _)| said.has_word(word)).map(|(_, status)| *status));
    named.unwrap_or(UNNAMED_STATUS)
}

/// A stream that breaks for no named reason: the backend failed behind a working connection.
const UNNAMED_STATUS: u16 = 502;

/// Words of OpenAI-like servers for `type`, where no number is given.
const TYPES: &[(&str, u16)] = &[
    ("invalid_request_error", 400),
    ("BadRequestError", 400),
    ("validation", 400),
    ("rate_limit_error", 429),
    ("rate_limit_exceeded", 429),
    ("overloaded_error", 503),
    ("overloaded", 503),
    ("unavailable_error", 503),
    ("timeout_error", 504),
    ("server_error", 500),
    ("InternalServerError", 500),
    ("internal_error", 500),
    ("api_error", 500),
];
