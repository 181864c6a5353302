//! The proxy for callers without a runtime: it owns one, on threads of its own.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::{BackendChoice, BackendInfo, Config, Stats};
use crate::error::{Error, ErrorKind, Result};

/// Starts the proxy on a runtime of its own. Returns when the port is bound.
///
/// # Errors
/// As [`start_proxy`](super::start_proxy); also when the runtime's threads cannot be started.
pub fn start_proxy(config: Config) -> Result<ProxyHandle> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(config.worker_threads.unwrap_or(2).max(1))
        .thread_name("anyclaude")
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Io, format!("the proxy's threads cannot start: {error}")).with_source(error)
        })?;
    let inner = runtime.block_on(super::start_proxy(config))?;
    Ok(ProxyHandle { running: Some((inner, runtime)) })
}

/// A running proxy and its runtime. Dropped, both stop at once.
#[derive(Debug)]
pub struct ProxyHandle {
    /// Taken by `stop` and by drop only, so it is there for every other call.
    running: Option<(super::ProxyHandle, Runtime)>,
}

impl ProxyHandle {
    /// The bound address.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.running.as_ref().map(|(inner, _)| inner.addr())
    }

    /// What clients set as `ANTHROPIC_BASE_URL`.
    pub fn base_url(&self) -> String {
        self.running.as_ref().map(|(inner, _)| inner.base_url()).unwrap_or_default()
    }

    /// Counters since the start.
    pub fn stats(&self) -> Stats {
        self.running.as_ref().map(|(inner, _)| inner.stats()).unwrap_or_default()
    }

    /// The backend that requests go to now.
    pub fn backend(&self) -> Option<BackendInfo> {
        self.running.as_ref().map(|(inner, _)| inner.backend())
    }

    /// From now on requests go to another backend. Those in flight end on the one they began with.
    ///
    /// # Errors
    /// As [`ProxyHandle::set_backend`](super::ProxyHandle::set_backend).
    pub fn set_backend(&self, choice: BackendChoice) -> Result<BackendInfo> {
        match &self.running {
            Some((inner, _)) => inner.set_backend(choice),
            None => Err(Error::new(ErrorKind::Internal, "the proxy has been stopped")),
        }
    }

    /// What users should know of this backend.
    pub fn warnings(&self) -> Vec<String> {
        self.running.as_ref().map(|(inner, _)| inner.warnings()).unwrap_or_default()
    }

    /// Takes no more requests, waits up to `grace` for those in flight, then breaks them off.
    pub fn stop(mut self, grace: Duration) {
        if let Some((inner, runtime)) = self.running.take() {
            runtime.block_on(inner.stop(grace));
            runtime.shutdown_background();
        }
    }
}

impl Drop for ProxyHandle {
    fn drop(&mut self) {
        if let Some((inner, runtime)) = self.running.take() {
            drop(inner);
            // Waiting here would panic when the handle is dropped inside of another runtime.
            runtime.shutdown_background();
        }
    }
}
