//! One request and its answer, from the first try to the last event, without a socket.
//!
//! A door of the API (the proxy, a Python server's middleware) carries bytes and keeps time; what it does with a
//! server's refusal, what it learns from it and what the client is told is decided here. In come a request body
//! and what the server answers, out go bodies for the server and [`Reply`]s for the client.

mod api;
mod lessons;
mod limits;
mod models;
mod refusal;
mod reply;
mod turn;

pub use api::{MessagesApi, Received};
pub use lessons::Lesson;
pub use limits::{
    COMMIT_AFTER, MAX_ANSWER_BYTES, MAX_BODY_BYTES, MAX_ERROR_BYTES, MAX_TRIES, PING_INTERVAL, STALL_TIMEOUT,
};
pub use models::ModelTable;
#[cfg(feature = "proxy")]
pub(crate) use models::is_stale;
pub use refusal::{ReadAs, Refusal, Tries, Verdict};
pub use reply::{Reply, method_not_allowed};
pub use turn::Exchange;

#[cfg(feature = "proxy")]
pub(crate) use lessons::learn_late;
