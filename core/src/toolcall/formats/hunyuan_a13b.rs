//! Hunyuan A13B: a list in `<tool_calls>`, and answers in `<answer>`.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::JsonSpec;

/// Hunyuan A13B: a list in `<tool_calls>`, and answers in `<answer>`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "hunyuan_a13b",
    models: &["hunyuan*"],
    marks: &[Mark::new(
        "<tool_calls>",
        Begins::Json("[{"),
        Reads::Json(JsonSpec { close: &["</tool_calls>"], repeats: true, ..JsonSpec::NONE }),
    )],
    wraps: &[Pair::new("<answer>", "</answer>")],
    ..PLAIN
};
