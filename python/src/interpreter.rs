//! When to let go of the interpreter.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyclaude_core::Result;
use pyo3::prelude::*;

use crate::errors::guarded;

/// From this many bytes of input on, other Python threads may run meanwhile: that is a millisecond's work or more.
///
/// A thread that computes gives the interpreter back only after Python's switch interval, 5 ms, so that letting go
/// of it for less costs the caller more than it gives to others. `tests/bench/borders.py` measures both.
static DETACH_FROM: AtomicUsize = AtomicUsize::new(256 << 10);

/// Calls into the core with an input of `size` bytes.
pub(crate) fn sized<T: Send>(py: Python<'_>, size: usize, call: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    if size < DETACH_FROM.load(Ordering::Relaxed) { guarded(call) } else { py.detach(|| guarded(call)) }
}

/// Sets from how many bytes on the interpreter is let go of, and gives what was set before. For the benchmark
/// that looks for the right number.
#[pyfunction]
pub(crate) fn _detach_from(size: usize) -> usize {
    DETACH_FROM.swap(size, Ordering::Relaxed)
}
