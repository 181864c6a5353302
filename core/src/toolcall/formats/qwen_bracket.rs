//! What small models copy from histories: `[Calling tool: NAME({..})]`.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::NameSpec;
use crate::toolcall::schema::Tools;

/// What small models copy from histories: `[Calling tool: NAME({..})]`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "qwen_bracket",
    marks: &[Mark::new(
        "[Calling tool:",
        Begins::Name(&["("]),
        Reads::Name(NameSpec {
            open: &[],
            name,
            after: &[")"],
            close: &["]"],
            dialect: Dialect::PLAIN,
            declared: true,
        }),
    )],
    ..PLAIN
};

fn name(head: &str, _: &Tools) -> Option<String> {
    Some(head.split('(').next()?.trim().to_owned())
}
