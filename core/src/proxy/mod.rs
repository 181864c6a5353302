//! The proxy: everything that needs sockets, a runtime or the clock. The thin part.
//!
//! The life of a request is told by `pipeline.rs`; this module starts and stops it all.

mod active;
pub mod blocking;
mod body;
mod client;
mod config;
mod connect;
mod control;
mod cors;
mod demo;
mod discover;
mod documents;
mod events;
mod guard;
mod http_api;
mod inspect;
mod log;
mod models;
mod passthrough;
mod pipeline;
mod private;
mod quiet;
mod reply;
mod run_file;
mod server;
mod stats;
mod stream_body;
mod tally;
mod trace;
mod turn;
mod upstream;
mod warnings;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use active::{BackendChoice, BackendInfo};
pub use config::{AUTO, Config, Setting, Switch};
pub use discover::{Found, discover, identify, recognise};
pub use events::{Events, MAX_EVENTS, MAX_TEXT, ProxyEvent};
pub use inspect::{Inspection, inspect};
pub use run_file::{RunFile, running};
pub use stats::Stats;
pub use warnings::SMALL_WINDOW;

use crate::error::{Error, ErrorKind, Result};
use crate::prefix::PrefixReport;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Proxy {
    config: Config,
    /// The backend in use. Requests take it when they begin, and keep it.
    active: RwLock<Arc<active::Active>>,
    documents: Arc<documents::Documents>,
    counters: stats::Counters,
    events: Arc<events::Queue>,
    control: control::Control,
    traces: Option<trace::Traces>,
}

impl Proxy {
    fn active(&self) -> Arc<active::Active> {
        Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on requests go to another backend; those in flight end on the one they began with.
    fn set_backend(&self, choice: BackendChoice) -> Result<BackendInfo> {
        let other = self.active().other(&self.config, choice)?;
        let info = other.info.clone();
        if other.catalog.is_telling() {
            other.refresh();
        }
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = other;
        tracing::info!(backend = info.kind, url = info.url, "requests go there from now on");
        Ok(info)
    }
}

/// Starts the proxy on the caller's tokio runtime. Returns when the port is bound.
///
/// ```no_run
/// # async fn example() -> anyclaude_core::Result<()> {
/// use anyclaude_core::{Config, start_proxy};
///
/// let mut config = Config::default();
/// config.backend = "mlx-lm".to_owned();
/// let proxy = start_proxy(config).await?;
/// println!("export ANTHROPIC_BASE_URL={}", proxy.base_url());
/// proxy.stop(std::time::Duration::from_secs(5)).await;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] for settings that make no sense, [`ErrorKind::Io`] when the address cannot be
/// bound; the message names the setting and the fix.
pub async fn start_proxy(config: Config) -> Result<ProxyHandle> {
    config.validate()?;
    let listener = server::bind(&config).await?;
    let addr = listener.addr().map_err(|error| {
        Error::new(ErrorKind::Io, format!("the bound address cannot be read: {error}")).with_source(error)
    })?;
    let active = active::Active::start(&config).await?;
    if active.catalog.is_telling() {
        active.refresh();
    }
    let control = control::Control::new();
    let run_file = config.run_file.then(|| run_file::Kept::write(&config, &control, addr)).transpose()?;
    let proxy = Arc::new(Proxy {
        active: RwLock::new(active),
        documents: Arc::new(documents::Documents::new()),
        counters: stats::Counters::default(),
        events: Arc::default(),
        traces: trace::Traces::start(&config)?,
        control,
        config,
    });
    let (stop, stopping) = watch::channel(());
    let server = tokio::spawn(server::serve(listener, Arc::clone(&proxy), stopping));
    let server = Mutex::new(Some(Running { stop, server }));
    Ok(ProxyHandle { addr, proxy, server, _run_file: run_file })
}

/// A running proxy. Dropped, it stops at once and breaks off what is in flight.
#[derive(Debug)]
pub struct ProxyHandle {
    addr: SocketAddr,
    proxy: Arc<Proxy>,
    /// Taken when the proxy stops.
    server: Mutex<Option<Running>>,
    /// Removed with the handle.
    _run_file: Option<run_file::Kept>,
}

impl ProxyHandle {
    /// The bound address; tells the port when 0 was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What clients set as `ANTHROPIC_BASE_URL`: no path, no slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Counters since the start.
    pub fn stats(&self) -> Stats {
        self.proxy.counters.snapshot()
    }

    /// The backend that requests go to now.
    pub fn backend(&self) -> BackendInfo {
        self.proxy.active().info.clone()
    }

    /// What is known of the backend's models; it is asked, if that is long ago.
    ///
    /// # Errors
    /// [`ErrorKind::Backend`] when it gave no list.
    pub async fn models(&self) -> Result<Vec<crate::backend::Model>> {
        let active = self.proxy.active();
        let models = active.models().await;
        models.map(|models| models.to_vec()).map_err(|error| Error::told(ErrorKind::Backend, error))
    }

    /// From now on requests go to another backend. Those in flight end on the one they began with.
    ///
    /// ```no_run
    /// # async fn example(proxy: anyclaude_core::ProxyHandle) -> anyclaude_core::Result<()> {
    /// proxy.set_backend(anyclaude_core::proxy::BackendChoice::new("ollama"))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a choice that makes no sense; the backend stays what it was.
    pub fn set_backend(&self, choice: BackendChoice) -> Result<BackendInfo> {
        self.proxy.set_backend(choice)
    }

    /// What users should know of this backend: windows that are too small, prompts that it cuts.
    pub fn warnings(&self) -> Vec<String> {
        self.proxy.active().warnings.list()
    }

    /// What the last prompts of a session shared with those before them, the oldest first; of all sessions for an
    /// empty id.
    pub fn prefix_reports(&self, session: &str) -> Vec<PrefixReport> {
        self.proxy.active().translator.prefix_reports(session)
    }

    /// What happens to requests from now on. All readers share one queue: each event goes to one of them.
    pub fn events(&self) -> Events {
        self.proxy.events.reader()
    }

    /// Takes no more requests, waits up to `grace` for those in flight, then breaks them off.
    pub async fn stop(self, grace: Duration) {
        self.shut_down(grace).await;
        self.proxy.events.close();
    }

    /// Stops the proxy; the handle still tells what it knows, and events may come until what was broken off is dropped.
    async fn shut_down(&self, grace: Duration) {
        let Some(Running { stop, mut server }) = self.take_server() else { return };
        drop(stop);
        if tokio::time::timeout(grace, &mut server).await.is_err() {
            server.abort();
            let _ = server.await;
        }
    }

    /// Stops the proxy at once.
    fn break_off(&self) {
        if let Some(running) = self.take_server() {
            running.server.abort();
        }
        self.proxy.events.close();
    }

    fn take_server(&self) -> Option<Running> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for ProxyHandle {
    fn drop(&mut self) {
        self.break_off();
    }
}

/// The task that serves, and what tells it to stop.
#[derive(Debug)]
struct Running {
    stop: watch::Sender<()>,
    server: JoinHandle<()>,
}
