//! What types a tool's properties may have, and how a value becomes one of them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::json::Kind;
use super::literal;

/// References that are followed; schemas that refer to themselves end there.
const MAX_REFERENCES: usize = 16;

/// A set of JSON types; empty where the schema says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Types {
    pub(super) null: bool,
    pub(super) integer: bool,
    pub(super) number: bool,
    pub(super) boolean: bool,
    pub(super) object: bool,
    pub(super) array: bool,
    pub(super) string: bool,
}

/// The properties of a tool, with their types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties(Arc<HashMap<String, Types>>);

impl Properties {
    /// Reads a tool's `input_schema`.
    pub(crate) fn of(schema: &Value) -> Self {
        let mut all = HashMap::new();
        collect(schema, schema, &mut all, 0);
        Properties(Arc::new(all))
    }

    /// The types of a property; none for one that is not declared.
    pub(super) fn types(&self, name: &str) -> Types {
        self.0.get(name).copied().unwrap_or_default()
    }
}

fn collect(root: &Value, schema: &Value, all: &mut HashMap<String, Types>, depth: usize) {
    let schema = resolved(root, schema);
    if depth > MAX_REFERENCES {
        return;
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let mut types = Types::default();
        types.add(root, property, 0);
        all.entry(name.clone()).or_default().join(types);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for part in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            collect(root, part, all, depth + 1);
        }
    }
}

fn resolved<'s>(root: &'s Value, mut schema: &'s Value) -> &'s Value {
    for _ in 0..MAX_REFERENCES {
        let Some(target) = schema.get("$ref").and_then(Value::as_str) else { break };
        let Some(found) = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) else { break };
        schema = found;
    }
    schema
}

impl Types {
    fn join(&mut self, other: Types) {
        self.null |= other.null;
        self.integer |= other.integer;
        self.number |= other.number;
        self.boolean |= other.boolean;
        self.object |= other.object;
        self.array |= other.array;
        self.string |= other.string;
    }

    fn add(&mut self, root: &Value, schema: &Value, depth: usize) {
        let schema = resolved(root, schema);
        if depth > MAX_REFERENCES {
            return;
        }
        match schema.get("type") {
            Some(Value::String(name)) => self.add_name(name),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).for_each(|name| self.add_name(name)),
            _ => {}
        }
        let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        values.chain(schema.get("const")).for_each(|value| self.add_value(value));
        for key in ["anyOf", "oneOf", "allOf"] {
            for part in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.add(root, part, depth + 1);
            }
        }
        if schema.get("properties").is_some() {
            self.object = true;
        }
        if schema.get("items").is_some() {
            self.array = true;
        }
    }

    fn add_name(&mut self, name: &str) {
        match name {
            "null" => self.null = true,
            "integer" => self.integer = true,
            "number" => self.number = true,
            "boolean" => self.boolean = true,
            "object" => self.object = true,
            "array" => self.array = true,
            "string" => self.string = true,
            _ => {}
        }
    }

    fn add_value(&mut self, value: &Value) {
        match value {
            Value::Null => self.null = true,
            Value::Bool(_) => self.boolean = true,
            Value::Number(number) if number.is_f64() => self.number = true,
            Value::Number(_) => self.integer = true,
            Value::String(_) => self.string = true,
            Value::Array(_) => self.array = true,
            Value::Object(_) => self.object = true,
        }
    }

    /// The schema says nothing.
    pub(super) fn is_unknown(self) -> bool {
        self == Types::default()
    }

    /// Only strings are taken.
    pub(super) fn is_string(self) -> bool {
        self == Types { string: true, ..Types::default() }
    }

    /// Whether a value that begins so can be one of these.
    pub(super) fn takes(self, kind: Kind) -> bool {
        self.is_unknown()
            || match kind {
                Kind::String => self.string,
                Kind::Number => self.number || self.integer,
                Kind::Boolean => self.boolean,
                Kind::Null => self.null,
                Kind::Object => self.object,
                Kind::Array => self.array,
            }
    }

    /// Text without types of its own, as JSON of the first of these types that it can be.
    pub(super) fn read(self, text: &str) -> Value {
        let bare = text.trim();
        let as_string = || Value::String(text.to_owned());
        if self.is_string() {
            return as_string();
        }
        if self.is_unknown() {
            // Nothing is said: JSON where that changes no bare word.
            return serde_json::from_str(bare).ok().or_else(|| literal::container(bare)).unwrap_or_else(as_string);
        }
        if self.null && (bare.eq_ignore_ascii_case("null") || bare == "None") {
            return Value::Null;
        }
        if (self.integer || self.number)
            && let Some(number) = number(bare, self.number)
        {
            return number;
        }
        if self.boolean {
            match bare.to_ascii_lowercase().as_str() {
                "true" | "1" => return Value::Bool(true),
                "false" | "0" => return Value::Bool(false),
                _ => {}
            }
        }
        if self.object || self.array {
            let read = serde_json::from_str::<Value>(bare).ok().or_else(|| literal::container(bare));
            if let Some(value) =
                read.filter(|value| (self.object && value.is_object()) || (self.array && value.is_array()))
            {
                return value;
            }
        }
        as_string()
    }

    /// A JSON value as one of these types, where it is clear how; itself otherwise.
    pub(super) fn fit(self, value: Value) -> Value {
        if self.is_unknown() || self.takes(kind_of(&value)) {
            return value;
        }
        match value {
            Value::String(text) => {
                let read = Types { string: false, ..self }.read(&text);
                if self.takes(kind_of(&read)) { read } else { Value::String(text) }
            }
            // A declared string stays what the model meant by it.
            Value::Number(number) if self.string => Value::String(number.to_string()),
            Value::Bool(value) if self.string => Value::String(value.to_string()),
            other => other,
        }
    }
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    }
}

/// A number, integral where it can be.
fn number(text: &str, fractions: bool) -> Option<Value> {
    let read: serde_json::Number = serde_json::from_str(text.strip_prefix('+').unwrap_or(text)).ok()?;
    if !read.is_f64() {
        return Some(Value::Number(read));
    }
    let float = read.as_f64().filter(|float| float.is_finite())?;
    // "2.0" for an integer.
    if float.fract() == 0.0 && float.abs() < 9e15 {
        return Some(Value::from(float as i64));
    }
    fractions.then(|| Value::Number(read))
}

/// The declared tools.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tools(Arc<Vec<(String, Properties)>>);

impl FromIterator<(String, Properties)> for Tools {
    fn from_iter<I: IntoIterator<Item = (String, Properties)>>(tools: I) -> Self {
        Tools(Arc::new(tools.into_iter().collect()))
    }
}

impl Tools {
    /// Takes names and schemas.
    pub(super) fn new<'t>(tools: impl Iterator<Item = (&'t str, &'t Value)>) -> Self {
        tools.map(|(name, schema)| (name.to_owned(), Properties::of(schema))).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a tool of this name was declared.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The properties of a tool; none of one that is not declared.
    pub(super) fn properties(&self, name: &str) -> Properties {
        self.0.iter().find(|(known, _)| known == name).map(|(_, properties)| properties.clone()).unwrap_or_default()
    }

    /// The names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
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
            "e": {"enum": ["x", 1]}, "any": {}}, "$defs": {"o": {"type": "object"}}});
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
            ("a", "NULL", json!(null)),
            ("a", "[1]", json!([1])),
            ("u", "7", json!(7)),
            ("u", "seven", json!("seven")),
            ("e", "x", json!("x")),
            ("any", "7", json!(7)),
            ("any", "word", json!("word")),
            ("none", "true", json!(true)),
        ] {
            assert_eq!(properties.types(name).read(text), value, "{name} {text}");
        }
        for (name, given, value) in [
            ("i", json!("80"), json!(80)),
            ("b", json!("false"), json!(false)),
            ("o", json!("{\"x\":1}"), json!({"x": 1})),
            ("s", json!(8), json!("8")),
            ("s", json!("8"), json!("8")),
            ("i", json!("x"), json!("x")),
            ("i", json!([1]), json!([1])),
            ("u", json!("7"), json!("7")),
        ] {
            assert_eq!(properties.types(name).fit(given.clone()), value, "{name} {given}");
        }
    }
}
