//! Phi-4-mini's template: a list between `<|tool_call|>` and its end.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::JsonSpec;

/// Phi-4-mini's template: a list between `<|tool_call|>` and its end.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "phi4",
    models: &["phi-4*"],
    marks: &[Mark::new(
        "<|tool_call|>",
        Begins::Json("[{"),
        Reads::Json(JsonSpec { close: &["<|/tool_call|>"], ..JsonSpec::NONE }),
    )],
    ..PLAIN
};
