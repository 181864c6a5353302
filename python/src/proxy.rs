//! The proxy. Its threads never call into Python: what happens is pulled.

use std::mem;
use std::time::{Duration, Instant};

use anyclaude_core::proxy::BackendChoice;
use anyclaude_core::{Config, blocking};
use pyo3::prelude::*;

use crate::errors::{ForkError, guarded};
use crate::json::{Json, parsed};

/// How long a wait goes on before it looks whether Python has got a signal, such as Ctrl-C.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// Starts a proxy with these settings.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
pub(crate) fn start_proxy(py: Python<'_>, config: Json) -> PyResult<Proxy> {
    let handle = py.detach(|| guarded(|| blocking::start_proxy(Config::from_json(config.as_ref())?)))?;
    Ok(Proxy { handle: Some(handle), pid: std::process::id() })
}

/// A running proxy.
#[pyclass(frozen, module = "anyclaude._native")]
pub(crate) struct Proxy {
    /// There until it is dropped.
    handle: Option<blocking::ProxyHandle>,
    /// The process that its threads are in.
    pid: u32,
}

#[pymethods]
impl Proxy {
    /// What clients set as `ANTHROPIC_BASE_URL`.
    #[getter]
    fn url(&self) -> PyResult<String> {
        Ok(self.handle()?.base_url())
    }

    /// The bound port.
    #[getter]
    fn port(&self) -> PyResult<u16> {
        Ok(self.handle()?.addr().port())
    }

    /// Counters since the start.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        parsed(py, &self.handle()?.stats())
    }

    /// The backend that requests go to now.
    fn backend<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        parsed(py, &self.handle()?.backend())
    }

    /// What users should know of this backend.
    fn warnings(&self) -> PyResult<Vec<String>> {
        Ok(self.handle()?.warnings())
    }

    /// What the last prompts of a session shared with those before them.
    fn prefix_reports<'py>(&self, py: Python<'py>, session: &str) -> PyResult<Bound<'py, PyAny>> {
        parsed(py, &self.handle()?.prefix_reports(session))
    }

    /// From now on requests go to another backend.
    #[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
    fn set_backend<'py>(&self, py: Python<'py>, choice: Json) -> PyResult<Bound<'py, PyAny>> {
        let handle = self.handle()?;
        let info = py.detach(|| guarded(|| handle.set_backend(BackendChoice::from_json(choice.as_ref())?)))?;
        parsed(py, &info)
    }

    /// The next event, if one comes within so many seconds; for ever if `None`.
    fn next_event<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let event = self.waiting(py, timeout, |handle, time| handle.next_event(time))?;
        event.map(|event| parsed(py, &event)).transpose()
    }

    /// Whether an event comes within so many seconds; it is not taken.
    fn wait_event(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let came = self.waiting(py, Some(timeout), |handle, time| Ok(handle.wait_event(time)?.then_some(())))?;
        Ok(came.is_some())
    }

    /// Stops; waits up to `grace` seconds for requests in flight.
    fn stop(&self, py: Python<'_>, grace: f64) -> PyResult<()> {
        let handle = self.handle()?;
        let grace = seconds("grace", grace)?;
        py.detach(|| guarded(|| handle.stop(grace)))
    }
}

impl Proxy {
    /// The proxy, unless this is a child process: its threads have stayed with the parent.
    fn handle(&self) -> PyResult<&blocking::ProxyHandle> {
        match &self.handle {
            Some(handle) if self.pid == std::process::id() => Ok(handle),
            _ => Err(ForkError::new_err((FORKED, "forked"))),
        }
    }

    /// Waits without the interpreter, and looks now and then whether it has got a signal.
    fn waiting<T: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        wait: impl Fn(&blocking::ProxyHandle, Duration) -> anyclaude_core::Result<Option<T>> + Sync,
    ) -> PyResult<Option<T>> {
        let handle = self.handle()?;
        let timeout = timeout.map(|timeout| seconds("timeout", timeout)).transpose()?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let time = left.map_or(SIGNALS_EVERY, |left| left.min(SIGNALS_EVERY));
            let came = py.detach(|| guarded(|| wait(handle, time)))?;
            if came.is_some() || left.is_some_and(|left| left <= time) {
                return Ok(came);
            }
            py.check_signals()?;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut handle = self.handle.take();
        if self.pid != std::process::id() {
            // Threads that are not here cannot be waited for.
            mem::forget(handle);
            return;
        }
        // Its threads may be about to end something: other Python threads need not wait for that. Where Python
        // itself is about to end, there are none.
        Python::try_attach(|py| py.detach(|| drop(handle.take())));
    }
}

const FORKED: &str = "the proxy runs in the process that started it, and this is a child of that; start another here";

/// A time from Python, in seconds.
fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    let fail = |_| pyo3::exceptions::PyValueError::new_err(format!("{name}: {value} is no time in seconds"));
    if value == f64::INFINITY {
        return Ok(Duration::MAX);
    }
    Duration::try_from_secs_f64(value).map_err(fail)
}
