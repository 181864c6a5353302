//! Gemma 4: a name and an object with quotes of its own.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::NameSpec;
use crate::toolcall::schema::Tools;

/// Gemma 4: a name and an object with quotes of its own.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "gemma4",
    models: &["gemma-4*"],
    marks: &[Mark::new(
        "<|tool_call>",
        Begins::TagName(&["call:"], &["{"]),
        Reads::Name(NameSpec {
            open: &["<|tool_call>"],
            name,
            after: &["<tool_call|>"],
            close: &[],
            dialect: Dialect { raw_quote: Some("<|\"|>") },
            declared: false,
        }),
    )],
    thinking: &[Pair { anywhere: true, ..Pair::new("<|channel>thought\n", "<channel|>") }],
    ..PLAIN
};

fn name(head: &str, _: &Tools) -> Option<String> {
    let head = head.trim();
    Some(head.strip_prefix("call:").unwrap_or(head).trim().to_owned())
}
