//! Tools of the shape that Claude Code offers: its names, long descriptions, schemas; the words are filler.

use serde_json::{Map, Value, json};

use super::prose::Prose;

/// What a property holds.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Flag,
    Count,
    Choice,
    Records,
}

use Kind::{Choice, Count, Flag, Records, Text};

/// A tool: its name, the bytes of its description in a request of full size, and its properties. The first is required.
type Shape = (&'static str, usize, &'static [(&'static str, Kind)]);

/// In the order of a request.
const TOOLS: [Shape; 12] = [
    (
        "Agent",
        3200,
        &[
            ("prompt", Text),
            ("description", Text),
            ("subagent_type", Text),
            ("model", Choice),
            ("background", Flag),
            ("isolation", Choice),
        ],
    ),
    (
        "Bash",
        2100,
        &[
            ("command", Text),
            ("timeout", Count),
            ("description", Text),
            ("run_in_background", Flag),
            ("unconfined", Flag),
        ],
    ),
    ("Edit", 360, &[("file_path", Text), ("old_string", Text), ("new_string", Text), ("replace_all", Flag)]),
    ("ListAgents", 1400, &[("status", Choice), ("limit", Count)]),
    ("Read", 800, &[("file_path", Text), ("offset", Count), ("limit", Count), ("pages", Text)]),
    ("ReportFindings", 600, &[("findings", Records), ("summary", Text), ("level", Choice), ("complete", Flag)]),
    ("ScheduleWakeup", 3400, &[("delay", Count), ("reason", Text), ("prompt", Text), ("repeat", Flag)]),
    ("Skill", 1400, &[("skill", Text), ("args", Text)]),
    ("ToolSearch", 950, &[("query", Text), ("max_results", Count)]),
    (
        "Workflow",
        3500,
        &[("script", Text), ("name", Text), ("args", Records), ("resume", Text), ("mode", Choice), ("budget", Count)],
    ),
    (PLACEHOLDER, 80, &[]),
    ("Write", 240, &[("file_path", Text), ("content", Text)]),
];

/// A tool that a tool search brings in; sorted, it stands in the middle of the list.
const ADDED: Shape =
    ("NotebookEdit", 700, &[("notebook_path", Text), ("source", Text), ("cell", Count), ("mode", Choice)]);

/// Claude Code's stand-in for the tools that a tool search would find.
const PLACEHOLDER: &str = "DeferredToolPlaceholder";

/// What subagents do without.
const MAIN_ONLY: [&str; 2] = ["ScheduleWakeup", "Workflow"];

/// Bytes of a property's description in a request of full size.
const ABOUT: f64 = 130.0;

/// The tools of one version of Claude Code.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    all: Vec<Value>,
    added: Value,
}

impl Tools {
    /// Tools whose texts are so many times as long as those of a request of full size.
    pub(super) fn new(prose: &mut Prose, scale: f64) -> Self {
        let all = TOOLS.iter().map(|shape| tool(shape, prose, scale)).collect();
        Tools { all, added: tool(&ADDED, prose, scale) }
    }

    /// Those of the main agent.
    pub(super) fn of_main(&self) -> Vec<Value> {
        self.all.clone()
    }

    /// Those of a subagent.
    pub(super) fn of_subagent(&self) -> Vec<Value> {
        let is_main_only = |tool: &Value| MAIN_ONLY.iter().any(|name| tool.get("name").is_some_and(|own| own == name));
        self.all.iter().filter(|tool| !is_main_only(tool)).cloned().collect()
    }

    /// The one that is loaded later.
    pub(super) fn added(&self) -> &Value {
        &self.added
    }
}

fn tool((name, bytes, properties): &Shape, prose: &mut Prose, scale: f64) -> Value {
    let description = prose.text(scaled(*bytes as f64, scale));
    let about: Map<String, Value> =
        properties.iter().map(|(name, kind)| ((*name).to_owned(), property(*kind, prose, scale))).collect();
    let required: Vec<&str> = properties.iter().take(1).map(|(name, _)| *name).collect();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": about,
        "required": required, "additionalProperties": false,
    });
    let mut tool = json!({"name": name, "description": description, "input_schema": schema});
    if let Some(fields) = tool.as_object_mut().filter(|_| *name == PLACEHOLDER) {
        fields.insert("defer_loading".to_owned(), true.into());
    }
    tool
}

fn property(kind: Kind, prose: &mut Prose, scale: f64) -> Value {
    let about = prose.text(scaled(ABOUT, scale));
    match kind {
        Text => json!({"description": about, "type": "string"}),
        Flag => json!({"description": about, "default": false, "type": "boolean"}),
        Count => json!({"description": about, "type": "integer", "exclusiveMinimum": 0, "maximum": 600_000}),
        Choice => json!({"description": about, "type": "string", "enum": ["first", "second", "third"]}),
        Records => json!({
            "description": about, "type": "array", "maxItems": 32,
            "items": {
                "type": "object",
                "properties": {"title": property(Text, prose, scale), "line": property(Count, prose, scale)},
                "required": ["title"], "additionalProperties": false,
            },
        }),
    }
}

/// Bytes of a text at a scale.
pub(super) fn scaled(bytes: f64, scale: f64) -> usize {
    // A cast of a float saturates.
    (bytes * scale) as usize
}
