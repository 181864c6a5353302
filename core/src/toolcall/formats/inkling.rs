//! Inkling: a name before the object, and in it.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::JsonSpec;

/// Inkling: a name before the object, and in it.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "inkling",
    models: &["inkling*"],
    marks: &[Mark::new(
        "<|message_model|>",
        Begins::Name(&["<|content_invoke_tool_json|>"]),
        Reads::Json(JsonSpec { close: &["<|end_message|>"], head: "<|content_invoke_tool_json|>", ..JsonSpec::NONE }),
    )],
    ..PLAIN
};
