//! The C door of anyclaude: converts, calls one function of the core, converts back.
//!
//! `handle` says what crosses the border and who owns it, `guard` turns results and panics into a
//! status, `status` and `error` are how failures are told; the other files hold the exports. What
//! users read is the header made from all of it, `include/anyclaude.h`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

#[cfg(panic = "abort")]
compile_error!("the C library needs panic = \"unwind\": a panic must become a status and not end the host");

// `#[unsafe(no_mangle)]` counts as unsafe code. Blocks of it are in `handle` alone, which a test checks.
#[allow(unsafe_code)]
pub mod buffer;
#[allow(unsafe_code)]
pub mod error;
mod guard;
#[allow(unsafe_code)]
pub mod handle;
pub mod log;
#[allow(unsafe_code)]
pub mod prefix_index;
#[allow(unsafe_code)]
pub mod proxy;
pub mod status;
#[allow(unsafe_code)]
pub mod stream;
#[allow(unsafe_code)]
pub mod toolcall;
#[allow(unsafe_code)]
pub mod translate;
#[allow(unsafe_code)]
pub mod translated;
#[allow(unsafe_code)]
pub mod version;
