//! How families of models write calls, as data: what is described to them, and what their calls are written out as.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::toolcall::Format;

/// A way of writing calls that a model can be told of.
#[derive(Debug)]
pub(super) struct Style {
    /// The format that reads it.
    pub(super) format: &'static str,
    /// Other formats whose models are at home in it.
    families: &'static [&'static str],
    shape: Shape,
}

/// What a call looks like.
#[derive(Debug)]
enum Shape {
    /// An object with name and arguments between two tags.
    Object { open: &'static str, close: &'static str },
    /// A list of such objects behind one tag.
    List { open: &'static str, close: &'static str },
    /// The name in a tag, the arguments as an object behind it.
    Named,
    /// A tag for each argument, in one for the call.
    Parameters { open: &'static str, close: &'static str },
    /// Tags whose attributes are the names.
    Invoke,
    /// The name, and tags for keys and values.
    Pairs,
}

/// That of Hermes, which every model has seen.
const HERMES: Style =
    Style { format: "hermes", families: &[], shape: Shape::Object { open: "<tool_call>\n", close: "\n</tool_call>" } };

/// All styles.
const STYLES: &[Style] = &[
    HERMES,
    Style {
        format: "qwen3_coder",
        families: &[],
        shape: Shape::Parameters { open: "<tool_call>\n", close: "\n</tool_call>" },
    },
    Style {
        format: "seed_oss",
        families: &[],
        shape: Shape::Parameters { open: "<seed:tool_call>\n", close: "\n</seed:tool_call>" },
    },
    Style { format: "glm45", families: &["glm47"], shape: Shape::Pairs },
    Style { format: "minimax_m2", families: &[], shape: Shape::Invoke },
    // Llama's bare JSON and Python lists are calls only as whole answers; its tags may stand behind words.
    Style { format: "functionary_v31", families: &["llama3_json", "pythonic"], shape: Shape::Named },
    Style { format: "mistral", families: &[], shape: Shape::List { open: "[TOOL_CALLS]", close: "" } },
    Style { format: "phi4", families: &[], shape: Shape::List { open: "<|tool_call|>", close: "<|/tool_call|>" } },
    Style { format: "granite", families: &[], shape: Shape::List { open: "<|tool_call|>", close: "" } },
    Style { format: "nemotron_json", families: &[], shape: Shape::List { open: "<TOOLCALL>", close: "</TOOLCALL>" } },
];

/// The style of the first of these formats that has one; otherwise that of Hermes.
pub(super) fn of(formats: &[&'static Format]) -> &'static Style {
    let fits = |style: &&Style, name: &str| style.format == name || style.families.contains(&name);
    let found = formats.iter().find_map(|format| STYLES.iter().find(|style| fits(style, format.name)));
    found.unwrap_or(&HERMES)
}

/// A result, as the model gets it.
pub(super) fn result(name: &str, text: &str) -> String {
    if name.is_empty() {
        return format!("<tool_response>\n{text}\n</tool_response>");
    }
    format!("<tool_response name=\"{}\">\n{text}\n</tool_response>", name.replace('"', "'"))
}

impl Style {
    /// A call that shows the form.
    pub(super) fn push_example(&self, out: &mut String) {
        let arguments = r#"{"first_argument": "some text", "second_argument": 2}"#;
        self.push_calls(out, &[("name_of_the_tool".to_owned(), arguments.to_owned())]);
    }

    /// Calls, by name and arguments: text of a JSON object.
    pub(super) fn push_calls(&self, out: &mut String, calls: &[(String, String)]) {
        let objects = || calls.iter().map(|(name, arguments)| object(name, arguments));
        match &self.shape {
            Shape::List { open, close } => {
                out.push_str(&format!("{open}[{}]{close}", objects().collect::<Vec<_>>().join(", ")));
            }
            Shape::Object { open, close } => {
                let all: Vec<String> = objects().map(|object| format!("{open}{object}{close}")).collect();
                out.push_str(&all.join("\n"));
            }
            shape => {
                let all: Vec<String> = calls.iter().map(|(name, arguments)| shape.call(name, arguments)).collect();
                out.push_str(&all.join("\n"));
            }
        }
    }
}

impl Shape {
    fn call(&self, name: &str, arguments: &str) -> String {
        let mut call = String::new();
        match self {
            Shape::Parameters { open, close } => {
                call.push_str(&format!("{open}<function={name}>\n"));
                for (key, value) in members(arguments) {
                    call.push_str(&format!("<parameter={key}>\n{value}\n</parameter>\n"));
                }
                call.push_str(&format!("</function>{close}"));
            }
            Shape::Invoke => {
                call.push_str(&format!("<minimax:tool_call>\n<invoke name=\"{name}\">\n"));
                for (key, value) in members(arguments) {
                    // A line feed next to a tag belongs to the tag.
                    let gap = if value.starts_with('\n') || value.ends_with('\n') { "\n" } else { "" };
                    call.push_str(&format!("<parameter name=\"{key}\">{gap}{value}{gap}</parameter>\n"));
                }
                call.push_str("</invoke>\n</minimax:tool_call>");
            }
            Shape::Pairs => {
                call.push_str(&format!("<tool_call>{name}\n"));
                for (key, value) in members(arguments) {
                    call.push_str(&format!("<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>\n"));
                }
                call.push_str("</tool_call>");
            }
            Shape::Named | Shape::Object { .. } | Shape::List { .. } => {
                call.push_str(&format!("<function={name}>{arguments}</function>"));
            }
        }
        call
    }
}

fn object(name: &str, arguments: &str) -> String {
    let is_object = arguments.trim_start().starts_with('{');
    format!("{{\"name\": {}, \"arguments\": {}}}", Value::from(name), if is_object { arguments } else { "{}" })
}

/// Keys in their order, with the text of each value: strings as they are, everything else as JSON.
fn members(arguments: &str) -> Vec<(String, String)> {
    struct Members;
    impl<'de> serde::de::Visitor<'de> for Members {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                let text = serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
                all.push((key, text));
            }
            Ok(all)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(arguments);
    serde::Deserializer::deserialize_map(&mut reader, Members).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolcall::{Choice, by_name, parse};
    use serde_json::json;

    #[test]
    fn every_style_is_read_back() {
        let tools = json!([{"name": "Edit", "input_schema": {"properties": {"path": {"type": "string"}, "old": {"type": "string"},
            "all": {"type": "boolean"}, "lines": {"type": "array"}, "n": {"type": "integer"}}}}, {"name": "List"}]);
        let edit = json!({"path": "/a \"b\".py", "old": "def f():\n    return {1: '<x>'}\n", "all": false, "lines": [1, "2"], "n": 8});
        let calls = [("Edit".to_owned(), edit.to_string()), ("List".to_owned(), "{}".to_owned())];
        for style in STYLES {
            let format = by_name(style.format).unwrap();
            let mut text = "I change it.\n".to_owned();
            style.push_calls(&mut text, &calls);
            for choice in [Choice::Format(format), Choice::Any] {
                let parsed = parse(choice, tools.as_array().unwrap(), false, &text);
                assert_eq!(parsed.text.trim_end(), "I change it.", "{}: {text}", style.format);
                let wanted = [("Edit".to_owned(), edit.clone()), ("List".to_owned(), json!({}))];
                assert_eq!(parsed.calls, wanted, "{}: {text}", style.format);
            }
            for family in style.families {
                assert_eq!(of(&[by_name(family).unwrap()]).format, style.format);
            }
        }
        assert_eq!(of(&[]).format, "hermes");
    }
}
