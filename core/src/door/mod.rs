//! What callers without Rust types give and get, as JSON. The doors for C and others are made of it.

mod context;
mod failure;
#[cfg(feature = "proxy")]
mod proxy;
mod read;
mod request;
mod told;
mod tools;

pub(crate) use read::strict;
pub use request::RequestFacts;
pub use told::prefix_reports_json;
pub use tools::{JsonToolParser, parse_tools_json, tool_formats_json};
