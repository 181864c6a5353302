//! DeepSeek V3.1: a name and an object.

use super::deepseek_v3;
use crate::toolcall::format::{Begins, Format, Mark, PLAIN, Reads};

/// DeepSeek V3.1: a name and an object.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "deepseek_v31",
    models: &["deepseek-v3.1*"],
    marks: &[
        Mark::new(
            "<｜tool▁calls▁begin｜>",
            Begins::TagName(deepseek_v3::OPEN, deepseek_v3::SEPARATORS),
            Reads::Name(deepseek_v3::CALLS),
        ),
        Mark::new("<｜tool▁call▁begin｜>", Begins::Name(deepseek_v3::SEPARATORS), Reads::Name(deepseek_v3::CALLS)),
        Mark::new(
            "<｜tool_calls_begin｜>",
            Begins::TagName(deepseek_v3::OPEN, deepseek_v3::SEPARATORS),
            Reads::Name(deepseek_v3::CALLS),
        ),
        Mark::new("<｜tool_call_begin｜>", Begins::Name(deepseek_v3::SEPARATORS), Reads::Name(deepseek_v3::CALLS)),
        Mark::new(
            "<｜tool calls begin｜>",
            Begins::TagName(deepseek_v3::OPEN, deepseek_v3::SEPARATORS),
            Reads::Name(deepseek_v3::CALLS),
        ),
        Mark::new("<｜tool call begin｜>", Begins::Name(deepseek_v3::SEPARATORS), Reads::Name(deepseek_v3::CALLS)),
    ],
    ..PLAIN
};
