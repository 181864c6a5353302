//! The types that a value may have, and text as a value of one of them.

use serde_json::Value;

use crate::toolcall::json::Kind;

/// A set of JSON types; empty where the schema says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::toolcall) struct Types {
    pub(in crate::toolcall) null: bool,
    pub(in crate::toolcall) integer: bool,
    pub(in crate::toolcall) number: bool,
    pub(in crate::toolcall) boolean: bool,
    pub(in crate::toolcall) object: bool,
    pub(in crate::toolcall) array: bool,
    pub(in crate::toolcall) string: bool,
}

impl Types {
    /// Takes over what one schema says by itself.
    pub(super) fn add(&mut self, schema: &Value) {
        match schema.get("type") {
            Some(Value::String(name)) => self.add_name(name),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).for_each(|name| self.add_name(name)),
            _ => {}
        }
        let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        values.chain(schema.get("const")).for_each(|value| self.add_value(value));
        self.object |= schema.get("properties").is_some();
        self.array |= schema.get("items").is_some() || schema.get("prefixItems").is_some();
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
    pub(in crate::toolcall) fn is_unknown(self) -> bool {
        self == Types::default()
    }

    /// Only strings are taken.
    pub(in crate::toolcall) fn is_string(self) -> bool {
        self == Types { string: true, ..Types::default() }
    }

    /// Whether a value that begins so can be one of these.
    pub(in crate::toolcall) fn takes(self, kind: Kind) -> bool {
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

    /// Text as JSON of the first of these types that it can be, containers and strings aside.
    pub(in crate::toolcall) fn scalar(self, text: &str) -> Option<Value> {
        if self.null && (text.eq_ignore_ascii_case("null") || text == "None") {
            return Some(Value::Null);
        }
        if (self.integer || self.number)
            && let Some(number) = number(text, self.number)
        {
            return Some(number);
        }
        if self.boolean {
            match text.to_ascii_lowercase().as_str() {
                "true" | "1" => return Some(Value::Bool(true)),
                "false" | "0" => return Some(Value::Bool(false)),
                _ => {}
            }
        }
        None
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
    fractions.then_some(Value::Number(read))
}
