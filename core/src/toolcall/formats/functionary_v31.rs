//! Functionary 3.1 and Llama's custom tools: an object in `<function=NAME>`.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::NameSpec;
use crate::toolcall::schema::Tools;

/// Functionary 3.1 and Llama's custom tools: an object in `<function=NAME>`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "functionary_v31",
    models: &["functionary-*"],
    marks: &[Mark::new(
        "<function=",
        Begins::NameThen(">", "{"),
        Reads::Name(NameSpec {
            open: &["<function="],
            name,
            after: &["</function>"],
            close: &[],
            dialect: Dialect::PLAIN,
            declared: false,
        }),
    )],
    ..PLAIN
};

fn name(head: &str, _: &Tools) -> Option<String> {
    Some(head.split_once('>')?.0.trim().to_owned())
}
