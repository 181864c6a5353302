//! FunctionGemma: Gemma 4's calls by other markers.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::NameSpec;
use crate::toolcall::schema::Tools;

/// FunctionGemma: Gemma 4's calls by other markers.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "functiongemma",
    models: &["functiongemma*"],
    marks: &[Mark::new(
        "<start_function_call>",
        Begins::TagName(&["call:"], &["{"]),
        Reads::Name(NameSpec {
            open: &["<start_function_call>"],
            name,
            after: &["<end_function_call>"],
            close: &[],
            dialect: Dialect { raw_quote: Some("<escape>") },
            declared: false,
        }),
    )],
    ..PLAIN
};

fn name(head: &str, _: &Tools) -> Option<String> {
    let head = head.trim();
    Some(head.strip_prefix("call:").unwrap_or(head).trim().to_owned())
}
