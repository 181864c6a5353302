//! Llama 3 and 4: the whole answer is a call.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::{CallRules, JsonSpec};

/// Llama 3 and 4: the whole answer is a call.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "llama3_json",
    models: &["llama-3*", "meta-llama-3*", "llama-4*"],
    bare: &[
        Mark::new(
            "",
            Begins::Json("{"),
            Reads::Json(JsonSpec {
                rules: CallRules { declared: true, ..CallRules::NONE },
                repeats: true,
                ..JsonSpec::NONE
            }),
        ),
        Mark::new(
            "<|python_tag|>",
            Begins::Json("{"),
            Reads::Json(JsonSpec {
                rules: CallRules { declared: true, ..CallRules::NONE },
                repeats: true,
                ..JsonSpec::NONE
            }),
        ),
    ],
    ..PLAIN
};
