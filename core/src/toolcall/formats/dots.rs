//! Dots: MiniMax's tags in a wrapper of its own.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "<invoke name=",
    name_end: &[">"],
    key: "<parameter name=\"",
    key_end: ">",
    value: "",
    value_end: &["</parameter>"],
    value_cut: &[],
    call_end: &["</invoke>"],
    after: &[],
    close: &["</dots_function_call>"],
    trims: true,
};

/// Dots: MiniMax's tags in a wrapper of its own.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "dots",
    models: &["dots*"],
    marks: &[Mark::new("<dots_function_call>", Begins::Tag(&["<invoke name="]), Reads::Tags(TAGS))],
    ..PLAIN
};
