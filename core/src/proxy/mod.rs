//! The proxy: everything that needs sockets, a runtime or the clock. The thin part.
//!
//! The life of a request is told by `pipeline.rs`; this module starts and stops it all.

pub mod blocking;
mod body;
mod config;
mod connect;
mod demo;
mod documents;
mod guard;
mod http_api;
mod models;
mod pipeline;
mod reply;
mod server;
mod stats;
mod stream_body;
mod turn;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use config::Config;
pub use stats::Stats;

use crate::backend;
use crate::error::{Error, ErrorKind, Result};
use crate::translate::{Options, Translator};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Proxy {
    config: Config,
    translator: Arc<Translator>,
    upstream: upstream::Upstream,
    models: models::Models,
    documents: Arc<documents::Documents>,
    counters: stats::Counters,
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
    let spec = *backend::by_name(&config.backend)?;
    let secrets = [&config.api_key, &config.inbound_token].into_iter().flatten().cloned().collect();
    let options = Options {
        model: config.model.clone(),
        max_output_tokens: config.max_output_tokens,
        secrets,
        ..Options::default()
    };
    let upstream = upstream::Upstream::new(&config, &spec)?;
    let listener = server::bind(&config).await?;
    let addr = listener.local_addr().map_err(|error| {
        Error::new(ErrorKind::Io, format!("the bound address cannot be read: {error}")).with_source(error)
    })?;
    let proxy = Arc::new(Proxy {
        models: models::Models::new(&config, &spec),
        translator: Arc::new(Translator::new(spec, options)),
        documents: Arc::new(documents::Documents::new()),
        counters: stats::Counters::default(),
        upstream,
        config,
    });
    let (stop, stopping) = watch::channel(());
    let server = tokio::spawn(server::serve(listener, Arc::clone(&proxy), stopping));
    Ok(ProxyHandle { addr, proxy, stop: Some(stop), server })
}

/// A running proxy. Dropped, it stops at once and breaks off what is in flight.
#[derive(Debug)]
pub struct ProxyHandle {
    addr: SocketAddr,
    proxy: Arc<Proxy>,
    stop: Option<watch::Sender<()>>,
    server: JoinHandle<()>,
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

    /// Takes no more requests, waits up to `grace` for those in flight, then breaks them off.
    pub async fn stop(mut self, grace: Duration) {
        drop(self.stop.take());
        if tokio::time::timeout(grace, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for ProxyHandle {
    fn drop(&mut self) {
        self.server.abort();
    }
}
