//! InternLM: an object between action markers.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::JsonSpec;

/// InternLM: an object between action markers.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "internlm",
    models: &["internlm*", "intern-s1*"],
    marks: &[Mark::new(
        "<|action_start|>",
        Begins::Tag(&["<|plugin|>"]),
        Reads::Json(JsonSpec { close: &["<|action_end|>"], head: "<|plugin|>", ..JsonSpec::NONE }),
    )],
    ..PLAIN
};
