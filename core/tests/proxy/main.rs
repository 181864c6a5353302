//! The proxy between real sockets, a scripted backend and a clock that moves when a test says so.
//!
//! Minutes of silence pass at once, and nothing here sleeps to wait for something to happen.

#![cfg(feature = "proxy")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod backend;
mod client;
mod clock;
mod scene;
mod schemas;
mod steps;

mod commit;
mod control;
mod ends;
mod events;
mod guard;
mod leaving;
mod limits;
mod neighbours;
mod passthrough;
mod retries;
mod silence;
mod slow_reader;
mod stopping;
mod switching;
mod traces;
