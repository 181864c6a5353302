//! Phi-4-mini and Firefunction: a list behind the word `functools`.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::{CallRules, JsonSpec};

/// Phi-4-mini and Firefunction: a list behind the word `functools`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "functools",
    models: &["phi-4*", "firefunction*"],
    bare: &[Mark::new(
        "functools",
        Begins::List,
        Reads::Json(JsonSpec { rules: CallRules { declared: true, ..CallRules::NONE }, ..JsonSpec::NONE }),
    )],
    ..PLAIN
};
