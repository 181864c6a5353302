//! MiniMax M2: invocations with named parameters.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

/// The tags inside of the wrapper, which others have as well.
pub(super) const TAGS: TagSpec = TagSpec {
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
    close: &["</minimax:tool_call>"],
    trims: true,
};

/// MiniMax M2: invocations with named parameters.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "minimax_m2",
    models: &["minimax-m2*"],
    marks: &[Mark::new("<minimax:tool_call>", Begins::Tag(&["<invoke name="]), Reads::Tags(TAGS))],
    ..PLAIN
};
