//! Functionary 3.2: a receiver on a line, and what it gets below.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::NameSpec;
use crate::toolcall::schema::Tools;

const CALL: NameSpec = NameSpec { open: &[], name, after: &[], close: &[], dialect: Dialect::PLAIN, declared: true };

/// Functionary 3.2: a receiver on a line, and what it gets below.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "functionary_v32",
    models: &["functionary-*v3.2*"],
    bare: &[
        Mark::new("", Begins::Recipient(&[]), Reads::Name(CALL)),
        Mark::new(">>>", Begins::Recipient(&[]), Reads::Name(CALL)),
        Mark::new(">>>all\n", Begins::Anything, Reads::Nothing),
    ],
    wraps: &[Pair::new("all\n", ""), Pair::new(">>>all\n", "")],
    ..PLAIN
};

fn name(head: &str, _: &Tools) -> Option<String> {
    Some(head.trim().to_owned())
}
