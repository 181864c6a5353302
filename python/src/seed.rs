//! Where ids come from.

use anyclaude_core::Seed;
use pyo3::prelude::*;

/// The seed that was given, or a new one: clients drop calls whose id they have seen, so ids must differ from answer
/// to answer.
pub(crate) fn fresh(py: Python<'_>, seed: Option<u128>) -> PyResult<Seed> {
    match seed {
        Some(seed) => Ok(Seed(seed)),
        None => Ok(Seed(u128::from_le_bytes(py.import("os")?.getattr("urandom")?.call1((16,))?.extract()?))),
    }
}
