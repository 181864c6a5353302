//! DeepSeek V3 and R1: a type, a name on a line and a fenced object.

use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::NameSpec;
use crate::toolcall::schema::Tools;

/// What opens a call: the blocks are written as other signs by some.
pub(super) const OPEN: &[&str] = &["<｜tool▁call▁begin｜>", "<｜tool_call_begin｜>", "<｜tool call begin｜>"];
/// What stands behind the type, or the name where there is none.
pub(super) const SEPARATORS: &[&str] = &["<｜tool▁sep｜>", "<｜tool_sep｜>", "<｜tool sep｜>"];
/// Calls of either generation.
pub(super) const CALLS: NameSpec = NameSpec {
    open: OPEN,
    name,
    after: &["```", "<｜tool▁call▁end｜>", "<｜tool_call_end｜>", "<｜tool call end｜>"],
    close: &["<｜tool▁calls▁end｜>", "<｜tool_calls_end｜>", "<｜tool calls end｜>"],
    dialect: Dialect::PLAIN,
    declared: false,
};

/// DeepSeek V3 and R1: a type, a name on a line and a fenced object.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "deepseek_v3",
    models: &["deepseek-v3*", "deepseek-r1*"],
    marks: &[
        Mark::new("<｜tool▁calls▁begin｜>", Begins::TagName(OPEN, SEPARATORS), Reads::Name(CALLS)),
        Mark::new("<｜tool▁call▁begin｜>", Begins::Name(SEPARATORS), Reads::Name(CALLS)),
        Mark::new("<｜tool_calls_begin｜>", Begins::TagName(OPEN, SEPARATORS), Reads::Name(CALLS)),
        Mark::new("<｜tool_call_begin｜>", Begins::Name(SEPARATORS), Reads::Name(CALLS)),
        Mark::new("<｜tool calls begin｜>", Begins::TagName(OPEN, SEPARATORS), Reads::Name(CALLS)),
        Mark::new("<｜tool call begin｜>", Begins::Name(SEPARATORS), Reads::Name(CALLS)),
    ],
    ..PLAIN
};

/// V3 writes the type, the name on a line and a fence; V3.1 the name alone.
fn name(head: &str, _: &Tools) -> Option<String> {
    let (first, behind) = SEPARATORS.iter().find_map(|separator| head.split_once(separator))?;
    let line = behind.trim().lines().next().unwrap_or_default().trim();
    let name = if line.is_empty() || line.starts_with("```") { first.trim() } else { line };
    Some(name.to_owned())
}
