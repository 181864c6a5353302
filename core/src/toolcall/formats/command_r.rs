//! Command R: a fenced list behind the word `Action:`.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::{CallRules, JsonSpec};

/// Command R: a fenced list behind the word `Action:`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "command_r",
    models: &["*command-r-*"],
    bare: &[Mark::new(
        "Action:",
        Begins::Json("[{"),
        Reads::Json(JsonSpec { rules: CallRules { none: "directly_answer", ..CallRules::NONE }, ..JsonSpec::NONE }),
    )],
    ..PLAIN
};
