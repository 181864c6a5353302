//! Mistral: a list, or names with objects, behind `[TOOL_CALLS]`.

use crate::toolcall::format::{Begins, CallIds, Format, Mark, PLAIN, Pair, Reads};
use crate::toolcall::json::Dialect;
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

/// The name stands before an id and the arguments' own marker.
fn name(head: &str, _: &Tools) -> Option<String> {
    Some(head.split('[').next()?.trim().to_owned())
}
