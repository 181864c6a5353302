//! What the way back must know of the way there.

use anyclaude_core::{Dialect, RequestContext as Context, backend};
use pyo3::prelude::*;

use crate::errors::guarded;

/// What the converter of an answer must know about its request.
#[pyclass(frozen, module = "anyclaude")]
pub(crate) struct RequestContext(pub(crate) Context);

#[pymethods]
impl RequestContext {
    /// A context for an answer whose request is not at hand.
    #[staticmethod]
    #[pyo3(signature = (name, backend="openai", *, estimated_input_tokens=1, dialect="chat"))]
    fn for_model(name: &str, backend: &str, estimated_input_tokens: u64, dialect: &str) -> PyResult<Self> {
        let (spec, dialect) = guarded(|| Ok((backend::by_name(backend)?, Dialect::by_name(dialect)?)))?;
        let mut context = Context::for_model(name);
        context.backend = spec.name;
        context.dialect = dialect;
        context.estimated_input_tokens = estimated_input_tokens;
        Ok(RequestContext(context))
    }

    /// The model that the client asked for; the answer names it.
    #[getter]
    fn model(&self) -> &str {
        &self.0.model
    }

    /// The kind of server that answers.
    #[getter]
    fn backend(&self) -> &str {
        self.0.backend
    }

    /// The API in which the server answers: `chat` or `messages`.
    #[getter]
    fn dialect(&self) -> &'static str {
        self.0.dialect.as_str()
    }

    /// Whether the client wants an event stream.
    #[getter]
    fn stream(&self) -> bool {
        self.0.stream
    }

    /// The limit that the server was sent.
    #[getter]
    fn max_tokens(&self) -> Option<u64> {
        self.0.max_tokens
    }

    /// About how many tokens the prompt has.
    #[getter]
    fn estimated_input_tokens(&self) -> u64 {
        self.0.estimated_input_tokens
    }
}
