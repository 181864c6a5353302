//! JSON and server-sent events as they are on the wire, and nothing else.
//!
//! Types borrow from the body they were read from, keep strings in escaped form ([`JsonText`]) and
//! tolerate fields, block types and shapes that they do not know.

pub mod anthropic;
mod api_error;
pub mod blocks;
mod dialect;
pub(crate) mod encoding;
pub(crate) mod json;
pub(crate) mod messages_event;
pub mod openai;
mod repair;
pub(crate) mod scan;
pub mod sse;

pub use api_error::{ApiError, ErrorType, TokenLimit, UnknownErrorType};
pub use dialect::Dialect;
pub use json::{DecodedChars, JsonText, push_escaped, shape};
pub(crate) use repair::may_hold_surrogates;
pub use repair::repair_escapes;
pub use scan::RawJson;
