//! Hermes and Qwen: one object in `<tool_call>` a call.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::JsonSpec;

/// Hermes and Qwen: one object in `<tool_call>` a call.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "hermes",
    models: &["qwen2*", "qwen3*", "qwq*", "hermes-*", "mimo-vl*", "granite-4*", "bielik*", "reka*"],
    marks: &[Mark::new(
        "<tool_call>",
        Begins::Json("{"),
        Reads::Json(JsonSpec { close: &["</tool_call>"], repeats: true, ..JsonSpec::NONE }),
    )],
    ..PLAIN
};
