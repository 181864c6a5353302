//! Dots: MiniMax's tags in a wrapper of its own.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::payload::TagSpec;

const TAGS: TagSpec = TagSpec { close: &["</dots_function_call>"], ..super::minimax_m2::TAGS };

/// Dots: MiniMax's tags in a wrapper of its own.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "dots",
    models: &["dots*"],
    marks: &[Mark::new("<dots_function_call>", Begins::Tag(&["<invoke name="]), Reads::Tags(TAGS))],
    ..PLAIN
};
