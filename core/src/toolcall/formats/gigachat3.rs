//! GigaChat 3: an object in a message of its own.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::JsonSpec;

/// GigaChat 3: an object in a message of its own.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "gigachat3",
    models: &["gigachat3*"],
    marks: &[
        Mark::new(
            "<|message_sep|>",
            Begins::Tag(&["function call<|role_sep|>"]),
            Reads::Json(JsonSpec { head: "<|role_sep|>", ..JsonSpec::NONE }),
        ),
        Mark::new("<|function_call|>", Begins::Json("{"), Reads::Json(JsonSpec { ..JsonSpec::NONE })),
    ],
    ..PLAIN
};
