//! Values that are not of the type that their place asks for.

use serde_json::Value;

use super::Typed;
use crate::toolcall::json::{Dialect, Json, Kind};
use crate::toolcall::schema::{NodeId, Properties, Types};
use crate::wire::JsonText;

/// JSON in a string in JSON, and so on: what lies deeper stays a string.
const MAX_ENCODED: usize = 3;

/// A JSON value as one of the types of its place, where it is clear how; itself, byte for byte, otherwise.
pub(super) fn fit(properties: &Properties, place: NodeId, json: &str, level: usize) -> String {
    let types = properties.types_at(place);
    if json.starts_with('"') {
        let Ok(text) = serde_json::from_str::<String>(json) else { return json.to_owned() };
        let bare = text.trim();
        if let Some(value) = types.scalar(bare) {
            return value.to_string();
        }
        return container(properties, place, types, bare, level).unwrap_or_else(|| json.to_owned());
    }
    // A declared string stays what the model meant by it.
    if types.string && json.starts_with(|c: char| matches!(c, 't' | 'f' | '-') || c.is_ascii_digit()) {
        return format!("\"{json}\"");
    }
    json.to_owned()
}

/// Text without types of its own, as JSON of the first of the types of its place that it can be.
pub(super) fn read(properties: &Properties, place: NodeId, types: Types, text: &str) -> String {
    let bare = text.trim();
    let read = if types.is_string() {
        None
    } else if types.is_unknown() && !bare.starts_with(['{', '[']) {
        // Nothing is said: JSON where that changes no bare word.
        serde_json::from_str::<Value>(bare).ok().map(|value| value.to_string())
    } else {
        let scalar = types.scalar(bare).map(|value| value.to_string());
        scalar.or_else(|| container(properties, place, types, bare, 0))
    };
    read.unwrap_or_else(|| format!("\"{}\"", JsonText::from_plain(text).as_escaped()))
}

/// Text without types of its own, as the value that it most likely is at its place.
pub(in crate::toolcall) fn value_at(properties: &Properties, place: NodeId, text: &str) -> Value {
    let json = read(properties, place, properties.types_at(place), text);
    serde_json::from_str(&json).unwrap_or_else(|_| Value::from(text))
}

/// A list or an object, as JSON or Python write them, with what stands inside made to fit; `None` for everything
/// else, and for what the place does not take.
fn container(properties: &Properties, place: NodeId, types: Types, text: &str, level: usize) -> Option<String> {
    let kind = match text.as_bytes().first()? {
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        _ => return None,
    };
    if level >= MAX_ENCODED || !types.takes(kind) {
        return None;
    }
    let mut typed = Typed::inside(properties.within(place), level + 1);
    let mut json = Json::new(Dialect::default());
    let read = json.read(text, true, &mut typed);
    (read.done && !json.is_broken() && read.bytes == text.len()).then_some(typed.out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_what_the_schema_says() {
        let schema = json!({"properties": {
            "s": {"type": "string"}, "i": {"type": "integer"}, "n": {"type": "number"}, "b": {"type": "boolean"},
            "o": {"$ref": "#/$defs/o"}, "a": {"type": ["array", "null"]}, "u": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "e": {"enum": ["x", 1]}, "any": {}}, "$defs": {"o": {"type": "object", "properties": {
                "i": {"type": "integer"}, "s": {"type": "string"}, "o": {"$ref": "#/$defs/o"}}}}});
        let properties = Properties::of(&schema);
        for (name, text, value) in [
            ("s", "08", json!("08")),
            ("s", "null", json!("null")),
            ("s", " x ", json!(" x ")),
            ("i", "80", json!(80)),
            ("i", "2.0", json!(2)),
            ("i", "many", json!("many")),
            ("n", "2.5", json!(2.5)),
            ("n", "1e999", json!("1e999")),
            ("b", "True", json!(true)),
            ("b", "0", json!(false)),
            ("o", "{\"x\": 1}", json!({"x": 1})),
            ("o", "{'x': None}", json!({"x": null})),
            (
                "o",
                "{'i': '1', 's': 1, 'o': {'i': 'x', 'o': \"{'i': '2'}\"}}",
                json!({"i": 1, "s": "1", "o": {"i": "x", "o": {"i": 2}}}),
            ),
            ("o", "[1]", json!("[1]")),
            ("a", "NULL", json!(null)),
            ("a", "[1]", json!([1])),
            ("u", "7", json!(7)),
            ("u", "seven", json!("seven")),
            ("e", "x", json!("x")),
            ("any", "7", json!(7)),
            ("any", "word", json!("word")),
            ("any", "{\"z\": \"1\", \"a\": [2]}", json!({"z": "1", "a": [2]})),
            ("any", "{no object}", json!("{no object}")),
            ("none", "true", json!(true)),
        ] {
            let place = properties.member(properties.root(), name);
            let json = read(&properties, place, properties.types_at(place), text);
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value, "{name} {text}");
        }
        for (name, given, wanted) in [
            ("i", r#""80""#, "80"),
            ("b", r#""false""#, "false"),
            ("o", r#""{\"z\":1, \"i\":\"5\"}""#, r#"{"z":1,"i":5}"#),
            ("s", "8", r#""8""#),
            ("s", "1.50", r#""1.50""#),
            ("s", "true", r#""true""#),
            ("s", "[8]", "[8]"),
            ("i", r#""x\u0041""#, r#""x\u0041""#),
            ("i", "[1]", "[1]"),
            ("a", r#""[\"x\"] and more""#, r#""[\"x\"] and more""#),
        ] {
            let place = properties.member(properties.root(), name);
            assert_eq!(fit(&properties, place, given, 0), wanted, "{name} {given}");
        }
    }
}
