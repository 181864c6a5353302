//! The library's one error type.

use std::borrow::Cow;
use std::{error, fmt};

use crate::wire::{ApiError, ErrorType};

/// Result with the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as one boxed word.
///
/// `kind()` decides what callers do; `to_api()` is what an Anthropic client is told. Messages name
/// the place, the value's shape and the fix, and never carry a secret.
pub struct Error {
    repr: Box<Repr>,
}

struct Repr {
    kind: ErrorKind,
    message: String,
    api: Option<ApiError>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

/// The most bytes of a client's own words that an error repeats.
const MAX_SHOWN: usize = 400;

/// The beginning of a text, with dots if it goes on. What a client or server says must not make
/// messages and log lines of any length.
pub(crate) fn shown(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    Cow::Owned(format!("{}...", text.get(..end).unwrap_or_default()))
}

/// The families of failure. C codes and Python classes are tables over this enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is missing, unknown or of the wrong shape.
    Config,
    /// The client's request cannot be understood.
    InvalidRequest,
    /// The client asks for something this library does not do.
    Unsupported,
    /// The backend refused, failed, or answered with something that is no answer.
    Backend,
    /// A socket, file or thread failed.
    Io,
    /// What was called has been stopped.
    Stopped,
    /// The call would wait for the thread it is made on.
    WouldDeadlock,
    /// A defect of this library.
    Internal,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The client sent something wrong.
    Client,
    /// The backend failed.
    Backend,
    /// The host, its configuration or this library.
    Host,
}

impl ErrorKind {
    /// The kind as a stable lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Config => "config",
            ErrorKind::InvalidRequest => "invalid_request",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Backend => "backend",
            ErrorKind::Io => "io",
            ErrorKind::Stopped => "stopped",
            ErrorKind::WouldDeadlock => "would_deadlock",
            ErrorKind::Internal => "internal",
        }
    }
}

impl Error {
    /// An error of `kind` with a message for people.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let repr = Repr { kind, message: message.into(), api: None, source: None };
        Error { repr: Box::new(repr) }
    }

    /// An error that is already in the client's terms.
    pub(crate) fn told(kind: ErrorKind, api: ApiError) -> Self {
        let repr = Repr { kind, message: api.message.clone(), api: Some(api), source: None };
        Error { repr: Box::new(repr) }
    }

    /// A request that cannot be understood; `path` is the place in the body, like `messages[2].role`.
    pub(crate) fn at(path: &str, what: impl fmt::Display) -> Self {
        let what = what.to_string();
        Error::new(ErrorKind::InvalidRequest, format!("{}: {}", shown(path, MAX_SHOWN), shown(&what, MAX_SHOWN)))
    }

    /// The same error with the failure that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.repr.source = Some(source.into());
        self
    }

    /// Which family this is.
    pub fn kind(&self) -> ErrorKind {
        self.repr.kind
    }

    /// The sentence for people, without the chain of sources.
    pub fn message(&self) -> &str {
        &self.repr.message
    }

    /// Whose fault it is.
    pub fn origin(&self) -> Origin {
        match self.repr.kind {
            ErrorKind::InvalidRequest | ErrorKind::Unsupported => Origin::Client,
            ErrorKind::Backend => Origin::Backend,
            ErrorKind::Config | ErrorKind::Io | ErrorKind::Stopped | ErrorKind::WouldDeadlock | ErrorKind::Internal => {
                Origin::Host
            }
        }
    }

    /// Whether the same call may succeed later without a change: what clients take from the status.
    pub fn is_retryable(&self) -> bool {
        let api = self.to_api();
        let passing = matches!(self.repr.kind, ErrorKind::Backend | ErrorKind::Io | ErrorKind::InvalidRequest);
        passing && api.should_retry.unwrap_or(matches!(api.status, 408 | 409 | 429 | 500..))
    }

    /// What an Anthropic client is told: status, type and message.
    pub fn to_api(&self) -> ApiError {
        if let Some(api) = &self.repr.api {
            return api.clone();
        }
        match self.repr.kind {
            ErrorKind::InvalidRequest => ApiError::invalid_request(self.message()),
            ErrorKind::Unsupported => ApiError::of(ErrorType::NotFound, self.message()),
            ErrorKind::Backend => ApiError::api(502, self.message()),
            ErrorKind::Config | ErrorKind::Io | ErrorKind::Stopped | ErrorKind::WouldDeadlock | ErrorKind::Internal => {
                ApiError::api(500, self.message())
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_struct("Error");
        d.field("kind", &self.repr.kind).field("message", &self.repr.message);
        if let Some(source) = &self.repr.source {
            d.field("source", source);
        }
        d.finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.repr.source.as_deref().map(|e| e as _)
    }
}
