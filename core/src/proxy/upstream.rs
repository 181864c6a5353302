//! The server behind the proxy: its addresses, its key, and what it says when it is away.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::client::legacy;
use serde_json::Value;
use tokio::task::JoinSet;

use super::Config;
use super::client::{self, HttpClient, Sent};
use crate::backend::{Asks, BackendSpec, FactSource, Facts, Role};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::MAX_ANSWER_BYTES;
use crate::wire::{ApiError, Dialect};

/// The most models that are asked about one by one.
const MAX_ASKED: usize = 16;

/// What Anthropic's own API wants to be told with every request.
const ANTHROPIC_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));

/// The header that carries a key of Anthropic's.
pub(super) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The server behind the proxy.
#[derive(Debug)]
pub(super) struct Upstream {
    name: &'static str,
    /// `None` for the demo, which has no server.
    server: Option<Server>,
}

/// A server and where its things are.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) client: HttpClient,
    /// The address with `/v1`.
    pub(super) base: String,
    /// The address without `/v1`.
    pub(super) root: String,
    answers: Uri,
    models: Uri,
    /// The key, in the header that the server wants it in.
    pub(super) headers: HeaderMap,
}

/// The body of the backend's answer.
#[derive(Debug)]
pub(super) enum UpstreamBody {
    /// From the network.
    Network(Incoming),
    /// From the demo: chunks that are sent one by one.
    Canned(super::demo::DemoBody),
}

impl UpstreamBody {
    /// The next bytes; an error is told in words.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, String>>> {
        match self {
            UpstreamBody::Canned(body) => body.poll_chunk(cx).map(|chunk| chunk.map(Ok)),
            UpstreamBody::Network(body) => loop {
                return match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    None => Poll::Ready(None),
                    Some(Err(error)) => Poll::Ready(Some(Err(innermost(&error)))),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => Poll::Ready(Some(Ok(data))),
                        Err(_) => continue, // trailers
                    },
                };
            },
        }
    }

    /// All of it, up to `limit` bytes; what is beyond is cut off when `cut` is set, an error otherwise.
    /// The first piece, and each piece behind it, may take as long as `patience` says.
    pub(super) async fn collect(mut self, limit: usize, cut: bool, patience: Patience) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        loop {
            let next = std::future::poll_fn(|cx| self.poll_data(cx));
            let next = match if all.is_empty() { patience.first } else { patience.later } {
                Some(patience) => tokio::time::timeout(patience, next).await.map_err(|_| silent(patience))?,
                None => next.await,
            };
            let Some(data) = next else { break };
            all.extend_from_slice(&data?);
            if all.len() > limit {
                if !cut {
                    return Err(format!("its answer is larger than {limit} bytes"));
                }
                all.truncate(limit);
                break;
            }
        }
        Ok(all)
    }
}

impl Upstream {
    pub(super) fn new(config: &Config, spec: &BackendSpec) -> Result<Self> {
        let Some(url) = config.backend_url.as_deref().or(spec.default_url) else {
            return Ok(Upstream { name: spec.name, server: None });
        };
        if spec.default_url.is_none() {
            let message = format!("backend_url: the backend {} has no server to point at", spec.name);
            return Err(Error::new(ErrorKind::Config, message));
        }
        let base = base_url(url)?;
        let uri = |path: &str| -> Result<Uri> { format!("{base}{path}").parse().map_err(|error| bad_url(url, &error)) };
        let answers = uri(config.backend_api.path())?;
        let server = Server {
            client: HttpClient::new(config.connect_timeout),
            answers,
            models: uri(spec.models_path)?,
            root: base.strip_suffix("/v1").unwrap_or(&base).to_owned(),
            headers: headers(config, spec)?,
            base,
        };
        Ok(Upstream { name: spec.name, server: Some(server) })
    }

    /// The server; `None` for the demo.
    pub(super) fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// Sends a request for an answer; returns when the head of the answer is there.
    pub(super) async fn answer(&self, body: Bytes) -> Result<Response<UpstreamBody>, ApiError> {
        let Some(server) = &self.server else { return Ok(super::demo::respond(&body)) };
        let request = client::request(Method::POST, &server.answers, body, &server.headers);
        let response = server.client.send(request).await.map_err(|error| self.unreachable(&error))?;
        Ok(response.map(UpstreamBody::Network))
    }

    /// Passes a request on as it is.
    pub(super) async fn pass(&self, server: &Server, request: Request<Sent>) -> Result<Response<Incoming>, ApiError> {
        server.client.send(request).await.map_err(|error| self.unreachable(&error))
    }

    /// What the server tells of its models; `None` for a backend without a server. Each question may take
    /// as long as `time` says; one that is not answered tells nothing, but that of the list is an error.
    pub(super) async fn facts(&self, spec: &BackendSpec, time: Duration) -> Option<Result<Facts, ApiError>> {
        let server = self.server.as_ref()?;
        if spec.role == Role::PassThrough && !server.headers.contains_key(X_API_KEY) {
            // The client's login is the client's: without a key of our own there is nothing to ask with.
            return Some(Ok(Facts::default()));
        }
        let request = client::request(Method::GET, &server.models, Bytes::new(), &server.headers);
        let list = match tokio::time::timeout(time, server.client.send(request)).await {
            Err(_) => return Some(Err(ApiError::api(504, "the backend did not list its models in time"))),
            Ok(Err(error)) => return Some(Err(self.unreachable(&error))),
            Ok(Ok(response)) => response,
        };
        let status = list.status();
        let patience = Patience { first: Some(time), later: Some(time) };
        let body = UpstreamBody::Network(list.into_body()).collect(MAX_ANSWER_BYTES, false, patience).await;
        let body = match body {
            Ok(body) if status.is_success() => body,
            _ => return Some(Err(ApiError::api(502, format!("{} has no list of models (HTTP {status})", self.name)))),
        };
        let mut facts = Facts::default();
        facts.read_list(&body);
        for source in spec.facts {
            server.read(source, &mut facts, time).await;
        }
        Some(Ok(facts))
    }

    /// A server that is not there, in words that help.
    fn unreachable(&self, error: &legacy::Error) -> ApiError {
        let uri = self.server.as_ref().map(|server| &server.answers);
        let place = uri.and_then(|uri| uri.authority()).map_or("", |authority| authority.as_str());
        let cause = innermost(error);
        let message = if error.is_connect() {
            format!(
                "no {} server answers at {place} ({cause}); start it, or say where it is with --backend-url",
                self.name
            )
        } else {
            format!("the {} server at {place} closed the connection before it answered ({cause})", self.name)
        };
        ApiError::api(502, message)
    }
}

impl Server {
    async fn read(&self, source: &FactSource, facts: &mut Facts, time: Duration) {
        let Ok(uri) = format!("{}{}", self.root, source.path).parse::<Uri>() else { return };
        let mut questions = Vec::new();
        match source.asks {
            Asks::Once => questions.push((None, client::request(Method::GET, &uri, Bytes::new(), &self.headers))),
            Asks::Each => {
                let names: Vec<String> = facts.models.iter().take(MAX_ASKED).map(|model| model.id.clone()).collect();
                for name in names {
                    let body = serde_json::json!({ "model": name }).to_string();
                    questions.push((Some(name), client::request(Method::POST, &uri, body.into(), &self.headers)));
                }
            }
        }
        // All at once: one that is slow must not be slow as often as there are models.
        let mut asking = JoinSet::new();
        for (rank, (model, question)) in questions.into_iter().enumerate() {
            let client = self.client.clone();
            asking.spawn(async move { (rank, model, client.ask(question, time).await) });
        }
        let mut answers = asking.join_all().await;
        answers.sort_by_key(|(rank, ..)| *rank);
        for (_, model, answer) in answers {
            let Some(answer) = answer.filter(|answer| answer.status == 200) else { continue };
            if let Ok(json) = serde_json::from_slice::<Value>(&answer.body) {
                (source.read)(&json, facts, model.as_deref());
            }
        }
    }
}

/// The key in the header that the server wants it in.
fn headers(config: &Config, spec: &BackendSpec) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let passes = spec.role == Role::PassThrough;
    if passes || config.backend_api == Dialect::Messages {
        let (name, value) = ANTHROPIC_VERSION;
        headers.insert(name, value);
    }
    let Some(key) = &config.api_key else { return Ok(headers) };
    let secret = |text: String| {
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| Error::new(ErrorKind::Config, "api_key: it holds a character that no header may hold"))?;
        value.set_sensitive(true);
        Ok::<_, Error>(value)
    };
    if passes || config.backend_api == Dialect::Messages {
        headers.insert(X_API_KEY, secret(key.expose().to_owned())?);
    }
    if !passes {
        headers.insert(AUTHORIZATION, secret(format!("Bearer {}", key.expose()))?);
    }
    Ok(headers)
}

/// How long a body may be silent; `None` is for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) first: Option<Duration>,
    pub(super) later: Option<Duration>,
}

fn silent(patience: Duration) -> String {
    format!("it has been silent for {} s", patience.as_secs_f32())
}

/// The last cause of a chain says what happened; the first only says that something did.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The address without a slash at the end, with `/v1` where no path is given.
pub(super) fn base_url(url: &str) -> Result<String> {
    let trimmed = url.trim().trim_end_matches('/');
    let trimmed = trimmed.strip_suffix("/chat/completions").unwrap_or(trimmed);
    let uri: Uri = trimmed.parse().map_err(|error| bad_url(url, &error))?;
    match uri.scheme_str() {
        _ if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
            let message = "backend_url: it holds a user name or password; give the server's key as api_key \
                           (the program takes it from ANYCLAUDE_API_KEY)";
            return Err(Error::new(ErrorKind::Config, message));
        }
        _ if uri.query().is_some() => {
            let message = "backend_url: it holds a query (?...); only scheme, host, port and path are taken";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Some("http" | "https") if uri.host().is_some_and(|host| !host.is_empty()) => {}
        _ => return Err(bad_url(url, &"it must begin with http:// or https://")),
    }
    Ok(if matches!(uri.path(), "" | "/") { format!("{trimmed}/v1") } else { trimmed.to_owned() })
}

fn bad_url(url: &str, why: &dyn std::fmt::Display) -> Error {
    // An address may hold a password, and a query a key.
    let shown = url.rsplit_once('@').map_or(url, |(_, host)| host);
    let shown = shown.split('?').next().unwrap_or_default();
    let message = format!("backend_url: {shown:?} is no address such as http://127.0.0.1:8080/v1: {why}");
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_added_once() {
        for (given, base) in [
            ("http://localhost:8080", "http://localhost:8080/v1"),
            ("http://localhost:8080/v1/", "http://localhost:8080/v1"),
            ("https://host/api/paas/v4", "https://host/api/paas/v4"),
            ("http://h/v1/chat/completions", "http://h/v1"),
        ] {
            assert_eq!(base_url(given).unwrap(), base);
        }
        for given in
            ["localhost:8080", "ftp://x", "", "http://", "http://u:pass@h", "http://h?key=pass", "h/v1?key=pass"]
        {
            let error = base_url(given).unwrap_err();
            assert!(error.message().starts_with("backend_url:") && !error.message().contains("pass@"), "{error}");
            assert!(!error.message().contains("key=pass"), "{error}");
        }
    }
}
