//! Mistral: a list, or names with objects, behind `[TOOL_CALLS]`.

use crate::toolcall::format::{Begins, CallIds, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::json::Dialect;
use crate::toolcall::lead::is_name;
use crate::toolcall::payload::{JsonSpec, NameSpec};
use crate::toolcall::schema::Tools;

/// Mistral: a list, or names with objects, behind `[TOOL_CALLS]`.
pub(in crate::toolcall) const FORMAT: Format = Format {
    name: "mistral",
    models: &["*mistral*", "*mixtral*", "devstral*", "magistral*", "ministral*"],
    marks: &[
        Mark::new("[TOOL_CALLS]", Begins::Json("[{"), Reads::Json(JsonSpec { repeats: true, ..JsonSpec::NONE })),
        Mark::new(
            "[TOOL_CALLS]",
            Begins::Name(&["[ARGS]", "[CALL_ID]", "{"]),
            Reads::Name(NameSpec {
                open: &["[TOOL_CALLS]"],
                name,
                after: &[],
                close: &[],
                dialect: Dialect::PLAIN,
                declared: false,
            }),
        ),
    ],
    thinking: &[Pair::new("[THINK]", "[/THINK]")],
    ids: CallIds::Nine,
    ..PLAIN
};

/// The name stands before an id and the arguments' own marker, and nothing else does.
fn name(head: &str, _: &Tools) -> Option<String> {
    let (name, behind) = head.split_at_checked(head.find('[').unwrap_or(head.len()))?;
    let behind = match behind.strip_prefix("[CALL_ID]") {
        Some(id) => id.trim_start().trim_start_matches(is_name),
        None => behind,
    };
    let behind = behind.trim();
    let behind = behind.strip_prefix("[ARGS]").unwrap_or(behind).trim();
    matches!(behind, "" | "```" | "```json").then(|| name.trim().to_owned())
}
