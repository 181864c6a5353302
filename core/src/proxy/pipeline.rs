//! The life of a request for a message: read, translate, send, convert, reply.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use tracing::{Instrument, info_span};

use super::active::Active;
use super::documents::{Reading, Unread};
use super::reply::{self, ReplyBody};
use super::stream_body::{Source, StreamBody};
use super::tally::{Stage, Tally, now};
use super::trace::Trace;
use super::upstream::{Patience, UpstreamBody};
use super::{Proxy, body};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{self, Lesson, MAX_ANSWER_BYTES, MAX_ERROR_BYTES, ReadAs, Refusal, Tries, Verdict};
use crate::ids::Seed;
use crate::session::SessionKey;
use crate::stream::StreamConverter;
use crate::translate::{DocumentText, Hints, RefusedParameter, RequestContext, RequestMeta, Translated};
use crate::wire::ApiError;

/// How long each piece of an error answer may take.
const ERROR_PATIENCE: Duration = Duration::from_secs(5);

/// Answers `POST /v1/messages`.
pub(super) async fn message(
    proxy: &Arc<Proxy>,
    active: &Arc<Active>,
    parts: &Parts,
    body: Incoming,
    seed: Seed,
) -> Result<Response<ReplyBody>, ApiError> {
    let mut tally = Tally::begin(proxy, active, parts, seed);
    match answer(&mut tally, parts, body, seed).await {
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

/// The stages as far as the head of the answer.
async fn answer(tally: &mut Tally, parts: &Parts, body: Incoming, seed: Seed) -> Result<Reply, ApiError> {
    let config = &tally.proxy.config;
    let body = body::read(&parts.headers, body, config.max_body_bytes, config.body_timeout)
        .instrument(info_span!("read"))
        .await?;
    tally.reached(Stage::Read);
    if let Some(trace) = &tally.trace {
        trace.request(parts.method.as_str(), parts.uri.path(), &parts.headers, &body);
    }
    let mut job = Job::new(&tally.proxy, &tally.active, parts, body, seed);
    job.trace = tally.trace.clone();
    let job = Arc::new(job);
    let mut translated =
        job.translate(None).instrument(info_span!("translate")).await.map_err(|error| error.to_api())?;
    tally.reached(Stage::Translate);
    tally.notes = std::mem::take(&mut translated.notes);
    tally.context = translated.context;
    tally.started();
    let body = Bytes::from(translated.body);
    if let Some(trace) = &tally.trace {
        trace.translated(&tally.active.info, tally.context.dialect, &body, &tally.notes);
    }
    if let Some(chosen) = tally.context.text_formats() {
        let (formats, model) = (chosen.formats.join(","), &tally.context.backend_model);
        tracing::debug!(model, formats, "calls are looked for in text, by {}", chosen.reason);
    }
    let sending = send(Arc::clone(&tally.active), job, body, tally.context.clone()).instrument(info_span!("send"));
    if tally.context.stream {
        let wait = tally.config().commit_after.saturating_sub(tally.elapsed());
        stream(sending, wait, tally).await
    } else {
        whole(sending, tally).await
    }
}

/// Answers `POST /v1/messages/count_tokens`: an estimate, without any inference.
pub(super) async fn count_tokens(
    proxy: &Arc<Proxy>,
    active: &Arc<Active>,
    parts: &Parts,
    body: Incoming,
    seed: Seed,
) -> Result<u64, ApiError> {
    let config = &proxy.config;
    let body = body::read(&parts.headers, body, config.max_body_bytes, config.body_timeout).await?;
    let mut job = Job::new(proxy, active, parts, body, seed);
    job.remembers = false;
    let translated = Arc::new(job).translate(None).await.map_err(|error| error.to_api())?;
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
    tally: &mut Tally,
) -> Result<Reply, ApiError> {
    let mut sending: super::stream_body::Sending = Box::pin(sending);
    let source = tokio::select! {
        biased;
        head = &mut sending => head?.into_source(tally),
        () = tokio::time::sleep(commit_after) => Source::Waiting(sending),
    };
    Ok(Reply::Stream(source))
}

async fn whole(sending: impl Future<Output = Result<Head, ApiError>>, tally: &mut Tally) -> Result<Reply, ApiError> {
    let mut head = Box::pin(sending).await?;
    head.accepted(tally);
    tally.reached(Stage::Send);
    let config = tally.config();
    let patience = Patience { first: config.first_byte_timeout, later: config.stall_timeout };
    if let Some(trace) = &tally.trace {
        trace.response(head.response.status().as_u16(), head.response.headers());
    }
    let answer = head.response.into_body().collect(MAX_ANSWER_BYTES, false, patience).await;
    let answer = answer.map_err(|error| ApiError::api(502, format!("the backend broke off its answer: {error}")))?;
    if let Some(trace) = &tally.trace {
        trace.backend(&answer);
    }
    let converted = tally.convert_span().in_scope(|| tally.active.translator.response_json(&tally.context, &answer));
    let (message, turn) = converted.map_err(|error| error.to_api())?;
    if let Some(trace) = &tally.trace {
        trace.client(&message);
    }
    tally.reached(Stage::FirstToken);
    tally.said();
    tally.end(&turn, None);
    Ok(Reply::Whole(reply::json(StatusCode::OK, message)))
}

/// A request as it came, kept until the backend has accepted it.
struct Job {
    proxy: Arc<Proxy>,
    active: Arc<Active>,
    body: Bytes,
    session: SessionKey,
    seed: Seed,
    hints: Hints,
    /// The request is sent to a model.
    remembers: bool,
    /// Told of each try, where the request has one.
    trace: Option<Arc<Trace>>,
}

impl Job {
    fn new(proxy: &Arc<Proxy>, active: &Arc<Active>, parts: &Parts, body: Bytes, seed: Seed) -> Self {
        let header = |name: &str| parts.headers.get(name)?.to_str().ok().map(str::to_owned);
        Job {
            proxy: Arc::clone(proxy),
            active: Arc::clone(active),
            body,
            session: SessionKey::from_headers(header),
            seed,
            hints: Hints::from_headers(header),
            remembers: true,
            trace: None,
        }
    }

    /// Translates with what is known of the server's models. It is asked first only where the choice of a
    /// model depends on it.
    async fn translate(self: &Arc<Self>, max_tokens: Option<u64>) -> Result<Translated> {
        let catalog = &self.active.catalog;
        let translated = self.translate_once(max_tokens).await?;
        if !translated.context.model_known && catalog.is_stale() && self.active.models().await.is_ok() {
            return self.translate_once(max_tokens).await;
        }
        if catalog.is_telling() {
            self.active.refresh();
        }
        Ok(translated)
    }

    async fn translate_once(self: &Arc<Self>, max_tokens: Option<u64>) -> Result<Translated> {
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
            models: &self.active.catalog.models(),
            max_tokens,
            documents,
            hints: self.hints.clone(),
            remembers: self.remembers,
            ..RequestMeta::default()
        };
        self.active.translator.request_json(&self.body, &meta)
    }
}

/// The head of the backend's answer, once it is a success.
pub(super) struct Head {
    response: Response<UpstreamBody>,
    /// What the request became that was accepted, where it was not the first.
    again: Option<Box<RequestContext>>,
}

impl Head {
    /// From here on the request is the one that was accepted: the answer is read by it.
    fn accepted(&mut self, tally: &mut Tally) {
        if let Some(again) = self.again.take() {
            tally.context = *again;
        }
    }

    /// How the body is to be read: as events, or as the one answer that some servers send anyway.
    pub(super) fn into_source(mut self, tally: &mut Tally) -> Source {
        self.accepted(tally);
        tally.reached(Stage::Send);
        if let Some(trace) = &tally.trace {
            trace.response(self.response.status().as_u16(), self.response.headers());
        }
        let reading = reading(&tally.context, &self.response);
        let body = self.response.into_body();
        if reading == ReadAs::Events { Source::Events(body) } else { Source::Json(body, Vec::new()) }
    }
}

/// How the body of an answer is to be read.
fn reading(context: &RequestContext, response: &Response<UpstreamBody>) -> ReadAs {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    ReadAs::by_head(context, response.status().as_u16(), kind)
}

/// Sends until the backend accepts, or refuses for a reason that nothing here can cure.
async fn send(active: Arc<Active>, job: Arc<Job>, body: Bytes, context: RequestContext) -> Result<Head, ApiError> {
    let (mut body, mut context) = (body, context);
    let mut tries = Tries::default();
    let mut is_first = true;
    let patience = job.proxy.config.first_byte_timeout;
    loop {
        let response = first_byte(&active, body, patience).await?;
        if reading(&context, &response) != ReadAs::Refusal {
            return Ok(Head { response, again: (!is_first).then(|| Box::new(context)) });
        }
        is_first = false;
        let trace = job.trace.as_deref();
        if let Some(trace) = trace {
            trace.response(response.status().as_u16(), response.headers());
        }
        let refusal = read_refusal(response).await;
        if let Some(trace) = trace {
            trace.refusal(&refusal.body);
        }
        let (verdict, lesson) = tries.refused(&active.translator, active.catalog.table(), &context, &refusal);
        if let Some(lesson) = lesson {
            tell(&active, lesson);
        }
        if let Verdict::Refused(error) = verdict {
            return Err(error);
        }
        let again = job.translate(tries.max_tokens()).await.map_err(|error| error.to_api())?;
        body = Bytes::from(again.body);
        if let Some(trace) = trace {
            trace.translated(&active.info, again.context.dialect, &body, &again.notes);
        }
        context = again.context;
    }
}

/// Learns from a failure that came inside of an answer.
pub(super) fn learn_late(active: &Active, context: &RequestContext, error: &ApiError) {
    if let Some(lesson) = exchange::learn_late(&active.translator, active.catalog.table(), context, error) {
        tell(active, lesson);
    }
}

/// Tells the log what was learned, and the user what costs answers their quality.
fn tell(active: &Active, lesson: Lesson) {
    if lesson.refused == RefusedParameter::Tools {
        active.warnings.add(format!("tools {}", lesson.model), lesson.notice);
    } else {
        tracing::info!(parameter = lesson.refused.as_str(), "{}", lesson.notice);
    }
}

async fn first_byte(
    active: &Active,
    body: Bytes,
    patience: Option<Duration>,
) -> Result<Response<UpstreamBody>, ApiError> {
    let answer = async {
        let answer = active.upstream.answer(body).await;
        if answer.is_err() {
            active.forget();
        }
        answer
    };
    match patience {
        None => answer.await,
        Some(limit) => tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
            Err(ApiError::api(504, format!("the backend said nothing for {} s", limit.as_secs_f32())))
        }),
    }
}

/// An error answer, read as far as it tells anything.
async fn read_refusal(response: Response<UpstreamBody>) -> Refusal {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (content_type, retry_after) = (header(CONTENT_TYPE), header(RETRY_AFTER));
    let status = response.status().as_u16();
    // A body that breaks off, or never comes, still has the status to tell.
    let patience = Patience { first: Some(ERROR_PATIENCE), later: Some(ERROR_PATIENCE) };
    let body = response.into_body().collect(MAX_ERROR_BYTES, true, patience).await.unwrap_or_default();
    Refusal { status, content_type, retry_after, body, clients_key: false }
}
