//! ERNIE: Hermes' calls, and answers in `<response>`.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::JsonSpec;

/// ERNIE: Hermes' calls, and answers in `<response>`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "ernie45",
    models: &["ernie*"],
    marks: &[Mark::new(
        "<tool_call>",
        Begins::Json("{"),
        Reads::Json(JsonSpec { close: &["</tool_call>"], repeats: true, ..JsonSpec::NONE }),
    )],
    wraps: &[Pair::new("<response>", "</response>")],
    ..PLAIN
};
