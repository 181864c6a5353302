//! Kimi K2: an id that holds the name, and an object.

use crate::toolcall::format::{Begins, CallIds, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::payload::NameSpec;
use crate::toolcall::schema::Tools;

const CALLS: NameSpec = NameSpec {
    open: &["<|tool_call_begin|>"],
    name,
    after: &["<|tool_call_end|>"],
    close: &["<|tool_calls_section_end|>"],
    dialect: Dialect::PLAIN,
    declared: false,
};

/// Kimi K2: an id that holds the name, and an object.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "kimi_k2",
    models: &["kimi-*"],
    marks: &[
        Mark::new("<|tool_calls_section_begin|>", Begins::Tag(&["<|tool_call_begin|>"]), Reads::Name(CALLS)),
        Mark::new("<|tool_call_begin|>", Begins::Name(&["<|tool_call_argument_begin|>"]), Reads::Name(CALLS)),
    ],
    thinking: &[Pair::new("◁think▷", "◁/think▷")],
    ids: CallIds::Numbered,
    ..PLAIN
};

/// The id without what is counted in it.
fn name(head: &str, tools: &Tools) -> Option<String> {
    let id = head.split("<|tool_call_argument_begin|>").next()?.trim();
    let id = id.strip_prefix("functions.").unwrap_or(id);
    let name =
        id.rsplit_once(':').filter(|(_, count)| count.bytes().all(|b| b.is_ascii_digit())).map_or(id, |(name, _)| name);
    // A word alone may be one between the markers of a document.
    if name == head.trim() && !tools.declares(name) {
        return None;
    }
    // A counter alone names the tool only where there is but one.
    let mut all = tools.names();
    match (name.bytes().all(|byte| byte.is_ascii_digit()), all.next(), all.next()) {
        (true, Some(only), None) => Some(only.to_owned()),
        _ => Some(name.to_owned()),
    }
}
