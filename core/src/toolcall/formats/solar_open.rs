//! Solar Open: messages whose kind stands in their header, and calls with an id, a name and an object.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::{HeaderSpec, NameSpec};
use crate::toolcall::schema::Tools;

const HEADER: HeaderSpec = HeaderSpec {
    body: &["<|think|>", "<|content|>"],
    next: &["<|tool_calls|>"],
    thinking: &["<|think|>"],
    user: &[],
    after: &[],
};

const CALLS: NameSpec = NameSpec {
    open: &["<|tool_call:begin|>"],
    name,
    after: &["<|tool_call:end|>"],
    close: &["<|calls|>"],
    dialect: Dialect::PLAIN,
    declared: false,
};

/// Solar Open: messages whose kind stands in their header, and calls with an id, a name and an object.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "solar_open",
    models: &["solar-open*"],
    marks: &[
        Mark::new("<|begin|>", Begins::Tag(&["assistant<|"]), Reads::Header(HEADER)),
        Mark::new("<|tool_calls|>", Begins::Tag(&["<|tool_call:begin|>"]), Reads::Name(CALLS)),
        Mark::new("<|end|>", Begins::Message, Reads::Nothing),
    ],
    // The prompt holds the first header's beginning.
    bare: &[Mark::new("", Begins::Tag(&["<|think|>", "<|content|>"]), Reads::Header(HEADER))],
    ..PLAIN
};

fn name(head: &str, _: &Tools) -> Option<String> {
    let behind = head.split_once("<|tool_call:name|>")?.1;
    Some(behind.split("<|tool_call:args|>").next()?.trim().to_owned())
}
