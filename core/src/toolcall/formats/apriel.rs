//! Apriel: a list in `<tool_calls>`, and thinking in prose.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::JsonSpec;

/// Apriel: a list in `<tool_calls>`, and thinking in prose.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "apriel",
    models: &["apriel*"],
    marks: &[Mark::new(
        "<tool_calls>",
        Begins::Json("[{"),
        Reads::Json(JsonSpec { close: &["</tool_calls>"], repeats: true, ..JsonSpec::NONE }),
    )],
    thinking: &[Pair { prose: true, ..Pair::new("Here are my reasoning steps:\n", "[BEGIN FINAL RESPONSE]") }],
    wraps: &[Pair::new("[BEGIN FINAL RESPONSE]", "[END FINAL RESPONSE]")],
    ..PLAIN
};
