//! GLM-4.5: a name, then keys and values.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

/// The tags of all GLM models.
pub(super) const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "",
    name_end: &[],
    key: "<arg_key>",
    key_end: "</arg_key>",
    value: "<arg_value>",
    value_end: &["</arg_value>"],
    value_cut: &[],
    call_end: &["</tool_call>"],
    after: &[],
    close: &[],
    trims: false,
};

/// GLM-4.5: a name, then keys and values.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "glm45",
    models: &["glm-4*", "laguna*", "ling-3*", "iquest*", "spark*"],
    marks: &[
        Mark::new("<tool_call>", Begins::Line(&["<arg_key>", "</tool_call>"]), Reads::Tags(TAGS)),
        Mark::new(
            "<iquest_tool_call>",
            Begins::Line(&["<arg_key>", "</iquest_tool_call>"]),
            Reads::Tags(TagSpec { call_end: &["</iquest_tool_call>"], ..TAGS }),
        ),
    ],
    ..PLAIN
};
