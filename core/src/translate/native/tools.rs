//! Tool definitions of a Messages request, and the choice among them.

use std::ops::Range;

use crate::backend::{Quirks, ToolChoiceForm};
use crate::translate::notes::{NoteKind, Notes};
use crate::translate::parts::ranges;
use crate::translate::tools::{Offered, push_name};
use crate::wire::anthropic::ToolChoice;
use crate::wire::json::Object;

/// Writes the `tools` array: no key but those that every server reads, schemas as the client wrote them.
/// Gives where each of them stands.
pub(super) fn push(offered: &Offered<'_, '_>, out: &mut Vec<u8>) -> Vec<Range<usize>> {
    let mut starts = Vec::new();
    for (index, (tool, short)) in offered.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        starts.push(out.len());
        let mut object = Object::begin(out);
        push_name(&mut object, tool, short);
        if let Some(description) = &tool.description {
            object.text("description", description);
        }
        object.json("input_schema", offered.sent_schema(index, tool));
        object.end();
    }
    let end = out.len();
    out.push(b']');
    ranges(&starts, end)
}

/// Writes `tool_choice`, which holds the wish for one call at a time as well.
pub(super) fn push_choice(
    offered: &Offered<'_, '_>,
    choice: &ToolChoice<'_>,
    quirks: &Quirks,
    body: &mut Object<'_>,
    notes: &mut Notes,
) {
    if quirks.tool_choice == ToolChoiceForm::None {
        return notes.add(NoteKind::Dropped, "tool_choice", "the backend does not know it");
    }
    let named = offered.find(choice.name.as_ref()).filter(|_| choice.kind.is("tool"));
    match choice.kind.as_escaped() {
        "auto" | "any" | "none" => {}
        "tool" if named.is_some() => {}
        "tool" => return notes.add(NoteKind::Dropped, "tool_choice", "it names a tool that is not offered"),
        other => return notes.add(NoteKind::Dropped, "tool_choice", format!("{other:?} is not known")),
    }
    let mut object = Object::begin(body.key("tool_choice"));
    object.text("type", &choice.kind);
    if let Some((tool, short)) = named {
        push_name(&mut object, tool, short);
    }
    if choice.disable_parallel_tool_use == Some(true) {
        if quirks.parallel_tool_calls {
            object.json("disable_parallel_tool_use", "true");
        } else {
            notes.add(NoteKind::Dropped, "disable_parallel_tool_use", "the backend does not know it");
        }
    }
    object.end();
}
