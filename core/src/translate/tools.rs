//! Tool definitions and the choice among them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::context::{ToolNames, backend_name};
use super::notes::{NoteKind, Notes};
use super::offered_tools::OfferedTools;
use super::parts::ranges;
use super::relax::Hostile;
use crate::backend::{Quirks, ToolChoiceForm};
use crate::session::{KnownTool, ToolList};
use crate::wire::JsonText;
use crate::wire::anthropic::{Tool, ToolChoice};
use crate::wire::json::Object;

/// Claude Code's stand-in for tools that are not loaded; it must never be offered.
const PLACEHOLDER: &str = "DeferredToolPlaceholder";

/// The tools that are offered to the model.
pub(super) struct Offered<'t, 'a> {
    tools: Vec<(&'t Tool<'a>, Option<String>)>,
    names: HashMap<String, String>,
    /// Bytes for schemas whose own say the same in another order, by the tool's place.
    schemas: HashMap<usize, Arc<str>>,
    /// What is sent in place of schemas that the server has refused, by the tool's place.
    relaxed: HashMap<usize, Arc<str>>,
}

impl<'t, 'a> Offered<'t, 'a> {
    /// Leaves out server tools, placeholders, deferred tools that nobody has loaded, and repetitions.
    pub(super) fn choose(tools: &'t [Tool<'a>], loaded: &HashSet<String>, notes: &mut Notes) -> Self {
        let mut offered = Offered {
            tools: Vec::with_capacity(tools.len()),
            names: HashMap::new(),
            schemas: HashMap::new(),
            relaxed: HashMap::new(),
        };
        let mut seen = HashSet::with_capacity(tools.len());
        for tool in tools {
            let name = tool.name.decode();
            let server_type = tool.kind.as_ref().filter(|kind| !kind.is("custom"));
            if let Some(kind) = server_type {
                let why = format!("{} runs on Anthropic's servers", kind.decode());
                notes.add(NoteKind::Dropped, format!("tool {name}"), why);
            } else if name == PLACEHOLDER || (tool.defer_loading == Some(true) && !loaded.contains(name.as_ref())) {
                // Meant to be unknown to the model: no note.
            } else if !seen.insert(name.clone()) {
                notes.add(NoteKind::Dropped, format!("tool {name}"), "its name is there twice");
            } else {
                let short = backend_name(&name);
                if let Some(short) = &short {
                    notes.add(NoteKind::Renamed, format!("tool {name}"), format!("sent as {short}"));
                    offered.names.insert(short.clone(), name.into_owned());
                }
                if tool.input_schema.is_some_and(|schema| !schema.get().starts_with('{')) {
                    notes.add(NoteKind::Replaced, format!("input_schema of {}", tool.name.decode()), "it is no object");
                }
                offered.tools.push((tool, short));
            }
        }
        offered
    }

    /// Puts the tools in the order that they had before, new ones behind them; schemas that say the same keep their
    /// bytes. Gives the list that is to be remembered. Another conversation's list is one to begin with.
    pub(super) fn arrange(&mut self, before: &Arc<ToolList>, is_own: bool) -> Arc<ToolList> {
        if before.begins_with(self.tools.iter().map(|(tool, _)| (tool.name.decode(), schema(tool)))) && is_own {
            return Arc::clone(before);
        }
        let places = before.places();
        let place = |tool: &Tool<'_>| places.get(&*tool.name.decode()).copied();
        if !places.is_empty() {
            // Stable: new ones stay in the client's order.
            self.tools.sort_by_cached_key(|(tool, _)| place(tool).unwrap_or(usize::MAX));
            for (index, (tool, _)) in self.tools.iter().enumerate() {
                if let Some(same) = place(tool).and_then(|place| before.same_schema(place, schema(tool))) {
                    self.schemas.insert(index, Arc::clone(same));
                }
            }
        }
        let names: Vec<Cow<'_, str>> = self.tools.iter().map(|(tool, _)| tool.name.decode()).collect();
        let offered: Vec<(&str, &str)> = names
            .iter()
            .zip(&self.tools)
            .enumerate()
            .map(|(index, (name, (tool, _)))| (name.as_ref(), self.schema(index, tool)))
            .collect();
        let begun = if is_own { Arc::clone(before) } else { Arc::new(before.only(&names)) };
        begun.after(&offered).map_or(begun, Arc::new)
    }

    /// The tools for the way back, with what `list` has of them; not all of them need have found room in it.
    pub(super) fn declared(&self, list: &ToolList) -> OfferedTools {
        let mut places = None;
        let declare = |(index, (tool, _)): (usize, &(&Tool<'_>, _))| {
            let (name, schema) = (tool.name.decode(), self.schema(index, tool));
            let is_it = |known: &&Arc<KnownTool>| *known.name == *name && *known.schema == *schema;
            let known = list.at(index).filter(is_it).or_else(|| {
                let places = places.get_or_insert_with(|| list.places());
                list.at(*places.get(&*name)?).filter(is_it)
            });
            known.map_or_else(|| Arc::new(KnownTool::new(&name, schema)), Arc::clone)
        };
        self.tools.iter().enumerate().map(declare).collect()
    }

    /// Schemas that the server has refused are sent without what its grammar engine breaks on.
    pub(super) fn relax(&mut self, hostile: &mut Hostile, notes: &mut Notes) {
        if hostile.is_empty() {
            return;
        }
        for (index, (tool, _)) in self.tools.iter().enumerate() {
            if let Some(relaxed) = hostile.relaxed(self.schema(index, tool)) {
                self.relaxed.insert(index, relaxed);
            }
        }
        if !self.relaxed.is_empty() {
            let tools = self.tools.iter().enumerate().filter(|(index, _)| self.relaxed.contains_key(index));
            let names: Vec<_> = tools.map(|(_, (tool, _))| tool.name.decode()).collect();
            let what = format!("{} input schemas", names.len());
            notes.add(
                NoteKind::Replaced,
                what,
                format!("the server's grammar engine refused them: {}", names.join(", ")),
            );
        }
    }

    /// The schema that is sent of the tool at a place.
    pub(super) fn sent_schema<'s>(&'s self, index: usize, tool: &'s Tool<'a>) -> &'s str {
        match self.relaxed.get(&index) {
            Some(relaxed) => relaxed,
            None => self.schema(index, tool),
        }
    }

    /// The schema of the tool at a place as the client means it.
    pub(super) fn schema<'s>(&'s self, index: usize, tool: &'s Tool<'a>) -> &'s str {
        match self.schemas.get(&index) {
            Some(same) => same,
            None => schema(tool),
        }
    }

    /// Offers nothing, because the user has said that this model takes no tools.
    pub(super) fn leave_out(&mut self, notes: &mut Notes) {
        if !self.tools.is_empty() {
            let what = format!("{} tools", self.tools.len());
            notes.add(NoteKind::Dropped, what, "tools are switched off in the settings");
            self.tools.clear();
        }
    }

    /// Takes the tools out of the request: they are described in the prompt.
    pub(super) fn describe_elsewhere(&mut self, notes: &mut Notes) {
        let what = format!("{} tools", self.tools.len());
        notes.add(NoteKind::Replaced, what, "described in the prompt");
        self.tools.clear();
    }

    /// Each tool as the model is told of it.
    pub(super) fn as_json(&self) -> Vec<String> {
        let mut out = Vec::new();
        let ranges = self.push(&mut out);
        let text = |range: Range<usize>| String::from_utf8_lossy(out.get(range).unwrap_or_default()).into_owned();
        ranges.into_iter().map(text).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// Each tool, with its other name if the backend is to have one.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'t Tool<'a>, Option<&str>)> {
        self.tools.iter().map(|(tool, short)| (*tool, short.as_deref()))
    }

    /// The tool that the client knows by a name.
    pub(super) fn find(&self, name: Option<&JsonText<'_>>) -> Option<(&'t Tool<'a>, Option<&str>)> {
        let name = name?.decode();
        self.iter().find(|(tool, _)| tool.name.decode() == name)
    }

    pub(super) fn into_names(self) -> ToolNames {
        ToolNames::new(self.names)
    }

    /// Writes the `tools` array: no key but those of the reference, schemas as the client wrote them.
    /// Gives where each of them stands.
    pub(super) fn push(&self, out: &mut Vec<u8>) -> Vec<Range<usize>> {
        let mut starts = Vec::with_capacity(self.tools.len());
        for (index, (tool, short)) in self.tools.iter().enumerate() {
            out.push(if index == 0 { b'[' } else { b',' });
            starts.push(out.len());
            let mut object = Object::begin(out);
            object.plain("type", "function");
            let mut function = Object::begin(object.key("function"));
            push_name(&mut function, tool, short.as_deref());
            if let Some(description) = &tool.description {
                function.text("description", description);
            }
            function.json("parameters", self.sent_schema(index, tool));
            function.end();
            object.end();
        }
        let end = out.len();
        out.push(b']');
        ranges(&starts, end)
    }

    /// Writes `tool_choice` and `parallel_tool_calls`, where there are tools to choose from.
    pub(super) fn push_choice(
        &self,
        choice: &ToolChoice<'_>,
        quirks: &Quirks,
        body: &mut Object<'_>,
        notes: &mut Notes,
    ) {
        if quirks.tool_choice != ToolChoiceForm::None {
            match choice.kind.as_escaped() {
                "auto" => _ = body.plain("tool_choice", "auto"),
                "any" => _ = body.plain("tool_choice", "required"),
                "none" => _ = body.plain("tool_choice", "none"),
                "tool" if quirks.tool_choice == ToolChoiceForm::Words => {
                    notes.add(NoteKind::Replaced, "tool_choice", "the backend takes no name; sent as required");
                    body.plain("tool_choice", "required");
                }
                "tool" => self.push_named(choice.name.as_ref(), body, notes),
                other => notes.add(NoteKind::Dropped, "tool_choice", format!("{other:?} is not known")),
            }
        } else {
            notes.add(NoteKind::Dropped, "tool_choice", "the backend does not know it");
        }
        if choice.disable_parallel_tool_use == Some(true) {
            if quirks.parallel_tool_calls {
                body.json("parallel_tool_calls", "false");
            } else {
                notes.add(NoteKind::Dropped, "disable_parallel_tool_use", "the backend does not know it");
            }
        }
    }

    fn push_named(&self, name: Option<&JsonText<'_>>, body: &mut Object<'_>, notes: &mut Notes) {
        let Some((tool, short)) = self.find(name) else {
            notes.add(NoteKind::Dropped, "tool_choice", "it names a tool that is not offered");
            return;
        };
        let mut object = Object::begin(body.key("tool_choice"));
        object.plain("type", "function");
        let mut function = Object::begin(object.key("function"));
        push_name(&mut function, tool, short);
        function.end();
        object.end();
    }
}

/// Writes a tool's name as the backend is to know it.
pub(super) fn push_name(object: &mut Object<'_>, tool: &Tool<'_>, short: Option<&str>) {
    match short {
        Some(short) => object.plain("name", short),
        None => object.text("name", &tool.name),
    };
}

/// A tool's schema; what is no object allows every argument.
fn schema<'a>(tool: &Tool<'a>) -> &'a str {
    let schema = tool.input_schema.map(|raw| raw.get()).filter(|json| json.starts_with('{'));
    schema.unwrap_or(r#"{"type":"object","properties":{}}"#)
}
