//! xLAM: the whole answer is a list of calls.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::{CallRules, JsonSpec};

/// xLAM: the whole answer is a list of calls.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "xlam",
    models: &["*xlam*"],
    bare: &[Mark::new(
        "",
        Begins::Json("[{"),
        Reads::Json(JsonSpec {
            rules: CallRules { declared: true, ..CallRules::NONE },
            repeats: true,
            ..JsonSpec::NONE
        }),
    )],
    ..PLAIN
};
