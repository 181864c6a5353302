//! Step 3: namespaced invocations between DeepSeek's markers.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec {
    wrap: &["<｜tool_call_begin｜>function<｜tool_sep｜>"],
    call: "<steptml:invoke name=",
    name_end: &[">"],
    key: "<steptml:parameter name=\"",
    key_end: ">",
    value: "",
    value_end: &["</steptml:parameter>"],
    value_cut: &[],
    call_end: &["</steptml:invoke>"],
    after: &["<｜tool_call_end｜>"],
    close: &["<｜tool_calls_end｜>"],
    trims: true,
};

/// Step 3: namespaced invocations between DeepSeek's markers.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "step3",
    models: &["step3*"],
    marks: &[Mark::new(
        "<｜tool_calls_begin｜>",
        Begins::Tag(&["<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="]),
        Reads::Tags(TAGS),
    )],
    ..PLAIN
};
