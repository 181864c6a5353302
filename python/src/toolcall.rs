//! The reader of tool calls that models write as text.

use std::sync::{Mutex, PoisonError};

use anyclaude_core::toolcall::{self, Choice, Piece, ToolParser as Core, read_tools};
use anyclaude_core::{Error, ErrorKind, Seed};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::errors::guarded;
use crate::interpreter::sized;
use crate::json::{Tools, loads};
use crate::seed::fresh;

/// Reads one answer as it comes.
#[pyclass(frozen, module = "anyclaude")]
pub(crate) struct ToolParser(Mutex<State>);

struct State {
    /// None once the answer has ended.
    core: Option<Core>,
    seed: Seed,
    calls: u64,
}

/// A piece that outlives the call that gave it.
enum Event {
    Text(String),
    Thinking(String),
    Start(String, String),
    Arguments(String),
    End,
}

#[pymethods]
impl ToolParser {
    #[new]
    #[pyo3(
        signature = (format=None, model=None, tools=Tools::default(), prompt_opens_thinking=false, *, seed=None),
        text_signature = "(format=None, model=None, tools=(), prompt_opens_thinking=False, *, seed=None)",
    )]
    #[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
    fn new(
        py: Python<'_>,
        format: Option<&str>,
        model: Option<&str>,
        tools: Tools,
        prompt_opens_thinking: bool,
        seed: Option<u128>,
    ) -> PyResult<Self> {
        let seed = fresh(py, seed)?;
        guarded(|| {
            let choice = Choice::named(format, model)?;
            let core = Core::new(choice, &read_tools(tools.as_ref())?, prompt_opens_thinking);
            Ok(ToolParser(Mutex::new(State { core: Some(core), seed, calls: 0 })))
        })
    }

    /// Takes more of the answer, cut anywhere; gives what is known by now.
    fn push<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyList>> {
        let over = || PyValueError::new_err("push after finish: every answer has a parser of its own");
        let events = self.call(py, text.len(), |core, sink| core.as_mut().map(|core| core.push(text, sink)))?;
        to_python(py, &events.ok_or_else(over)?)
    }

    /// Nothing more comes; gives what was held back. A second call gives nothing.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let events = self.call(py, 0, |core, sink| core.take().map(|mut core| core.finish(sink)))?;
        to_python(py, &events.unwrap_or_default())
    }
}

impl ToolParser {
    /// Calls the parser and gives its events, `None` if it is over. The lock is taken and given back on one side of
    /// the interpreter's, so that the two cannot wait for each other.
    fn call(
        &self,
        py: Python<'_>,
        size: usize,
        call: impl FnOnce(&mut Option<Core>, &mut dyn FnMut(Piece<'_>)) -> Option<()> + Send,
    ) -> PyResult<Option<Vec<Event>>> {
        sized(py, size, || {
            let mut state = self.0.lock().map_err(|_: PoisonError<_>| {
                Error::new(ErrorKind::Internal, "an earlier call on this parser met a defect of the library")
            })?;
            let State { core, seed, calls } = &mut *state;
            let mut events = Vec::new();
            let mut sink = |piece: Piece<'_>| events.extend(event(piece, *seed, calls));
            Ok(call(core, &mut sink).map(|()| events))
        })
    }
}

/// Reads an answer that has all come.
#[pyfunction]
#[pyo3(
    signature = (text, format=None, model=None, tools=Tools::default(), prompt_opens_thinking=false, *, seed=None),
    text_signature = "(text, format=None, model=None, tools=(), prompt_opens_thinking=False, *, seed=None)",
)]
#[expect(clippy::needless_pass_by_value, reason = "arguments from Python come by value")]
pub(crate) fn parse_tools<'py>(
    py: Python<'py>,
    text: &str,
    format: Option<&str>,
    model: Option<&str>,
    tools: Tools,
    prompt_opens_thinking: bool,
    seed: Option<u128>,
) -> PyResult<Bound<'py, PyAny>> {
    let seed = fresh(py, seed)?;
    let json = sized(py, text.len(), || {
        let choice = Choice::named(format, model)?;
        Ok(toolcall::parse(choice, &read_tools(tools.as_ref())?, prompt_opens_thinking, text).to_json(seed))
    })?;
    loads(py, &PyBytes::new(py, json.as_bytes()))
}

/// The names of all formats.
#[pyfunction]
pub(crate) fn tool_formats() -> Vec<&'static str> {
    toolcall::formats().map(|format| format.name).collect()
}

/// `None` for a kind of piece that is newer than this module.
fn event(piece: Piece<'_>, seed: Seed, calls: &mut u64) -> Option<Event> {
    Some(match piece {
        Piece::Text(text) => Event::Text(text.to_owned()),
        Piece::Thinking(text) => Event::Thinking(text.to_owned()),
        Piece::CallStart(name) => {
            let id = seed.tool_use_id(*calls);
            *calls += 1;
            Event::Start(id, name.to_owned())
        }
        Piece::Arguments(json) => Event::Arguments(json.to_owned()),
        Piece::CallEnd => Event::End,
        _ => return None,
    })
}

/// As `ToolEvent` of `anyclaude/toolcall.py`.
fn to_python<'py>(py: Python<'py>, events: &[Event]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for event in events {
        let fields: &[(&str, &str)] = match event {
            Event::Text(text) => &[("type", "text"), ("text", text)],
            Event::Thinking(thinking) => &[("type", "thinking"), ("thinking", thinking)],
            Event::Start(id, name) => &[("type", "tool_start"), ("id", id), ("name", name)],
            Event::Arguments(json) => &[("type", "tool_args"), ("json", json)],
            Event::End => &[("type", "tool_end")],
        };
        let dict = PyDict::new(py);
        for (key, value) in fields {
            dict.set_item(key, value)?;
        }
        list.append(dict)?;
    }
    Ok(list)
}
