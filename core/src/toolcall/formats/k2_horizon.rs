//! K2 Horizon: GLM's pairs in namespaced tags.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "<ifm|tool_call>",
    name_end: &["\n", "<ifm|tool_sep>"],
    key: "<ifm|arg_key>",
    key_end: "</ifm|arg_key>",
    value: "<ifm|arg_value>",
    value_end: &["</ifm|arg_value>"],
    value_cut: &[],
    call_end: &["</ifm|tool_call>"],
    after: &[],
    close: &["</ifm|tool_calls>"],
    trims: false,
};

/// K2 Horizon: GLM's pairs in namespaced tags.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "k2_horizon",
    models: &["k2-horizon*"],
    marks: &[Mark::new("<ifm|tool_calls>", Begins::Tag(&["<ifm|tool_call>"]), Reads::Tags(TAGS))],
    thinking: &[Pair::new("<ifm|think>", "</ifm|think>")],
    ..PLAIN
};
