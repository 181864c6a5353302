//! The translator.

use std::collections::HashMap;

use anyclaude_core::backend::Model;
use anyclaude_core::{Dialect, Hints, Options, RequestMeta, SessionKey, ToolSupply, Translator as Core, backend};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMapping};

use crate::clock::now;
use crate::context::RequestContext;
use crate::errors::guarded;
use crate::interpreter::sized;
use crate::json::{Json, loads, parsed};
use crate::seed::fresh;
use crate::stream::StreamConverter;

/// Translates requests for one kind of server, and whole answers back.
#[pyclass(frozen, module = "anyclaude")]
pub(crate) struct Translator(Core);

/// A request for the server, and what the way back needs.
#[pyclass(frozen, module = "anyclaude")]
pub(crate) struct Translated {
    /// The JSON body for the server.
    #[pyo3(get)]
    body: Py<PyBytes>,
    /// What the converter of the answer must know.
    #[pyo3(get)]
    context: Py<RequestContext>,
    /// What was dropped, renamed or clamped, one sentence each.
    #[pyo3(get)]
    notes: Vec<String>,
}

/// A model that the server has: its name, or its name and its window in tokens.
#[derive(FromPyObject)]
enum Known {
    Named(String),
    Windowed(String, u64),
}

impl Known {
    fn into_model(self) -> Model {
        match self {
            Known::Named(id) => Model::named(id),
            Known::Windowed(id, window) => {
                let mut model = Model::named(id);
                model.window = Some(window);
                model
            }
        }
    }
}

#[pymethods]
impl Translator {
    #[new]
    #[pyo3(
        signature = (
            backend="openai", model=None, max_output_tokens=None, *, dialect="chat", pin_lines=Vec::new(),
            tools="auto", tool_format="auto", prompt_opens_thinking=None, backend_stream=None,
        ),
        text_signature = "(backend='openai', model=None, max_output_tokens=None, *, dialect='chat', pin_lines=(), \
            tools='auto', tool_format='auto', prompt_opens_thinking=None, backend_stream=None)",
    )]
    #[expect(clippy::too_many_arguments, reason = "arguments from Python")]
    fn new(
        backend: &str,
        model: Option<String>,
        max_output_tokens: Option<u64>,
        dialect: &str,
        pin_lines: Vec<String>,
        tools: &str,
        tool_format: &str,
        prompt_opens_thinking: Option<bool>,
        backend_stream: Option<bool>,
    ) -> PyResult<Self> {
        let mut options = Options::default();
        options.pin_lines = pin_lines;
        options.model = model;
        options.max_output_tokens = max_output_tokens;
        options.prompt_opens_thinking = prompt_opens_thinking;
        options.streams = backend_stream;
        guarded(|| {
            options.dialect = Dialect::by_name(dialect)?;
            options.tools = ToolSupply::by_name(tools)?;
            options.tool_format = tool_format.parse()?;
            Ok(Translator(Core::new(*backend::by_name(backend)?, options)))
        })
    }

    /// Translates the body of a `POST /v1/messages`.
    #[pyo3(
        signature = (body, session=None, agent=None, seed=None, models=Vec::new(), headers=None),
        text_signature = "($self, body, session=None, agent=None, seed=None, models=(), headers=None)",
    )]
    #[expect(clippy::needless_pass_by_value, clippy::too_many_arguments, reason = "arguments from Python")]
    fn request(
        &self,
        py: Python<'_>,
        body: Json,
        session: Option<String>,
        agent: Option<String>,
        seed: Option<u128>,
        models: Vec<Known>,
        headers: Option<&Bound<'_, PyMapping>>,
    ) -> PyResult<Translated> {
        let seed = fresh(py, seed)?;
        let models: Vec<Model> = models.into_iter().map(Known::into_model).collect();
        let pairs: Vec<(String, String)> =
            headers.map(|headers| headers.items()?.extract()).transpose()?.unwrap_or_default();
        let headers: HashMap<String, String> =
            pairs.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let header = |name: &str| headers.get(name).cloned();
        let mut key = SessionKey::from_headers(header);
        key.session = session.unwrap_or(key.session);
        key.agent = agent.unwrap_or(key.agent);
        let hints = Hints::from_headers(header);
        let translated = sized(py, body.as_ref().len(), || {
            let meta = RequestMeta { session: key, hints, now: now(), seed, models: &models, ..RequestMeta::default() };
            self.0.request_json(body.as_ref(), &meta)
        })?;
        Ok(Translated {
            body: PyBytes::new(py, &translated.body).unbind(),
            context: Py::new(py, RequestContext(translated.context))?,
            notes: translated.notes.iter().map(ToString::to_string).collect(),
        })
    }

    /// Remembers the answer that a stream has brought, to be replayed when the client sends it back; gives the
    /// prefix report of its request, `None` without one.
    #[pyo3(signature = (stream, prefill_ms=None))]
    fn record<'py>(
        &self,
        py: Python<'py>,
        stream: &StreamConverter,
        prefill_ms: Option<u64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (context, mut turn) = stream.turn(py)?;
        turn.prefill_ms = prefill_ms;
        let report = guarded(|| Ok(self.0.record(&context, &turn, now())))?;
        report.map(|report| parsed(py, &report)).transpose()
    }

    /// The last prefix reports of the sessions whose id begins so, the oldest first.
    #[pyo3(signature = (session=""))]
    fn prefix_reports<'py>(&self, py: Python<'py>, session: &str) -> PyResult<Bound<'py, PyAny>> {
        parsed(py, &self.0.prefix_reports(session))
    }

    /// Translates a whole answer of the server into a message, and remembers it.
    #[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
    fn response<'py>(&self, py: Python<'py>, context: &RequestContext, body: Json) -> PyResult<Bound<'py, PyBytes>> {
        let message = sized(py, body.as_ref().len(), || {
            let (message, turn) = self.0.response_json(&context.0, body.as_ref())?;
            self.0.record(&context.0, &turn, now());
            Ok(message)
        })?;
        Ok(PyBytes::new(py, &message))
    }
}

#[pymethods]
impl Translated {
    /// The body as a new `dict`.
    fn dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        loads(py, self.body.bind(py))
    }
}
