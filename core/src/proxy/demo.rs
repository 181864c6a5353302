//! The demo's answers, sent as a server would send them.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::time::{Instant, Sleep};

use super::upstream::UpstreamBody;
use crate::translate::demo;

/// Between two chunks, so that the stream can be seen to stream.
const PACE: Duration = Duration::from_millis(20);

/// Chunks that are sent one by one.
#[derive(Debug)]
pub(super) struct DemoBody {
    chunks: VecDeque<Bytes>,
    pace: Pin<Box<Sleep>>,
}

/// Answers a chat-completions request.
pub(super) fn respond(request: &[u8]) -> Response<UpstreamBody> {
    let answer = demo::answer(request);
    let (kind, chunks) = if answer.stream && answer.status == 200 {
        ("text/event-stream", answer.chunks.into_iter().map(Bytes::from).collect())
    } else {
        ("application/json", VecDeque::from([Bytes::from(answer.body)]))
    };
    let body = DemoBody { chunks, pace: Box::pin(tokio::time::sleep(Duration::ZERO)) };
    let mut response = Response::new(UpstreamBody::Canned(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

impl DemoBody {
    /// The next chunk, when its time has come.
    pub(super) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.chunks.is_empty() {
            return Poll::Ready(None);
        }
        if self.pace.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.pace.as_mut().reset(Instant::now() + PACE);
        Poll::Ready(self.chunks.pop_front())
    }
}
