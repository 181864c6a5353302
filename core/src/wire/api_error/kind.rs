//! The error types of the Messages API.

use std::fmt;
use std::str::FromStr;

/// The words of Anthropic's API for `error.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorType {
    /// The request cannot be served as it is (400).
    InvalidRequest,
    /// No key, or a wrong one (401).
    Authentication,
    /// Payment is missing (402).
    Billing,
    /// The key may not do this (403).
    Permission,
    /// The model or resource does not exist (404).
    NotFound,
    /// The request body is too large (413).
    RequestTooLarge,
    /// Too many requests or tokens for now (429).
    RateLimit,
    /// Something broke on the server's side (5xx).
    Api,
    /// Anthropic is overloaded (529). Claude Code gives up after three of these, so a local
    /// server that is only busy is reported as [`ErrorType::Api`] with status 503.
    Overloaded,
    /// The request took too long (504).
    Timeout,
}

impl ErrorType {
    /// Every type, in the order of the usual statuses.
    pub const ALL: [Self; 10] = [
        Self::InvalidRequest,
        Self::Authentication,
        Self::Billing,
        Self::Permission,
        Self::NotFound,
        Self::RequestTooLarge,
        Self::RateLimit,
        Self::Api,
        Self::Overloaded,
        Self::Timeout,
    ];

    /// The word that stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Billing => "billing_error",
            Self::Permission => "permission_error",
            Self::NotFound => "not_found_error",
            Self::RequestTooLarge => "request_too_large",
            Self::RateLimit => "rate_limit_error",
            Self::Api => "api_error",
            Self::Overloaded => "overloaded_error",
            Self::Timeout => "timeout_error",
        }
    }

    /// The type that goes with an HTTP status.
    #[must_use]
    pub fn by_status(status: u16) -> Self {
        match status {
            408 | 409 => Self::Api,
            _ => Self::ALL.into_iter().find(|kind| kind.usual_status() == status).unwrap_or(match status {
                400..=499 => Self::InvalidRequest,
                _ => Self::Api,
            }),
        }
    }

    /// The HTTP status that Anthropic sends with this type.
    #[must_use]
    pub fn usual_status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Authentication => 401,
            Self::Billing => 402,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::RequestTooLarge => 413,
            Self::RateLimit => 429,
            Self::Api => 500,
            Self::Overloaded => 529,
            Self::Timeout => 504,
        }
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is none of Anthropic's error types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownErrorType;

impl fmt::Display for UnknownErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of the error types of the Messages API")
    }
}

impl std::error::Error for UnknownErrorType {}

impl FromStr for ErrorType {
    type Err = UnknownErrorType;

    /// Reads the word as it stands on the wire. Fails on any other word.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(UnknownErrorType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_one_word_each_and_read_back() {
        for kind in ErrorType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("server_error".parse::<ErrorType>(), Err(UnknownErrorType));
    }
}
