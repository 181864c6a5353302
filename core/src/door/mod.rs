//! What callers without Rust types give and get, as JSON. The doors for C and others are made of it.

mod context;
mod failure;
mod read;
mod request;
mod tools;

pub(crate) use read::strict;
pub use request::RequestFacts;
pub use tools::{JsonToolParser, parse_tools_json};
