//! Sockets that raise no SIGPIPE.
//!
//! On Linux `send(2)` is told not to, but `writev(2)` cannot be: where the other side has gone it ends every process that
//! does not ignore the signal. Programs in Rust ignore it from their start; hosts in C, Swift or Python need not.
//! So nothing here writes by `writev`: not HTTP, and not TLS below it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower_service::Service;

/// A connection that is written to by `send` only: hyper's default for vectored writes is a plain one.
#[derive(Debug)]
pub(super) struct Quiet<T>(pub(super) T);

impl<T: Read + Unpin> Read for Quiet<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<T: Write + Unpin> Write for Quiet<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<T: Connection> Connection for Quiet<T> {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

/// Makes such connections.
#[derive(Clone, Debug)]
pub(super) struct QuietConnector<C>(pub(super) C);

impl<C> Service<Uri> for QuietConnector<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
{
    type Response = Quiet<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Quiet<C::Response>, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { connecting.await.map(Quiet) })
    }
}
