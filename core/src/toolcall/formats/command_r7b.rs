//! Cohere's Command: a list between action markers.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::JsonSpec;

/// Cohere's Command: a list between action markers.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "command_r7b",
    models: &["*command-r7b*", "*command-a*", "north-*"],
    marks: &[Mark::new(
        "<|START_ACTION|>",
        Begins::Json("[{"),
        Reads::Json(JsonSpec { close: &["<|END_ACTION|>"], ..JsonSpec::NONE }),
    )],
    thinking: &[Pair { anywhere: true, ..Pair::new("<|START_THINKING|>", "<|END_THINKING|>") }],
    wraps: &[Pair::new("<|START_RESPONSE|>", "<|END_RESPONSE|>"), Pair::new("<|START_TEXT|>", "<|END_TEXT|>")],
    ..PLAIN
};
