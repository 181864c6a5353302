//! Granite 3: a list behind a marker, with nothing that ends it.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::JsonSpec;

/// Granite 3: a list behind a marker, with nothing that ends it.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "granite",
    models: &["granite-*"],
    marks: &[
        Mark::new(
            "<|tool_call|>",
            Begins::Json("[{"),
            Reads::Json(JsonSpec { close: &["<|/tool_call|>"], ..JsonSpec::NONE }),
        ),
        Mark::new(
            "<tool_call>",
            Begins::Json("["),
            Reads::Json(JsonSpec { close: &["</tool_call>"], ..JsonSpec::NONE }),
        ),
    ],
    thinking: &[
        Pair { prose: true, ..Pair::new("Here is my thought process:", "Here is my response:") },
        Pair { prose: true, ..Pair::new("Here's my thought process:", "Here's my response:") },
    ],
    ..PLAIN
};
