//! Kimi K3: everything in elements of its own.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec {
    wrap: &[],
    call: "<|open|>call tool=\"",
    name_end: &["<|sep|>"],
    key: "<|open|>argument key=\"",
    key_end: "<|sep|>",
    value: "",
    value_end: &["<|close|>argument<|sep|>"],
    value_cut: &[],
    call_end: &["<|close|>call<|sep|>"],
    after: &[],
    close: &["<|close|>tools<|sep|>"],
    trims: false,
};

/// Kimi K3: everything in elements of its own.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "kimi_k3",
    models: &["kimi-k3*"],
    marks: &[Mark::new("<|open|>tools<|sep|>", Begins::Tag(&["<|open|>call tool=\""]), Reads::Tags(TAGS))],
    thinking: &[Pair { anywhere: true, ..Pair::new("<|open|>think<|sep|>", "<|close|>think<|sep|>") }],
    wraps: &[Pair::new("<|open|>response<|sep|>", "<|close|>response<|sep|>")],
    ..PLAIN
};
