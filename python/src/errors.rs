//! Failures and panics become the exceptions of `anyclaude/errors.py`.
//!
//! They are written in Python because classes of the stable ABI before 3.12 cannot derive from
//! `Exception` and have fields of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyclaude_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;

pyo3::import_exception!(anyclaude.errors, AnyClaudeError);
pyo3::import_exception!(anyclaude.errors, ConfigError);
pyo3::import_exception!(anyclaude.errors, TranslateError);
pyo3::import_exception!(anyclaude.errors, BackendError);
pyo3::import_exception!(anyclaude.errors, InternalError);
pyo3::import_exception!(anyclaude.errors, ProxyError);
pyo3::import_exception!(anyclaude.errors, StoppedError);
pyo3::import_exception!(anyclaude.errors, ForkError);

/// Calls into the core. A panic must not get through: pyo3 would raise a `PanicException`, which
/// `except Exception` does not catch.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T>) -> PyResult<T> {
    let result = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
        let literal = payload.downcast_ref::<&str>().copied();
        let told = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = format!("a defect of the library: {}", told.unwrap_or("no message"));
        Err(Error::new(ErrorKind::Internal, message))
    });
    result.map_err(|error| exception(&error))
}

/// The exception for an error of the core.
fn exception(error: &Error) -> PyErr {
    let api = error.to_api();
    let message = error.message().to_owned();
    let fields = (message, error.kind().as_str(), error.is_retryable(), api.status, api.to_json_without_id());
    match error.kind() {
        ErrorKind::Config => ConfigError::new_err(fields),
        ErrorKind::InvalidRequest | ErrorKind::Unsupported => TranslateError::new_err(fields),
        ErrorKind::Backend => BackendError::new_err(fields),
        ErrorKind::Io | ErrorKind::WouldDeadlock => ProxyError::new_err(fields),
        ErrorKind::Stopped => StoppedError::new_err(fields),
        ErrorKind::Internal => InternalError::new_err(fields),
        // A family that is newer than this table.
        _ => AnyClaudeError::new_err(fields),
    }
}

/// Panics, for the test that it becomes an `InternalError`.
#[pyfunction]
#[expect(clippy::panic, reason = "its purpose")]
pub(crate) fn _panic(message: &str) -> PyResult<()> {
    guarded(|| panic!("{message}"))
}
