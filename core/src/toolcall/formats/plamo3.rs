//! PLaMo 3: name and arguments in messages.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::NameSpec;
use crate::toolcall::schema::Tools;

/// PLaMo 3: name and arguments in messages.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "plamo3",
    models: &["plamo*"],
    marks: &[Mark::new(
        "<|plamo:begin_tool_request:plamo|>",
        Begins::Tag(&["<|plamo:begin_tool_name:plamo|>"]),
        Reads::Name(NameSpec {
            open: &["<|plamo:begin_tool_request:plamo|>"],
            name,
            after: &["<|plamo:end_tool_arguments:plamo|>", "<|plamo:end_tool_request:plamo|>"],
            close: &[],
            dialect: Dialect::PLAIN,
            declared: false,
        }),
    )],
    ..PLAIN
};

fn name(head: &str, _: &Tools) -> Option<String> {
    let behind = head.split_once("begin_tool_name:plamo|>")?.1;
    let name = behind.split_once("<|plamo:end_tool_name")?.0;
    Some(name.rsplit("|>").next()?.trim().to_owned())
}
