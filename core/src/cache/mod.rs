//! What is kept of earlier requests, in memory and without a clock.
//!
//! [`PrefixIndex`] finds the longest prefix of a prompt that an earlier one has left in a server's KV cache. The
//! state itself stays with the server; the index knows tokens, sizes and integer slots.

mod index;
mod tree;

pub use index::{
    Found, Inserted, MAX_CHECKPOINTS, MAX_ENTRIES, Match, NewEntry, PINNED_SHARE, PrefixIndex, PrefixStats, Slot,
};
