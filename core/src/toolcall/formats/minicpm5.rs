//! MiniCPM 5: a function with named parameters.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "<function name=\"",
    name_end: &[">"],
    key: "<param name=\"",
    key_end: ">",
    value: "",
    value_end: &["</param>"],
    value_cut: &[],
    call_end: &["</function>"],
    after: &[],
    close: &[],
    trims: true,
};

/// MiniCPM 5: a function with named parameters.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "minicpm5",
    models: &["minicpm5*"],
    marks: &[Mark::new("<function name=\"", Begins::Name(&["\""]), Reads::TagsAtName(TAGS))],
    ..PLAIN
};
