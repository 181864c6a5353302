//! Requests for Anthropic itself: they and their answers pass as they are, byte for byte.
//!
//! Anthropic's checks (of thinking, of the prompt's start, of OAuth) read the bytes, and clients read the
//! errors, so nothing is parsed and written again. One thing only is taken out: thinking that this library
//! made for another backend, which Anthropic would refuse.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response, Uri};
use tracing::{Instrument, Span, info_span};

use super::active::Active;
use super::client::Sent;
use super::reply::ReplyBody;
use super::tally::{Stage, Tally};
use super::trace::Trace;
use super::upstream::{Server, X_API_KEY};
use super::{Proxy, body};
use crate::ids::Seed;
use crate::launch::{PLACEHOLDER_TOKEN, TOKEN_HEADER};
use crate::translate::{cut_own_thinking, named_model, with_model};
use crate::wire::{ApiError, ErrorType};

/// Headers of one connection, which end with it.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Passes a request on, and its answer back.
pub(super) async fn forward(
    proxy: &Arc<Proxy>,
    active: &Arc<Active>,
    server: &Server,
    parts: &Parts,
    body: Incoming,
    seed: Seed,
) -> Result<Response<ReplyBody>, ApiError> {
    let path = parts.uri.path();
    let is_answer = path.ends_with("/v1/messages");
    let mut tally = is_answer.then(|| Tally::begin(proxy, active, parts, seed));
    let answer = async {
        let mut headers = kept(&parts.headers);
        credentials(proxy, active, server, &mut headers)?;
        let sent: Sent = if is_answer || path.ends_with("/v1/messages/count_tokens") {
            let trace = tally.as_ref().and_then(|tally| tally.trace.as_deref());
            let reading = for_anthropic(proxy, active, parts, body, &mut headers, trace);
            let body = reading.instrument(info_span!("read")).await?;
            if let Some(tally) = &mut tally {
                tally.reached(Stage::Read);
                tally.started();
            }
            Either::Left(Full::new(body))
        } else {
            Either::Right(body)
        };
        let mut request = Request::new(sent);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = target(server, &parts.uri)?;
        *request.headers_mut() = headers;
        active.upstream.pass(server, request).instrument(info_span!("send")).await
    };
    match answer.await {
        Ok(response) => Ok(reply(response, tally)),
        Err(error) => {
            if let Some(tally) = &mut tally {
                tally.fail(&error);
            }
            Err(error)
        }
    }
}

/// The body as the client sent it, less thinking of ours. A model's name that only a local backend knew becomes
/// the model that the user has named. An encoded body is looked into, and stays as it is when nothing changes.
async fn for_anthropic(
    proxy: &Arc<Proxy>,
    active: &Active,
    parts: &Parts,
    body: Incoming,
    headers: &mut HeaderMap,
    trace: Option<&Trace>,
) -> Result<Bytes, ApiError> {
    let config = &proxy.config;
    let raw = body::read_raw(body, config.max_body_bytes, config.body_timeout).await?;
    let plain = body::decode(&parts.headers, raw.clone(), config.max_body_bytes)?;
    if let Some(trace) = trace {
        trace.request(parts.method.as_str(), parts.uri.path(), &parts.headers, &plain);
    }
    let mut changed = cut_own_thinking(&plain);
    let told = |what: &str| {
        if let Some(trace) = trace {
            trace.note(what.to_owned());
        }
    };
    if changed.is_some() {
        told("thinking of a local model was cut out");
    }
    let current = changed.as_deref().unwrap_or(&plain);
    if let Some(name) = named_model(current).filter(|name| active.is_stand_in(name)) {
        let Some(model) = &active.info.model else { return Err(no_model(&name)) };
        told(&format!("the model is {model} in place of {name:?}, which only a local server had"));
        changed = with_model(current, model).or(changed);
    }
    match changed {
        None => Ok(raw),
        Some(body) => {
            headers.remove(CONTENT_ENCODING);
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            Ok(body.into())
        }
    }
}

/// Said in the place of Anthropic, which could only say that it has no such model.
fn no_model(name: &str) -> ApiError {
    let message = format!(
        "model {:?} was a local server's, and Anthropic has none of that name; say which of its models is meant: \
         `anyclaude use anthropic --model NAME`",
        crate::error::shown(name, 100)
    );
    ApiError::of(ErrorType::NotFound, message).with_should_retry(false)
}

/// Who asks: the configured key, or else what the client sent, unless that was meant for this proxy.
fn credentials(proxy: &Proxy, active: &Active, server: &Server, headers: &mut HeaderMap) -> Result<(), ApiError> {
    headers.remove(super::control::CONTROL);
    headers.remove(TOKEN_HEADER);
    if active.has_key {
        headers.remove(AUTHORIZATION);
        if let Some(key) = server.headers.get(X_API_KEY) {
            headers.insert(X_API_KEY, key.clone());
        }
        return Ok(());
    }
    let inbound = proxy.config.inbound_token.as_ref().map(|token| token.expose().as_bytes());
    let is_ours = |value: &HeaderValue| {
        let value = value.as_bytes();
        let bare = value.strip_prefix(b"Bearer ").unwrap_or(value);
        bare.is_empty() || bare == PLACEHOLDER_TOKEN.as_bytes() || inbound == Some(bare)
    };
    for name in [AUTHORIZATION, X_API_KEY] {
        if headers.get(&name).is_some_and(is_ours) {
            headers.remove(&name);
        }
    }
    if headers.contains_key(AUTHORIZATION) || headers.contains_key(X_API_KEY) {
        return Ok(());
    }
    let message = "no credentials for Anthropic: this client was started for a local model and has only this proxy's \
                   own token. Give a key to `anyclaude use anthropic` (ANTHROPIC_API_KEY, or --key-env NAME), or start \
                   Claude Code with `anyclaude claude --backend anthropic`, which leaves its own login in place";
    Err(ApiError::new(403, ErrorType::Permission, message).with_should_retry(false))
}

/// The headers without those of the connection.
fn kept(headers: &HeaderMap) -> HeaderMap {
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<String> =
        named.flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let is_kept = |name: &HeaderName| {
        *name != HOST && !HOP_BY_HOP.contains(name) && !named.iter().any(|dropped| dropped == name.as_str())
    };
    headers.iter().filter(|(name, _)| is_kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The same path and query on the server.
fn target(server: &Server, uri: &Uri) -> Result<Uri, ApiError> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let target = format!("{}{path}", server.root);
    target.parse().map_err(|error| ApiError::invalid_request(format!("the path is none that can be sent on: {error}")))
}

fn reply(response: Response<Incoming>, mut tally: Option<Tally>) -> Response<ReplyBody> {
    let (parts, body) = response.into_parts();
    if let Some(tally) = &mut tally {
        tally.reached(Stage::Send);
        if let Some(trace) = &tally.trace {
            trace.response(parts.status.as_u16(), &parts.headers);
        }
    }
    if let Some(mut tally) = tally.take_if(|_| body.is_end_stream()) {
        // Nobody asks for the end of a body that has none.
        tally.passed(parts.status.as_u16());
    }
    let span = tally.as_ref().map_or_else(Span::none, Tally::reply_span);
    let passing = Passing { body, status: parts.status.as_u16(), tally, span };
    let mut response = Response::new(ReplyBody::Passing(Box::new(passing)));
    *response.status_mut() = parts.status;
    *response.headers_mut() = kept(&parts.headers);
    response
}

/// A body on its way from the server to the client.
pub(super) struct Passing {
    body: Incoming,
    status: u16,
    tally: Option<Tally>,
    span: Span,
}

impl Passing {
    /// The next bytes. A body that breaks off breaks off for the client, too: there is nothing to tell it in.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let span = self.span.clone();
        let _entered = span.enter();
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(frame) = &polled {
            self.note(frame.as_ref());
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(|error| Broken(super::upstream::innermost(&error)))))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }

    fn note(&mut self, frame: Option<&Result<Frame<Bytes>, hyper::Error>>) {
        let Some(tally) = &mut self.tally else { return };
        match frame {
            Some(Ok(frame)) => {
                tally.reached(Stage::FirstToken);
                tally.said();
                if let (Some(trace), Some(data)) = (&tally.trace, frame.data_ref()) {
                    trace.backend(data);
                }
                if self.body.is_end_stream() {
                    tally.passed(self.status);
                    self.tally = None;
                }
            }
            Some(Err(error)) => {
                let message = format!("the connection to Anthropic broke: {}", super::upstream::innermost(error));
                tally.fail(&ApiError::api(502, message));
                self.tally = None;
            }
            None => {
                tally.passed(self.status);
                self.tally = None;
            }
        }
    }
}

/// Why a body broke off.
#[derive(Debug)]
pub(super) struct Broken(String);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl From<Infallible> for Broken {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
