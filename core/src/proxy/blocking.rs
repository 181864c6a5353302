//! The proxy for callers without a runtime: it owns one, on threads of its own.

use std::mem;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tracing::Dispatch;
use tracing::dispatcher::{set_default, with_default};

pub use super::log::Log;
use super::{BackendChoice, BackendInfo, Config, Events, ProxyEvent, Stats};
use crate::error::{Error, ErrorKind, Result};
use crate::prefix::PrefixReport;

/// How long a stop waits for the runtime's threads. They are idle by then, but for one that reads a large document.
const THREADS_PATIENCE: Duration = Duration::from_secs(2);

/// Starts the proxy on a runtime of its own. Returns when the port is bound.
///
/// # Errors
/// As [`start_proxy`](super::start_proxy); also when the runtime's threads cannot be started.
pub fn start_proxy(config: Config) -> Result<ProxyHandle> {
    start_proxy_with(config, None)
}

/// Starts the proxy, with its log going to `log`, and to no other subscriber that the program may have.
///
/// ```
/// use anyclaude_core::{Config, blocking};
///
/// let mut config = Config::default();
/// config.backend = "demo".to_owned();
/// config.port = 0;
/// let log = blocking::Log::new("info", |record| println!("{}", String::from_utf8_lossy(record)))?;
/// let proxy = blocking::start_proxy_with(config, Some(log))?;
/// assert!(proxy.base_url().starts_with("http://127.0.0.1:"));
/// proxy.stop(std::time::Duration::from_secs(5))?;
/// # Ok::<(), anyclaude_core::Error>(())
/// ```
///
/// # Errors
/// As [`start_proxy`].
pub fn start_proxy_with(config: Config, log: Option<Log>) -> Result<ProxyHandle> {
    refuse_runtime("started")?;
    config.validate()?;
    let dispatch = log.as_ref().map(Log::dispatch);
    let runtime = runtime(&config, dispatch.clone())?;
    let start = || runtime.block_on(super::start_proxy(config));
    let started = match &dispatch {
        Some(dispatch) => with_default(dispatch, start),
        None => start(),
    };
    match started {
        Ok(inner) => {
            let events = inner.events();
            Ok(ProxyHandle {
                inner,
                events,
                log,
                dispatch,
                runtime: Mutex::new(Some(runtime)),
                stopping: Mutex::default(),
            })
        }
        Err(error) => {
            end(runtime, log.as_ref());
            Err(error)
        }
    }
}

fn runtime(config: &Config, dispatch: Option<Dispatch>) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(config.worker_threads.unwrap_or(2).max(1)).thread_name("anyclaude");
    builder.enable_io().enable_time();
    if let Some(dispatch) = dispatch {
        // The thread's own until it ends: the guard would only put back what was there before.
        builder.on_thread_start(move || mem::forget(set_default(&dispatch)));
    }
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Io, format!("the proxy's threads cannot start: {error}")).with_source(error)
    })
}

/// A running proxy and its runtime. Any number of threads may use one. Dropped, both stop at once.
#[derive(Debug)]
pub struct ProxyHandle {
    inner: super::ProxyHandle,
    events: Events,
    log: Option<Log>,
    dispatch: Option<Dispatch>,
    /// Taken when the proxy stops.
    runtime: Mutex<Option<Runtime>>,
    /// Held by the one who stops it, until that is done.
    stopping: Mutex<()>,
}

impl ProxyHandle {
    /// The bound address.
    pub fn addr(&self) -> SocketAddr {
        self.inner.addr()
    }

    /// What clients set as `ANTHROPIC_BASE_URL`.
    pub fn base_url(&self) -> String {
        self.inner.base_url()
    }

    /// Counters since the start.
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }

    /// The backend that requests go to now.
    pub fn backend(&self) -> BackendInfo {
        self.inner.backend()
    }

    /// From now on requests go to another backend. Those in flight end on the one they began with.
    ///
    /// # Errors
    /// As [`ProxyHandle::set_backend`](super::ProxyHandle::set_backend); [`ErrorKind::Stopped`] from the stop on;
    /// [`ErrorKind::WouldDeadlock`] as [`ProxyHandle::stop`].
    pub fn set_backend(&self, choice: BackendChoice) -> Result<BackendInfo> {
        refuse_runtime("given another backend")?;
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(runtime) = &*runtime else {
            return Err(Error::new(ErrorKind::Stopped, "the proxy has been stopped"));
        };
        // The new server is asked for its models by a task.
        let _entered = runtime.enter();
        self.logging(|| self.inner.set_backend(choice))
    }

    /// What users should know of this backend.
    pub fn warnings(&self) -> Vec<String> {
        self.inner.warnings()
    }

    /// As [`ProxyHandle::prefix_reports`](super::ProxyHandle::prefix_reports).
    pub fn prefix_reports(&self, session: &str) -> Vec<PrefixReport> {
        self.inner.prefix_reports(session)
    }

    /// The next thing that happened to a request since the start, waited for on this thread; `None` when nothing came
    /// within `timeout`. Each event goes to one caller; at most [`MAX_EVENTS`](super::MAX_EVENTS) wait.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`] once the proxy has stopped and all events have been read;
    /// [`ErrorKind::WouldDeadlock`] as [`ProxyHandle::stop`], since a thread of the proxy must not wait.
    pub fn next_event(&self, timeout: Duration) -> Result<Option<ProxyEvent>> {
        refuse_runtime("waited for")?;
        self.events.next_within(timeout)
    }

    /// Waits on this thread until there is an event, which stays; false when none came within `timeout`.
    ///
    /// # Errors
    /// As [`ProxyHandle::next_event`].
    pub fn wait_event(&self, timeout: Duration) -> Result<bool> {
        refuse_runtime("waited for")?;
        self.events.ready_within(timeout)
    }

    /// Takes no more requests, waits up to `grace` for those in flight, then breaks them off. When it returns the
    /// proxy's log is closed and its threads have ended, but for one that looks up a name or reads a large document: it
    /// is waited for up to 2 s. A second call waits for the first.
    ///
    /// # Errors
    /// [`ErrorKind::WouldDeadlock`] on a thread of the proxy, as in the sink of its log, or of another runtime.
    pub fn stop(&self, grace: Duration) -> Result<()> {
        refuse_runtime("stopped")?;
        let _one_stops = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            self.logging(|| runtime.block_on(self.inner.shut_down(grace)));
            end(runtime, self.log.as_ref());
            // Only now: what was broken off is told, too.
            self.inner.break_off();
        }
        Ok(())
    }

    /// What this thread does is part of the proxy's log.
    fn logging<R>(&self, work: impl FnOnce() -> R) -> R {
        match &self.dispatch {
            Some(dispatch) => with_default(dispatch, work),
            None => work(),
        }
    }
}

impl Drop for ProxyHandle {
    fn drop(&mut self) {
        let runtime = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(runtime) = runtime else { return };
        self.inner.break_off();
        if Handle::try_current().is_ok() {
            // Waiting here would panic, and perhaps for ever: this may be a thread of the proxy itself.
            runtime.shutdown_background();
            if let Some(log) = &self.log {
                log.close_unless_busy();
            }
        } else {
            end(runtime, self.log.as_ref());
        }
    }
}

/// Ends a runtime, and the log after it.
fn end(runtime: Runtime, log: Option<&Log>) {
    let handle = runtime.handle().clone();
    runtime.shutdown_timeout(THREADS_PATIENCE);
    if let Some(log) = log {
        // What belongs to the sink is dropped with it, and may call the proxy: this counts as a thread of it.
        let _entered = handle.enter();
        log.close();
    }
}

/// A thread of a runtime must not wait for one.
fn refuse_runtime(what: &str) -> Result<()> {
    match Handle::try_current() {
        Err(_) => Ok(()),
        Ok(_) => {
            let message = format!("the proxy cannot be {what} on a thread of its own, or of another tokio runtime");
            Err(Error::new(ErrorKind::WouldDeadlock, message))
        }
    }
}
