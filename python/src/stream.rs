//! The converter of streams.

use std::sync::Mutex;

use anyclaude_core::wire::ApiError;
use anyclaude_core::{Error, ErrorKind, Progress, StreamConverter as Core};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::context::RequestContext;
use crate::errors::guarded;
use crate::interpreter::sized;
use crate::json::Json;

/// Turns the event stream of a server into that of the Messages API.
#[pyclass(frozen, module = "anyclaude")]
pub(crate) struct StreamConverter(Mutex<Core>, anyclaude_core::RequestContext);

#[pymethods]
impl StreamConverter {
    #[new]
    fn new(context: &RequestContext) -> PyResult<Self> {
        guarded(|| Ok(StreamConverter(Mutex::new(Core::new(context.0.clone())), context.0.clone())))
    }

    /// Takes the next bytes of the server's stream, cut anywhere; gives the events for the client.
    fn push<'py>(&self, py: Python<'py>, data: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = data.as_bytes();
        self.call(py, bytes.len(), |core, out| _ = core.push(bytes, out))
    }

    /// Takes one chunk as an object, from a server in the same process.
    #[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
    fn push_chunk<'py>(&self, py: Python<'py>, chunk: Json) -> PyResult<Bound<'py, PyBytes>> {
        let json = chunk.as_ref();
        self.call(py, json.len(), |core, out| _ = core.push_chunk(json, out))
    }

    /// Call when nothing has been sent for a while; gives a ping.
    fn tick<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.call(py, 0, |core, out| _ = core.tick(out))
    }

    /// The server's stream has broken; ends the client's stream.
    #[pyo3(signature = (message, status=502))]
    fn fail<'py>(&self, py: Python<'py>, message: &str, status: u16) -> PyResult<Bound<'py, PyBytes>> {
        self.call(py, 0, |core, out| core.fail(&ApiError::api(status, message), out))
    }

    /// The server's stream has ended; ends the client's stream.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.call(py, 0, |core, out| _ = core.finish(out))
    }

    /// Whether the last event has been given.
    #[getter]
    fn ended(&self, py: Python<'_>) -> PyResult<bool> {
        let mut ended = false;
        self.call(py, 0, |core, _| ended = core.progress() == Progress::Ended)?;
        Ok(ended)
    }
}

impl StreamConverter {
    /// What the turn was, and the request it belongs to.
    pub(crate) fn turn(
        &self,
        py: Python<'_>,
    ) -> PyResult<(anyclaude_core::RequestContext, anyclaude_core::TurnRecord)> {
        let mut turn = anyclaude_core::TurnRecord::default();
        self.call(py, 0, |core, _| turn = core.record())?;
        Ok((self.1.clone(), turn))
    }

    /// Calls the converter and gives what it wrote. The lock is taken and given back on one side of
    /// the interpreter's, so that the two cannot wait for each other.
    fn call<'py>(
        &self,
        py: Python<'py>,
        size: usize,
        call: impl FnOnce(&mut Core, &mut Vec<u8>) + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let out = sized(py, size, || {
            let mut core = self.0.lock().map_err(|_| {
                Error::new(ErrorKind::Internal, "an earlier call on this converter met a defect of the library")
            })?;
            let mut out = Vec::new();
            call(&mut core, &mut out);
            Ok(out)
        })?;
        Ok(PyBytes::new(py, &out))
    }
}
