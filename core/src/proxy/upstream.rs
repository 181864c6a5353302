//! The connection to the backend.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::Config;
use super::connect::InTime;
use crate::backend::BackendSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::wire::ApiError;

/// Idle connections are dropped before servers drop them (uvicorn: after 5 s), so that no request is
/// written into a connection that is being closed.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// The most bytes read of an answer that is not streamed.
pub(super) const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The server behind the proxy.
#[derive(Debug)]
pub(super) struct Upstream {
    name: &'static str,
    /// `None` for the demo, which has no server.
    server: Option<Server>,
}

#[derive(Debug)]
struct Server {
    client: Client<InTime<HttpsConnector<HttpConnector>>, Full<Bytes>>,
    chat: Uri,
    models: Uri,
    authorization: Option<HeaderValue>,
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
        let authorization = match &config.api_key {
            None => None,
            Some(key) => {
                let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|_| {
                    Error::new(ErrorKind::Config, "api_key: it holds a character that no header may hold")
                })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector =
            HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .http1_max_buf_size(64 << 10)
            .build(InTime::new(connector, config.connect_timeout));
        let server = Server { client, chat: uri("/chat/completions")?, models: uri("/models")?, authorization };
        Ok(Upstream { name: spec.name, server: Some(server) })
    }

    /// Sends a chat-completions request; returns when the head of the answer is there.
    pub(super) async fn chat(&self, body: Bytes) -> Result<Response<UpstreamBody>, ApiError> {
        let Some(server) = &self.server else { return Ok(super::demo::respond(&body)) };
        let request = server.request(Method::POST, &server.chat, body);
        let response = server.client.request(request).await.map_err(|error| self.unreachable(server, &error))?;
        Ok(response.map(UpstreamBody::Network))
    }

    /// The server's list of models, raw; `None` for a backend without a server.
    pub(super) async fn models(&self) -> Option<Result<Bytes, ApiError>> {
        let server = self.server.as_ref()?;
        let request = server.request(Method::GET, &server.models, Bytes::new());
        Some(match server.client.request(request).await {
            Err(error) => Err(self.unreachable(server, &error)),
            Ok(response) => {
                let status = response.status();
                match Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await {
                    Ok(body) if status.is_success() => Ok(body.to_bytes()),
                    _ => Err(ApiError::api(502, format!("{} has no list of models (HTTP {status})", self.name))),
                }
            }
        })
    }

    /// A server that is not there, in words that help.
    fn unreachable(&self, server: &Server, error: &hyper_util::client::legacy::Error) -> ApiError {
        let place = server.chat.authority().map_or("", |authority| authority.as_str());
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
    fn request(&self, method: Method, uri: &Uri, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        let headers: &mut HeaderMap = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }
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
fn base_url(url: &str) -> Result<String> {
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
