//! JSON from Python: `bytes` and `str` as they are, a `dict` or list through the `json` module.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

/// A JSON document, readable without the interpreter.
pub(crate) enum Json {
    Bytes(PyBackedBytes),
    Text(PyBackedStr),
}

impl AsRef<[u8]> for Json {
    fn as_ref(&self) -> &[u8] {
        match self {
            Json::Bytes(bytes) => bytes,
            Json::Text(text) => text.as_bytes(),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Json {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyBytes>() {
            return Ok(Json::Bytes(object.extract()?));
        }
        if object.is_instance_of::<PyString>() {
            return Ok(Json::Text(object.extract()?));
        }
        if object.is_instance_of::<PyDict>() {
            return written(object);
        }
        let name = object.get_type().name()?;
        Err(PyTypeError::new_err(format!("expected JSON as bytes, str or dict, not {name}")))
    }
}

/// Tool definitions: a list of dicts, or its JSON. None, unless given.
#[derive(Default)]
pub(crate) struct Tools(Option<Json>);

impl AsRef<[u8]> for Tools {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref().map_or(b"[]", AsRef::as_ref)
    }
}

impl<'py> FromPyObject<'_, 'py> for Tools {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyBytes>() || object.is_instance_of::<PyString>() {
            return Ok(Tools(Some(object.extract()?)));
        }
        if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
            return Ok(Tools(Some(written(object)?)));
        }
        let name = object.get_type().name()?;
        Err(PyTypeError::new_err(format!("expected tools as a list of dicts, or as JSON in bytes or str, not {name}")))
    }
}

/// Escapes only where they must be; a lone surrogate has no other form.
fn written(object: Borrowed<'_, '_, PyAny>) -> PyResult<Json> {
    match dumps(object, false)?.extract() {
        Ok(text) => Ok(Json::Text(text)),
        Err(_) => Ok(Json::Text(dumps(object, true)?.extract()?)),
    }
}

/// `json.loads`.
pub(crate) fn loads<'py>(py: Python<'py>, json: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.call_method1("loads", (json,))
}

/// What the core tells, as dicts and lists.
pub(crate) fn parsed<'py>(py: Python<'py>, told: &impl serde::Serialize) -> PyResult<Bound<'py, PyAny>> {
    let json = serde_json::to_vec(told).map_err(|error| PyValueError::new_err(error.to_string()))?;
    loads(py, &PyBytes::new(py, &json))
}

/// `json.dumps` without spaces, and without the `NaN` that no other reader takes.
fn dumps<'py>(object: Borrowed<'_, 'py, PyAny>, ensure_ascii: bool) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let options = PyDict::new(py);
    options.set_item("ensure_ascii", ensure_ascii)?;
    options.set_item("allow_nan", false)?;
    options.set_item("separators", (",", ":"))?;
    py.import("json")?.call_method("dumps", (object,), Some(&options))
}
