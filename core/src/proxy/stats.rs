//! Counters of a running proxy.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Requests for a message.
    pub requests: u64,
    /// Of these, answered with an error.
    pub errors: u64,
    /// Of these, left by the client before the end.
    pub cancelled: u64,
    /// Of these, in flight now.
    pub active: u64,
    /// Prompt tokens read anew by the backend.
    pub input_tokens: u64,
    /// Prompt tokens that the backend's cache held.
    pub cache_read_input_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// Calls that did not fit the schemas of their tools.
    pub invalid_calls: u64,
    /// Prompts that differ from the one before them in their conversation, so that they were read anew from there.
    pub broken_prefixes: u64,
    /// Prompts that went on from the one before them, which the server had not kept.
    pub lost_prefixes: u64,
    /// What reading those again took, in milliseconds.
    pub prefix_cost_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) ended: AtomicU64,
    pub(super) input_tokens: AtomicU64,
    pub(super) cache_read_input_tokens: AtomicU64,
    pub(super) output_tokens: AtomicU64,
    pub(super) invalid_calls: AtomicU64,
    pub(super) broken_prefixes: AtomicU64,
    pub(super) lost_prefixes: AtomicU64,
    pub(super) prefix_cost_ms: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let ended = read(&self.ended);
        let requests = read(&self.requests);
        Stats {
            requests,
            errors: read(&self.errors),
            cancelled: read(&self.cancelled),
            active: requests.saturating_sub(ended),
            input_tokens: read(&self.input_tokens),
            cache_read_input_tokens: read(&self.cache_read_input_tokens),
            output_tokens: read(&self.output_tokens),
            invalid_calls: read(&self.invalid_calls),
            broken_prefixes: read(&self.broken_prefixes),
            lost_prefixes: read(&self.lost_prefixes),
            prefix_cost_ms: read(&self.prefix_cost_ms),
        }
    }
}
