//! LongCat: an object in a tag of its own, or keys and values.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::{JsonSpec, TagSpec};

const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "",
    name_end: &[],
    key: "<longcat_arg_key>",
    key_end: "</longcat_arg_key>",
    value: "<longcat_arg_value>",
    value_end: &["</longcat_arg_value>"],
    value_cut: &[],
    call_end: &["</longcat_tool_call>"],
    after: &[],
    close: &[],
    trims: false,
};

/// LongCat: an object in a tag of its own, or keys and values.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "longcat",
    models: &["longcat*"],
    marks: &[
        Mark::new(
            "<longcat_tool_call>",
            Begins::Json("{"),
            Reads::Json(JsonSpec { close: &["</longcat_tool_call>"], ..JsonSpec::NONE }),
        ),
        Mark::new(
            "<longcat_tool_call>",
            Begins::Line(&["<longcat_arg_key>", "</longcat_tool_call>"]),
            Reads::Tags(TAGS),
        ),
    ],
    thinking: &[Pair::new("<longcat_think>", "</longcat_think>")],
    ..PLAIN
};
