//! Whether a tool is called, which one, and with what arguments.
//!
//! A client may run the call without asking, so only harmless calls are made: an echo in a shell,
//! or a tool whose name does not sound like a change. A tool that the request forces is called.

use serde_json::{Map, Value};

use super::request::{Request, Tool, ToolChoice, words};

/// The one tool call of an answer.
#[derive(Debug)]
pub(super) struct Call {
    pub name: String,
    /// A JSON object as text.
    pub arguments: String,
}

/// The call that the prompt asks for, or `None`.
pub(super) fn choose(request: &Request, prompt: &str) -> Option<Call> {
    match &request.tool_choice {
        ToolChoice::None => None,
        ToolChoice::Named(name) => call(request.tools.iter().find(|tool| tool.name == *name)?),
        ToolChoice::Required => preferred(&request.tools).or_else(|| request.tools.iter().find_map(call)),
        ToolChoice::Auto => {
            let words: Vec<String> = words(prompt).collect();
            let has = |word: &str| words.iter().any(|own| own == word);
            let named = request.tools.iter().find(|tool| has(&tool.name.to_lowercase()));
            match named {
                Some(tool) if VERBS.iter().any(|verb| has(verb)) || has("tool") => {
                    call(tool).filter(|_| is_harmless(tool))
                }
                _ if has("tool") || has("tools") => preferred(&request.tools),
                _ => None,
            }
        }
    }
}

/// A shell if there is one, else the first harmless tool that can be filled in.
fn preferred(tools: &[Tool]) -> Option<Call> {
    let shell = tools.iter().filter(|tool| is_shell(tool)).find_map(call);
    shell.or_else(|| tools.iter().filter(|tool| is_harmless(tool)).find_map(call))
}

/// The call of a tool with demo values, or `None` if a required parameter is not simple.
fn call(tool: &Tool) -> Option<Call> {
    let properties = tool.parameters.get("properties").and_then(Value::as_object);
    let mut arguments = Map::new();
    for name in required(&tool.parameters) {
        let schema = properties.and_then(|properties| properties.get(name)).unwrap_or(&Value::Null);
        arguments.insert(name.to_owned(), demo_value(schema)?);
    }
    if is_shell(tool) {
        arguments.insert("command".to_owned(), HARMLESS_COMMAND.into());
        if properties.is_some_and(|properties| properties.contains_key("description")) {
            arguments.insert("description".to_owned(), "Print a greeting".into());
        }
    }
    Some(Call { name: tool.name.clone(), arguments: Value::Object(arguments).to_string() })
}

fn required(parameters: &Value) -> impl Iterator<Item = &str> {
    parameters.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// A value of the declared type; `None` for lists, objects and schemas without a type.
fn demo_value(schema: &Value) -> Option<Value> {
    let listed = || schema.get("enum").and_then(Value::as_array).and_then(|values| values.first());
    if let Some(value) = schema.get("const").or_else(|| schema.get("default")).or_else(listed) {
        return Some(value.clone());
    }
    let kind = match schema.get("type")? {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")?,
        _ => return None,
    };
    match kind {
        "string" => Some("demo".into()),
        "integer" | "number" => Some(schema.get("minimum").cloned().unwrap_or_else(|| 1.into())),
        "boolean" => Some(false.into()),
        _ => None,
    }
}

/// A shell takes its command as one string.
fn is_shell(tool: &Tool) -> bool {
    let named = SHELLS.iter().any(|shell| tool.name.eq_ignore_ascii_case(shell));
    named && tool.parameters.pointer("/properties/command/type").and_then(Value::as_str) == Some("string")
}

fn is_harmless(tool: &Tool) -> bool {
    let name = tool.name.to_lowercase();
    is_shell(tool) || !CHANGING.iter().any(|word| name.contains(word))
}

const SHELLS: &[&str] = &["Bash", "shell", "run_command", "execute_command", "run_terminal_cmd"];

const HARMLESS_COMMAND: &str = "echo hello from the anyclaude demo";

const VERBS: &[&str] = &["use", "run", "call"];

/// Parts of names of tools that change something, start something or bother someone.
const CHANGING: &[&str] = &[
    "write", "edit", "delete", "remove", "create", "update", "move", "rename", "kill", "stop", "send", "post", "push",
    "commit", "merge", "deploy", "install", "exec", "bash", "shell", "command", "task", "agent", "ask", "exit", "plan",
    "set", "add", "cron", "schedule",
];
