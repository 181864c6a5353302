//! MiniMax M3: trees of tags, each behind a token of its own.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::NestedSpec;

const TAGS: NestedSpec = NestedSpec { space: "]<]minimax[>[", all: "tool_call", call: "invoke", item: "item" };

/// MiniMax M3: trees of tags, each behind a token of its own.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "minimax_m3",
    models: &["minimax-m3*"],
    marks: &[Mark::new("]<]minimax[>[<tool_call>", Begins::Tag(&["]<]minimax[>[<invoke "]), Reads::Nested(TAGS))],
    thinking: &[Pair::new("<mm:think>", "</mm:think>")],
    ..PLAIN
};
