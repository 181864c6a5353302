//! The Messages API of a server in this process: what the middlewares carry bytes for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyclaude_core::backend::{Model, model_config, model_template, template_opens_thinking};
use anyclaude_core::exchange::{
    self, Exchange as Core, MessagesApi as CoreApi, ReadAs, Received, Refusal, Reply as CoreReply,
};
use anyclaude_core::wire::ApiError;
use anyclaude_core::{Error, ErrorKind, Progress, Seed, Translator};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::clock::now;
use crate::context::RequestContext;
use crate::errors::guarded;
use crate::interpreter::sized;
use crate::json::Json;
use crate::seed::fresh;

/// The Messages API of one server.
#[pyclass(frozen, module = "anyclaude")]
pub(crate) struct MessagesApi(Arc<CoreApi>);

/// A request for a message and its answer.
#[pyclass(frozen, module = "anyclaude")]
pub(crate) struct Exchange(Box<Mutex<Core>>);

/// An answer for the client, or the head of one.
#[pyclass(frozen, module = "anyclaude")]
pub(crate) struct Reply {
    core: CoreReply,
    /// What it tells, for a client that has got the head of a stream already.
    error: Option<ApiError>,
}

/// What begins an exchange: one, or the answer to a request that makes no sense.
#[derive(IntoPyObject)]
pub(crate) enum Begun {
    Exchange(Exchange),
    Reply(Reply),
}

#[pymethods]
impl MessagesApi {
    #[new]
    #[pyo3(signature = (settings=None), text_signature = "(settings=None)")]
    #[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
    fn new(settings: Option<Json>) -> PyResult<Self> {
        let settings = settings.as_ref().map_or(&b"{}"[..], AsRef::as_ref);
        guarded(|| Ok(MessagesApi(Arc::new(CoreApi::new(Translator::from_config_json(settings)?)))))
    }

    /// Begins a request for a message.
    #[pyo3(signature = (headers, body, seed=None))]
    fn exchange(
        &self,
        py: Python<'_>,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
        body: &Bound<'_, PyBytes>,
        seed: Option<u128>,
    ) -> PyResult<Begun> {
        let received = received(headers, fresh(py, seed)?);
        let body = body.as_bytes();
        let begun = sized(py, body.len(), || Ok(self.0.exchange(&received, body)))?;
        Ok(match begun {
            Ok(exchange) => Begun::Exchange(Exchange(Box::new(Mutex::new(exchange)))),
            Err(error) => Begun::Reply(Reply::error(error, &received.seed.request_id())),
        })
    }

    /// Answers a question for the tokens of a prompt.
    #[pyo3(signature = (headers, body, seed=None))]
    fn count_tokens(
        &self,
        py: Python<'_>,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
        body: &Bound<'_, PyBytes>,
        seed: Option<u128>,
    ) -> PyResult<Reply> {
        let received = received(headers, fresh(py, seed)?);
        let body = body.as_bytes();
        let counted = sized(py, body.len(), || Ok(self.0.count_tokens(&received, body)))?;
        Ok(match counted {
            Ok(tokens) => Reply::new(CoreReply::token_count(tokens), &received.seed.request_id()),
            Err(error) => Reply::error(error, &received.seed.request_id()),
        })
    }

    /// An error that no exchange is there for.
    #[pyo3(signature = (status, message, seed=None))]
    fn error(&self, py: Python<'_>, status: u16, message: &str, seed: Option<u128>) -> PyResult<Reply> {
        let seed = fresh(py, seed)?;
        guarded(|| Ok(Reply::error(ApiError::by_status(status, message), &seed.request_id())))
    }

    /// The answer to a method that a path does not take.
    #[pyo3(signature = (method, path, seed=None))]
    fn method_not_allowed(&self, py: Python<'_>, method: &str, path: &str, seed: Option<u128>) -> PyResult<Reply> {
        let seed = fresh(py, seed)?;
        guarded(|| {
            let error = exchange::method_not_allowed(method, path, &["POST"]);
            let mut reply = Reply::error(error, &seed.request_id());
            reply.core.headers.push(("allow", "POST".to_owned()));
            Ok(reply)
        })
    }

    /// Whether the server's list of models would tell which one a request is for, and is not at hand.
    fn wants_models(&self, py: Python<'_>, exchange: &Exchange) -> PyResult<bool> {
        exchange.locked(py, 0, |core| Ok(self.0.wants_models(core.context(), now())))
    }

    /// Takes the server's list of models, or that it gave none.
    #[pyo3(signature = (answer))]
    fn told_list(&self, answer: Option<&[u8]>) -> PyResult<()> {
        guarded(|| {
            self.0.told_list(answer, now());
            Ok(())
        })
    }

    /// Takes what a host knows of its model.
    #[pyo3(signature = (id, config=None, template=None, leaves_thinking=false))]
    fn told_model(
        &self,
        id: String,
        config: Option<&[u8]>,
        template: Option<&str>,
        leaves_thinking: bool,
    ) -> PyResult<()> {
        guarded(|| {
            let mut model = Model::named(id);
            model.window = config.and_then(model_config);
            if let Some(template) = template {
                model_template(template, &mut model);
                model.opens_thinking = template_opens_thinking(template).filter(|_| leaves_thinking);
            }
            self.0.told(vec![model], now());
            Ok(())
        })
    }
}

#[pymethods]
impl Exchange {
    /// The JSON body for the server's `POST /v1/chat/completions`.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.locked(py, 0, |core| Ok(core.body().to_vec())).map(|body| PyBytes::new(py, &body))
    }

    /// What the way back knows of the request.
    #[getter]
    fn context(&self, py: Python<'_>) -> PyResult<RequestContext> {
        self.locked(py, 0, |core| Ok(RequestContext(core.context().clone())))
    }

    /// Whether the client wants an event stream.
    #[getter]
    fn stream(&self, py: Python<'_>) -> PyResult<bool> {
        self.locked(py, 0, |core| Ok(core.context().stream))
    }

    /// What was dropped, renamed or clamped.
    #[getter]
    fn notes(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.locked(py, 0, |core| Ok(core.notes().iter().map(ToString::to_string).collect()))
    }

    /// Whether the last event has been given.
    #[getter]
    fn ended(&self, py: Python<'_>) -> PyResult<bool> {
        self.locked(py, 0, |core| Ok(core.progress() == Progress::Ended))
    }

    /// Whether the model has said something.
    #[getter]
    fn answering(&self, py: Python<'_>) -> PyResult<bool> {
        self.locked(py, 0, |core| Ok(core.progress() != Progress::Waiting))
    }

    /// How the answer with this head is to be read.
    fn read_as(&self, py: Python<'_>, status: u16, content_type: &str) -> PyResult<&'static str> {
        self.locked(py, 0, |core| {
            Ok(match core.reading(status, content_type) {
                ReadAs::Events => "events",
                ReadAs::Whole => "whole",
                ReadAs::Refusal => "refusal",
            })
        })
    }

    /// The server has refused: the answer for the client, or `None` when `body` is to be sent once more.
    #[pyo3(signature = (status, body, content_type=None, retry_after=None))]
    fn refused(
        &self,
        py: Python<'_>,
        status: u16,
        body: &[u8],
        content_type: Option<String>,
        retry_after: Option<String>,
    ) -> PyResult<Option<Reply>> {
        let mut refusal = Refusal::default();
        (refusal.status, refusal.body) = (status, body.to_vec());
        (refusal.content_type, refusal.retry_after) = (content_type, retry_after);
        self.locked(py, 0, |core| {
            let refused = core.refused(&refusal);
            Ok(refused.err().map(|error| Reply::error(error, &core.request_id())))
        })
    }

    /// Takes the whole answer, for a client that wants it whole.
    fn message(&self, py: Python<'_>, answer: &[u8]) -> PyResult<Reply> {
        self.locked(py, answer.len(), |core| {
            Ok(match core.message(answer, now()) {
                Ok(message) => Reply::new(CoreReply::json(200, message), &core.request_id()),
                Err(error) => Reply::error(error, &core.request_id()),
            })
        })
    }

    /// An error, for a client that has got nothing yet.
    fn error(&self, py: Python<'_>, status: u16, message: &str) -> PyResult<Reply> {
        self.locked(py, 0, |core| Ok(Reply::error(ApiError::by_status(status, message), &core.request_id())))
    }

    /// The head of the stream; the first event is `start`'s.
    fn head(&self, py: Python<'_>) -> PyResult<Reply> {
        self.locked(py, 0, |core| Ok(Reply::new(CoreReply::events(), &core.request_id())))
    }

    /// Begins the stream, before the server has said anything.
    fn start<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.written(py, 0, |core, out| core.start(out))
    }

    /// Takes the next bytes of the server's stream, cut anywhere.
    fn push<'py>(&self, py: Python<'py>, data: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = data.as_bytes();
        self.written(py, bytes.len(), |core, out| _ = core.push(bytes, out))
    }

    /// Takes a whole answer, for a client that wants a stream.
    fn push_whole<'py>(&self, py: Python<'py>, answer: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        self.written(py, answer.len(), |core, out| core.push_whole(answer, out))
    }

    /// Call when nothing has been sent for a ping interval.
    fn tick<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.written(py, 0, |core, out| _ = core.tick(out))
    }

    /// The server's stream has broken.
    #[pyo3(signature = (message, status=502))]
    fn fail<'py>(&self, py: Python<'py>, message: &str, status: u16) -> PyResult<Bound<'py, PyBytes>> {
        self.written(py, 0, |core, out| core.fail(&ApiError::by_status(status, message), out))
    }

    /// Gives the error of a reply in the stream, to a client that has its head already.
    fn fail_with<'py>(&self, py: Python<'py>, reply: &Reply) -> PyResult<Bound<'py, PyBytes>> {
        self.written(py, 0, |core, out| {
            if let Some(error) = &reply.error {
                core.fail(error, out);
            }
        })
    }

    /// The server's stream has ended.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.written(py, 0, |core, out| core.finish(out))
    }

    /// Call when the stream has ended; gives lines for the log.
    fn end(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.locked(py, 0, |core| Ok(core.end(now())))
    }
}

impl Exchange {
    /// Calls the exchange with an input of `size` bytes. The lock is taken and given back on one side of the
    /// interpreter's, so that the two cannot wait for each other.
    fn locked<T: Send>(
        &self,
        py: Python<'_>,
        size: usize,
        call: impl FnOnce(&mut Core) -> anyclaude_core::Result<T> + Send,
    ) -> PyResult<T> {
        sized(py, size, || {
            let mut core = self.0.lock().map_err(|_| {
                Error::new(ErrorKind::Internal, "an earlier call on this exchange met a defect of the library")
            })?;
            call(&mut core)
        })
    }

    /// Calls the exchange and gives what it wrote.
    fn written<'py>(
        &self,
        py: Python<'py>,
        size: usize,
        call: impl FnOnce(&mut Core, &mut Vec<u8>) + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let out = self.locked(py, size, |core| {
            let mut out = Vec::new();
            call(core, &mut out);
            Ok(out)
        })?;
        Ok(PyBytes::new(py, &out))
    }
}

impl Reply {
    fn new(reply: CoreReply, request_id: &str) -> Self {
        Reply { core: reply.with_request_id(request_id), error: None }
    }

    fn error(error: ApiError, request_id: &str) -> Self {
        Reply { core: CoreReply::error(&error, request_id).with_request_id(request_id), error: Some(error) }
    }
}

#[pymethods]
impl Reply {
    /// The HTTP status.
    #[getter]
    fn status(&self) -> u16 {
        self.core.status
    }

    /// The headers, in lower case, without the length of the body.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let pairs = self.core.headers.iter();
        PyList::new(
            py,
            pairs.map(|(name, value)| (PyBytes::new(py, name.as_bytes()), PyBytes::new(py, value.as_bytes()))),
        )
    }

    /// The body; empty for the head of a stream.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.core.body)
    }
}

/// What is looked at of a request's headers. Bytes, as servers have them; names in any case.
fn received(headers: Vec<(Vec<u8>, Vec<u8>)>, seed: Seed) -> Received {
    let headers: HashMap<Vec<u8>, Vec<u8>> =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let header = |name: &str| headers.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned());
    Received::from_headers(header, now(), seed)
}

/// The largest request body that is taken, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = exchange::MAX_BODY_BYTES;
/// The largest whole answer that is read, in bytes.
pub(crate) const MAX_ANSWER_BYTES: usize = exchange::MAX_ANSWER_BYTES;
/// The most bytes read of an error answer.
pub(crate) const MAX_ERROR_BYTES: usize = exchange::MAX_ERROR_BYTES;
/// How long a stream may wait for the server before its head is sent, in seconds.
pub(crate) const COMMIT_AFTER: f64 = seconds(exchange::COMMIT_AFTER);
/// How often a silent stream gets a ping, in seconds.
pub(crate) const PING_INTERVAL: f64 = seconds(exchange::PING_INTERVAL);
/// How long the server may be silent in the middle of an answer, in seconds.
pub(crate) const STALL_TIMEOUT: f64 = seconds(exchange::STALL_TIMEOUT);

const fn seconds(duration: Duration) -> f64 {
    duration.as_secs() as f64
}
