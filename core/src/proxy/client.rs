//! The HTTP client: one way to reach servers, for requests and for questions.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue, SERVER};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect::InTime;
use super::quiet::QuietConnector;

/// Idle connections are dropped before servers drop them (uvicorn: after 5 s), so that no request is
/// written into a connection that is being closed.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// The most bytes read of the answer to a question.
const MAX_ANSWER: usize = 16 << 20;

/// What is sent: bytes that are at hand, or a client's body that passes through.
pub(super) type Sent = Either<Full<Bytes>, Incoming>;

/// A client with a pool of connections.
#[derive(Clone, Debug)]
pub(super) struct HttpClient(Client<InTime<HttpsConnector<QuietConnector<HttpConnector>>>, Sent>);

/// The answer to a question.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) server: Option<String>,
    pub(super) body: Bytes,
}

impl HttpClient {
    pub(super) fn new(connect_timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(QuietConnector(connector));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .http1_max_buf_size(64 << 10)
            .build(InTime::new(connector, connect_timeout));
        HttpClient(client)
    }

    /// Sends a request; returns when the head of the answer is there.
    pub(super) async fn send(&self, request: Request<Sent>) -> Result<Response<Incoming>, Error> {
        self.0.request(request).await
    }

    /// Asks something small and reads the answer, in the time given; `None` when there is none.
    pub(super) async fn ask(&self, request: Request<Sent>, time: Duration) -> Option<Answer> {
        let asking = async {
            let response = self.send(request).await.ok()?;
            let status = response.status().as_u16();
            let server = response.headers().get(SERVER).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.ok()?.to_bytes();
            Some(Answer { status, server, body })
        };
        tokio::time::timeout(time, asking).await.ok().flatten()
    }
}

/// A request with a JSON body, or none.
pub(super) fn request(method: Method, uri: &Uri, body: Bytes, headers: &HeaderMap) -> Request<Sent> {
    let mut request = Request::new(Either::Left(Full::new(body)));
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    let own = request.headers_mut();
    own.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    own.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    own.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    request
}
