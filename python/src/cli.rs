//! The command line, for `python -m anyclaude` and the script that an installation brings.

use std::ffi::OsString;

use pyo3::prelude::*;

use crate::errors::guarded;

/// Runs the command line and gives its exit code; the first argument is the program's name.
#[pyfunction]
pub(crate) fn run(py: Python<'_>, args: Vec<OsString>) -> PyResult<u8> {
    py.detach(|| guarded(|| Ok(anyclaude::run(args))))
}
