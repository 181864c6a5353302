//! Accepts connections, and lets those in flight end when the proxy stops.

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::quiet::Quiet;
use super::{Config, Proxy, http_api};
use crate::error::{Error, ErrorKind, Result};

/// The most connections at once. Claude Code opens a handful; the bound is on memory, and the system's own
/// limit on file descriptors may be lower.
const MAX_CONNECTIONS: usize = 4096;

/// The most bytes hyper buffers for one connection and direction. A slow reader must not make the
/// proxy hold the backend's answer.
const MAX_CONNECTION_BUFFER: usize = 64 << 10;

/// Opens the port.
pub(super) async fn bind(config: &Config) -> Result<Listening> {
    let addr = SocketAddr::from((config.host, config.port));
    TcpListener::bind(addr).await.map(Listening).map_err(|error| {
        let fix = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program listens there; choose another port, or 0 for a free one",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose a higher one",
            _ => "choose an address of this machine",
        };
        Error::new(ErrorKind::Io, format!("cannot listen on {addr}: {error}; {fix}")).with_source(error)
    })
}

/// An open port. Dropped, it is closed also where a child of this process has a copy of it.
pub(super) struct Listening(TcpListener);

impl Listening {
    pub(super) fn addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Where a system does not know this for listeners, closing has to do.
        let _ = socket2::SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}

/// Serves until `stopping` is closed, then until the last connection ends. Aborting it aborts all.
pub(super) async fn serve(listener: Listening, proxy: Arc<Proxy>, mut stopping: watch::Receiver<()>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let accepted = tokio::select! {
            _ = stopping.changed() => break,
            accepted = listener.0.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve_connection(stream, Arc::clone(&proxy), stopping.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: others will be closed soon.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve_connection(stream: TcpStream, proxy: Arc<Proxy>, mut stopping: watch::Receiver<()>) {
    // Without it every small event waits up to 40 ms for the client's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let header_timeout = proxy.config.header_timeout;
    let service = service_fn(move |request| http_api::handle(Arc::clone(&proxy), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(MAX_CONNECTION_BUFFER)
        .serve_connection(Quiet(TokioIo::new(stream)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
