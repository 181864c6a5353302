//! Seed-OSS: Qwen3-Coder's tags in wrappers of its own.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec { close: &["</seed:tool_call>"], ..super::qwen3_coder::TAGS };

/// Seed-OSS: Qwen3-Coder's tags in wrappers of its own.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "seed_oss",
    models: &["seed-oss*"],
    marks: &[Mark::new("<seed:tool_call>", Begins::Tag(&["<function="]), Reads::Tags(TAGS))],
    thinking: &[Pair::new("<seed:think>", "</seed:think>")],
    ..PLAIN
};
