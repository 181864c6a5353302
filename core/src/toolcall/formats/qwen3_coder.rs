//! Qwen3-Coder and many after it: a function and its parameters as tags.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

/// The tags inside of the wrapper, which others have as well.
pub(super) const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "<function=",
    name_end: &[">"],
    key: "<parameter=",
    key_end: ">",
    value: "",
    value_end: &["</parameter>"],
    value_cut: &["\n<parameter=", "\n</function>"],
    call_end: &["</function>"],
    after: &[],
    close: &["</tool_call>"],
    trims: true,
};

/// Qwen3-Coder and many after it: a function and its parameters as tags.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "qwen3_coder",
    models: &["qwen3-coder*", "qwen3.5*", "qwen3.6*", "*nemotron-3*", "step-*", "mimo*", "nanbeige*"],
    marks: &[
        Mark::new("<tool_call>", Begins::Tag(&["<function="]), Reads::Tags(TAGS)),
        Mark::new("<function=", Begins::NameThen(">", "<"), Reads::TagsAtName(TAGS)),
    ],
    ..PLAIN
};
