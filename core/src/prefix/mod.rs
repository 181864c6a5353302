//! How much of a prompt a server has read before, where it differs, and why.
//!
//! A server keeps the keys and values of the tokens it has read (its KV cache) and can go on from the longest
//! prefix that it knows. Chat templates write the system prompt first, then the tools, then the dialogue: prompts
//! are compared in that order, by the bytes that are sent. What the server itself counts stands beside it.

mod compare;
mod difference;
mod prompt;
mod reason;
mod report;

pub use compare::Comparison;
pub use difference::Difference;
pub(crate) use prompt::{Marks, Prompt};
pub use reason::{Reason, ReasonCode};
pub(crate) use report::{Asked, draft};
pub use report::{Outcome, PrefixReport, Traffic};
