//! Events become what the client reads: an event stream, or one message.

mod blocks;
mod message;
mod messages_sse;
mod outcome;

pub use blocks::SIGNATURE;
pub(crate) use blocks::{BlockWriter, Blocks, Kind};
pub(crate) use message::MessageWriter;
pub(crate) use messages_sse::{SseWriter, push_message_delta, push_message_start, push_ping};
pub(crate) use outcome::{Outcome, TokenCounts};
