//! What callers give a parser: a format or a model, and the tools of the request.

use serde_json::Value;

use super::format::Format;
use super::formats::{by_name, formats, unknown};
use crate::{Error, ErrorKind, Result};

/// Which formats a parser looks for.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum Choice<'c> {
    /// All that have markers.
    #[default]
    Any,
    /// This one and no other.
    Format(&'static Format),
    /// Those of the model of this name first, and all that have markers behind them.
    Model(&'c str),
}

impl<'c> Choice<'c> {
    /// The choice of someone who names a format, a model or neither.
    ///
    /// # Errors
    /// Both are named, or the format is not known; the message lists the known ones.
    pub fn named(format: Option<&str>, model: Option<&'c str>) -> Result<Self> {
        match (format, model) {
            (Some(_), Some(_)) => Err(Error::new(
                ErrorKind::Config,
                "format and model: give one of them, a format is the only one looked for",
            )),
            (Some(name), None) => {
                let names = || formats().map(|format| format.name);
                by_name(name).map(Choice::Format).ok_or_else(|| unknown("format", name, names()))
            }
            (None, Some(model)) => Ok(Choice::Model(model)),
            (None, None) => Ok(Choice::Any),
        }
    }
}

/// The tool definitions of a request from their JSON: an array, as the Messages API or chat completions have it.
///
/// # Errors
/// It is none, or a definition in it has no name, as those of other APIs: without this, their calls would be text.
pub fn read_tools(json: &[u8]) -> Result<Vec<Value>> {
    let wrong = |message: String| Error::new(ErrorKind::InvalidRequest, message);
    let tools: Vec<Value> = serde_json::from_slice(json).map_err(|error| wrong(format!("tools: {error}")))?;
    let tools: Vec<Value> = tools.into_iter().map(as_messages_has_it).collect();
    match tools.iter().position(|tool| tool.get("name").is_none_or(|name| !name.is_string())) {
        Some(at) => Err(wrong(format!("tools[{at}]: a definition has a name, as a string"))),
        None => Ok(tools),
    }
}

/// A definition of chat completions, `{"type":"function","function":{..}}`, in the shape of the Messages API.
fn as_messages_has_it(mut tool: Value) -> Value {
    match tool.get_mut("function").map(Value::take) {
        Some(Value::Object(mut function)) => {
            if let Some(schema) = function.remove("parameters") {
                function.insert("input_schema".to_owned(), schema);
            }
            Value::Object(function)
        }
        _ => tool,
    }
}
