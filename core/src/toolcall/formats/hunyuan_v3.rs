//! Hunyuan 3 and 4: GLM's pairs behind a name and a separator.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec =
    TagSpec { call: "<tool_call>", name_end: &["<tool_sep>"], close: &["</tool_calls>"], ..super::glm45::TAGS };

/// The tags of the models that were published: all have the same word behind their names.
const OPEN_TAGS: TagSpec = TagSpec {
    call: "<tool_call:opensource>",
    name_end: &["<tool_sep:opensource>"],
    key: "<arg_key:opensource>",
    key_end: "</arg_key:opensource>",
    value: "<arg_value:opensource>",
    value_end: &["</arg_value:opensource>"],
    call_end: &["</tool_call:opensource>"],
    close: &["</tool_calls:opensource>"],
    ..TAGS
};

/// Hunyuan 3 and 4: GLM's pairs behind a name and a separator.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "hunyuan_v3",
    models: &["hy-v*", "hy3*", "hy4*"],
    marks: &[
        Mark::new("<tool_calls>", Begins::Tag(&["<tool_call>"]), Reads::Tags(TAGS)),
        Mark::new("<tool_calls:opensource>", Begins::Tag(&["<tool_call:opensource>"]), Reads::Tags(OPEN_TAGS)),
    ],
    thinking: &[Pair::new("<think:opensource>", "</think:opensource>")],
    ..PLAIN
};
