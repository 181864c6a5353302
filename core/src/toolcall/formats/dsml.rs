//! DeepSeek V3.2 and V4: invocations whose parameters say whether they are strings.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "<｜DSML｜invoke name=",
    name_end: &[">"],
    key: "<｜DSML｜parameter name=\"",
    key_end: ">",
    value: "",
    value_end: &["</｜DSML｜parameter>"],
    value_cut: &[],
    call_end: &["</｜DSML｜invoke>"],
    after: &[],
    close: &["</｜DSML｜function_calls>", "</｜DSML｜tool_calls>"],
    trims: false,
};

/// DeepSeek V3.2 and V4: invocations whose parameters say whether they are strings.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "dsml",
    models: &["deepseek-v3.2*", "deepseek-v4*"],
    marks: &[
        Mark::new("<｜DSML｜function_calls>", Begins::Tag(&["<｜DSML｜invoke name="]), Reads::Tags(TAGS)),
        Mark::new("<｜DSML｜tool_calls>", Begins::Tag(&["<｜DSML｜invoke name="]), Reads::Tags(TAGS)),
    ],
    ..PLAIN
};
