//! GigaChat 3.5: DeepSeek's tags by another name.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "<｜GCML｜invoke name=",
    name_end: &[">"],
    key: "<｜GCML｜parameter name=\"",
    key_end: ">",
    value: "",
    value_end: &["</｜GCML｜parameter>"],
    value_cut: &[],
    call_end: &["</｜GCML｜invoke>"],
    after: &[],
    close: &["</｜GCML｜function_calls>", "</｜GCML｜tool_calls>"],
    trims: false,
};

/// GigaChat 3.5: DeepSeek's tags by another name.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "gigachat35",
    models: &["gigachat3.5*"],
    marks: &[
        Mark::new("<｜GCML｜function_calls>", Begins::Tag(&["<｜GCML｜invoke name="]), Reads::Tags(TAGS)),
        Mark::new("<｜GCML｜tool_calls>", Begins::Tag(&["<｜GCML｜invoke name="]), Reads::Tags(TAGS)),
    ],
    ..PLAIN
};
