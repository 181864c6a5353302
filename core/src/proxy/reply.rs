//! Answers of the proxy, in Anthropic's shape.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::passthrough::{Broken, Passing};
use super::stream_body::StreamBody;
use crate::exchange::Reply;
use crate::wire::ApiError;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// The body of an answer.
pub(super) enum ReplyBody {
    /// All of it.
    Whole(Bytes),
    /// Events, as they come.
    Stream(Box<StreamBody>),
    /// As it comes from Anthropic.
    Passing(Box<Passing>),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            ReplyBody::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            ReplyBody::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            ReplyBody::Stream(stream) => stream.poll(cx).map(|data| data.map(|data| Ok(Frame::data(data)))),
            ReplyBody::Passing(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Whole(bytes) => bytes.is_empty(),
            ReplyBody::Stream(_) => false,
            ReplyBody::Passing(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            ReplyBody::Stream(_) => SizeHint::default(),
            ReplyBody::Passing(body) => body.size_hint(),
        }
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: impl Into<Vec<u8>>) -> Response<ReplyBody> {
    respond(Reply::json(status.as_u16(), body))
}

/// An event stream.
pub(super) fn stream(body: StreamBody) -> Response<ReplyBody> {
    let mut response = respond(Reply::events());
    *response.body_mut() = ReplyBody::Stream(Box::new(body));
    response
}

/// An error answer with the headers that clients act on.
pub(super) fn error(error: &ApiError, request_id: &str) -> Response<ReplyBody> {
    respond(Reply::error(error, request_id))
}

/// A whole answer.
pub(super) fn respond(reply: Reply) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Whole(reply.body.into()));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
