//! The life of a request for a message: read, translate, send, convert, reply.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode};
use tokio::time::Instant;

use super::documents::{Reading, Unread};
use super::reply::{self, ReplyBody};
use super::stats::Counters;
use super::stream_body::{Source, StreamBody};
use super::upstream::{MAX_ANSWER_BYTES, Patience, UpstreamBody};
use super::{Config, Proxy, body};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Seed;
use crate::session::{SessionKey, Timestamp, TurnRecord};
use crate::stream::StreamConverter;
use crate::translate::{
    BackendFailure, DocumentText, Note, RequestContext, RequestMeta, Translated, classify, refused_parameter,
};
use crate::wire::ApiError;

/// How often one request is sent: each further try follows something that the server's refusal taught.
const MAX_TRIES: usize = 4;

/// The most bytes read of an error answer.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// How long each piece of an error answer may take.
const ERROR_PATIENCE: Duration = Duration::from_secs(5);

/// Answers `POST /v1/messages`.
pub(super) async fn message(
    proxy: &Arc<Proxy>,
    parts: &Parts,
    body: Incoming,
    seed: Seed,
) -> Result<Response<ReplyBody>, ApiError> {
    let mut tally = Tally::begin(Arc::clone(proxy), seed);
    let config = &proxy.config;
    let answer = async {
        let body = body::read(&parts.headers, body, config.max_body_bytes, config.body_timeout).await?;
        let job = Arc::new(Job::new(proxy, parts, body, seed).await);
        let mut translated = job.translate(None).await.map_err(|error| error.to_api())?;
        tally.notes = std::mem::take(&mut translated.notes);
        tally.context = translated.context;
        let sending = send(Arc::clone(proxy), job, Bytes::from(translated.body), tally.context.clone());
        if tally.context.stream {
            stream(sending, config.commit_after.saturating_sub(tally.begun.elapsed())).await
        } else {
            whole(sending, &mut tally).await
        }
    };
    match answer.await {
        Ok(Reply::Whole(response)) => Ok(response),
        Ok(Reply::Stream(source)) => {
            let converter = StreamConverter::new(tally.context.clone());
            Ok(reply::stream(StreamBody::new(source, converter, tally)))
        }
        Err(error) => {
            tally.fail(&error);
            Err(error)
        }
    }
}

/// Answers `POST /v1/messages/count_tokens`: an estimate, without any inference.
pub(super) async fn count_tokens(
    proxy: &Arc<Proxy>,
    parts: &Parts,
    body: Incoming,
    seed: Seed,
) -> Result<u64, ApiError> {
    let config = &proxy.config;
    let body = body::read(&parts.headers, body, config.max_body_bytes, config.body_timeout).await?;
    let job = Arc::new(Job::new(proxy, parts, body, seed).await);
    let translated = job.translate(None).await.map_err(|error| error.to_api())?;
    Ok(translated.context.estimated_input_tokens)
}

/// What the client gets.
enum Reply {
    Whole(Response<ReplyBody>),
    Stream(Source),
}

/// The head is sent when the backend has accepted, or after `commit_after`, whichever comes first: an
/// earlier failure keeps its status, and the client hears something before it gives up.
async fn stream(
    sending: impl Future<Output = Result<Head, ApiError>> + Send + 'static,
    commit_after: Duration,
) -> Result<Reply, ApiError> {
    let mut sending: super::stream_body::Sending = Box::pin(sending);
    let source = tokio::select! {
        biased;
        head = &mut sending => head?.into_source(),
        () = tokio::time::sleep(commit_after) => Source::Waiting(sending),
    };
    Ok(Reply::Stream(source))
}

async fn whole(sending: impl Future<Output = Result<Head, ApiError>>, tally: &mut Tally) -> Result<Reply, ApiError> {
    let head = Box::pin(sending).await?;
    let config = tally.config();
    let patience = Patience { first: config.first_byte_timeout, later: config.stall_timeout };
    let answer = head.response.into_body().collect(MAX_ANSWER_BYTES, false, patience).await;
    let answer = answer.map_err(|error| ApiError::api(502, format!("the backend broke off its answer: {error}")))?;
    let translator = Arc::clone(&tally.proxy.translator);
    let (message, turn) = translator.response_json(&tally.context, &answer).map_err(|error| error.to_api())?;
    tally.end(&turn, None);
    Ok(Reply::Whole(reply::json(StatusCode::OK, message)))
}

/// A request as it came, kept until the backend has accepted it.
struct Job {
    proxy: Arc<Proxy>,
    body: Bytes,
    models: Arc<[String]>,
    session: SessionKey,
    seed: Seed,
}

impl Job {
    async fn new(proxy: &Arc<Proxy>, parts: &Parts, body: Bytes, seed: Seed) -> Self {
        let models = proxy.models.choices(&proxy.upstream).await;
        Job { proxy: Arc::clone(proxy), body, models, session: session_key(&parts.headers), seed }
    }

    async fn translate(self: &Arc<Self>, max_tokens: Option<u64>) -> Result<Translated> {
        let unread = Unread::default();
        let translated = self.translate_with(&unread, max_tokens)?;
        if !unread.met() {
            return Ok(translated);
        }
        let job = Arc::clone(self);
        tokio::task::spawn_blocking(move || job.translate_with(&Reading::begin(&job.proxy.documents), max_tokens))
            .await
            .map_err(|error| Error::new(ErrorKind::Internal, format!("reading the documents failed: {error}")))?
    }

    fn translate_with(&self, documents: &dyn DocumentText, max_tokens: Option<u64>) -> Result<Translated> {
        let meta = RequestMeta {
            session: self.session.clone(),
            now: now(),
            seed: self.seed,
            models: &self.models,
            max_tokens,
            documents,
            ..RequestMeta::default()
        };
        self.proxy.translator.request_json(&self.body, &meta)
    }
}

/// The head of the backend's answer, once it is a success.
pub(super) struct Head {
    response: Response<UpstreamBody>,
}

impl Head {
    /// How the body is to be read: as events, or as the one answer that some servers send anyway.
    pub(super) fn into_source(self) -> Source {
        let kind = self.response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        let is_json = kind.starts_with("application/json");
        let body = self.response.into_body();
        if is_json { Source::Json(body, Vec::new()) } else { Source::Events(body) }
    }
}

/// Sends until the backend accepts, or refuses for a reason that nothing here can cure.
async fn send(proxy: Arc<Proxy>, job: Arc<Job>, body: Bytes, context: RequestContext) -> Result<Head, ApiError> {
    let mut body = body;
    let mut max_tokens = None;
    let mut tries = 0;
    loop {
        tries += 1;
        let response = proxy.first_byte(body).await?;
        let is_page =
            response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        if response.status().is_success() && !is_page {
            return Ok(Head { response });
        }
        let refusal = Refusal::read(response).await;
        let error = refusal.classify(&context);
        let learned = refused_parameter(refusal.status, &refusal.body).is_some_and(|what| {
            tracing::info!(parameter = what.as_str(), "the backend refuses it; it is left out from now on");
            proxy.translator.learn(what)
        });
        let smaller =
            error.limit.as_ref().and_then(|limit| limit.max_tokens_for_retry()).filter(|_| max_tokens.is_none());
        max_tokens = max_tokens.or(smaller);
        if tries >= MAX_TRIES || !(learned || smaller.is_some()) {
            return Err(error);
        }
        let again = job.translate(max_tokens).await.map_err(|error| error.to_api())?;
        body = Bytes::from(again.body);
    }
}

impl Proxy {
    async fn first_byte(&self, body: Bytes) -> Result<Response<UpstreamBody>, ApiError> {
        let answer = self.upstream.chat(body);
        match self.config.first_byte_timeout {
            None => answer.await,
            Some(limit) => tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
                Err(ApiError::api(504, format!("the backend said nothing for {} s", limit.as_secs_f32())))
            }),
        }
    }
}

/// An error answer, read as far as it tells anything.
struct Refusal {
    status: u16,
    content_type: Option<String>,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl Refusal {
    async fn read(response: Response<UpstreamBody>) -> Self {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, retry_after) = (header(CONTENT_TYPE), header(RETRY_AFTER));
        let status = response.status().as_u16();
        // A body that breaks off, or never comes, still has the status to tell.
        let patience = Patience { first: Some(ERROR_PATIENCE), later: Some(ERROR_PATIENCE) };
        let body = response.into_body().collect(MAX_ERROR_BYTES, true, patience).await.unwrap_or_default();
        Refusal { status, content_type, retry_after, body }
    }

    fn classify(&self, context: &RequestContext) -> ApiError {
        let mut failure = BackendFailure::new(context.backend, self.status, &self.body);
        failure.content_type = self.content_type.as_deref();
        failure.retry_after = self.retry_after.as_deref();
        failure.max_tokens = context.max_tokens;
        failure.estimated_prompt = context.estimated_input_tokens;
        context.masked(classify(&failure))
    }
}

/// Counts and logs one request, also when the client goes away and everything is dropped.
pub(super) struct Tally {
    proxy: Arc<Proxy>,
    seed: Seed,
    begun: Instant,
    context: RequestContext,
    notes: Vec<Note>,
    ended: bool,
}

impl Tally {
    fn begin(proxy: Arc<Proxy>, seed: Seed) -> Self {
        Counters::add(&proxy.counters.requests, 1);
        Tally {
            proxy,
            seed,
            begun: Instant::now(),
            context: RequestContext::default(),
            notes: Vec::new(),
            ended: false,
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.proxy.config
    }

    /// The answer has ended, well or badly.
    pub(super) fn end(&mut self, turn: &TurnRecord, failure: Option<&ApiError>) {
        if let Some(error) = failure {
            return self.fail(error);
        }
        self.ended = true;
        let counters = &self.proxy.counters;
        Counters::add(&counters.input_tokens, turn.input_tokens);
        Counters::add(&counters.cache_read_input_tokens, turn.cache_read_input_tokens);
        Counters::add(&counters.output_tokens, turn.output_tokens);
        self.proxy.translator.record(&self.context.session, turn, now());
        tracing::info!(
            request_id = self.seed.request_id(),
            model = self.context.model,
            stop_reason = turn.stop_reason,
            input_tokens = turn.input_tokens,
            cached_tokens = turn.cache_read_input_tokens,
            output_tokens = turn.output_tokens,
            ms = self.millis(),
            "answered"
        );
        for note in &self.notes {
            tracing::debug!(request_id = self.seed.request_id(), "{note}");
        }
    }

    fn fail(&mut self, error: &ApiError) {
        self.ended = true;
        Counters::add(&self.proxy.counters.errors, 1);
        let notes: Vec<String> = self.notes.iter().map(Note::to_string).collect();
        tracing::warn!(
            request_id = self.seed.request_id(),
            model = self.context.model,
            status = error.status,
            kind = error.kind.as_str(),
            ms = self.millis(),
            notes = notes.join("; "),
            "failed: {}",
            error.message
        );
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        Counters::add(&self.proxy.counters.ended, 1);
        if !self.ended {
            Counters::add(&self.proxy.counters.cancelled, 1);
            tracing::info!(request_id = self.seed.request_id(), ms = self.millis(), "the client went away");
        }
    }
}

fn session_key(headers: &HeaderMap) -> SessionKey {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    SessionKey { session: header("x-claude-code-session-id"), agent: header("x-claude-code-agent-id") }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
