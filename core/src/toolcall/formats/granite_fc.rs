//! Granite 20B: an object behind `<function_call>`.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::JsonSpec;

/// Granite 20B: an object behind `<function_call>`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "granite_fc",
    models: &["granite-20b*"],
    marks: &[Mark::new(
        "<function_call>",
        Begins::Json("{["),
        Reads::Json(JsonSpec { close: &["</function_call>"], ..JsonSpec::NONE }),
    )],
    ..PLAIN
};
