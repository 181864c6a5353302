//! Jamba: a list in `<tool_calls>`.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::JsonSpec;

/// Jamba: a list in `<tool_calls>`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "jamba",
    models: &["*jamba*"],
    marks: &[Mark::new(
        "<tool_calls>",
        Begins::Json("[{"),
        Reads::Json(JsonSpec { close: &["</tool_calls>"], repeats: true, ..JsonSpec::NONE }),
    )],
    ..PLAIN
};
