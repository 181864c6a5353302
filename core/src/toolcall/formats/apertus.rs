//! Apertus: a list of objects whose only key is the tool's name.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::{CallRules, JsonSpec};

/// Apertus: a list of objects whose only key is the tool's name.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "apertus",
    models: &["apertus*"],
    marks: &[Mark::new(
        "<|tools_prefix|>",
        Begins::Json("[{"),
        Reads::Json(JsonSpec {
            close: &["<|tools_suffix|>"],
            rules: CallRules { keyed: true, ..CallRules::NONE },
            ..JsonSpec::NONE
        }),
    )],
    thinking: &[Pair { anywhere: true, ..Pair::new("<|inner_prefix|>", "<|inner_suffix|>") }],
    ..PLAIN
};
