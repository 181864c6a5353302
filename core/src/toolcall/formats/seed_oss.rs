//! Seed-OSS: Qwen3-Coder's tags in wrappers of its own.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec {
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
    close: &["</seed:tool_call>"],
    trims: true,
};

/// Seed-OSS: Qwen3-Coder's tags in wrappers of its own.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "seed_oss",
    models: &["seed-oss*"],
    marks: &[Mark::new("<seed:tool_call>", Begins::Tag(&["<function="]), Reads::Tags(TAGS))],
    thinking: &[Pair::new("<seed:think>", "</seed:think>")],
    ..PLAIN
};
