//! Schemas for servers whose grammar engine breaks on what the client's say.
//!
//! llama.cpp, and what is built on it, turn the schemas of all tools into one grammar; a regular expression or a large
//! bound in one of them fails the whole request. Without these a model is held to its schema less tightly, and the
//! request can be answered.

mod hostile;
mod members;

use std::fmt::Write;

use serde_json::Value;
use serde_json::value::RawValue;

use members::Members;

pub(super) use hostile::Hostile;

/// Keywords that only narrow down what else is said, and that grammar engines break on.
const DROPPED: &[&str] = &[
    "$schema",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "maxContains",
    "maximum",
    "minContains",
    "minimum",
    "multipleOf",
    "not",
    "pattern",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// Bounds that become repetitions of a rule, and are left out where they are large.
const BOUNDS: &[&str] = &["maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"];

/// The largest bound that stays. llama.cpp gives up at 2000 repetitions, but those in each other multiply.
const MAX_BOUND: u64 = 64;

/// How deep schemas are looked at; deeper ones stay as they are.
const MAX_DEPTH: usize = 64;

/// A schema without what grammar engines break on; all that stays keeps its order, and what nothing is taken from its
/// bytes. `None` where there is nothing to take: then the same request would be refused once more.
pub(super) fn relax(schema: &str) -> Option<String> {
    relaxed(schema, 0)
}

fn relaxed(schema: &str, depth: usize) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    let members = Members::read(schema)?;
    let mut is_changed = false;
    let mut kept: Vec<(&str, String)> = Vec::with_capacity(members.len());
    let has = |name: &str| members.iter().any(|(key, _)| key == name);
    for (key, value) in members.iter() {
        let value = value.get();
        if DROPPED.contains(&key) || is_large_bound(key, value) {
            is_changed = true;
        } else if key == "additionalProperties" && value == "false" && has("patternProperties") {
            // Names that only a pattern allowed would be forbidden.
            is_changed = true;
        } else if matches!(key, "anyOf" | "oneOf")
            && !has("enum")
            && let Some(values) = constants(value)
        {
            is_changed = true;
            kept.push(("enum", values));
        } else if let Some(inside) = inside(key, value, depth) {
            is_changed = true;
            kept.push((key, inside));
        } else {
            kept.push((key, value.to_owned()));
        }
    }
    is_changed.then(|| object(&kept))
}

/// What stands inside of a keyword, where that changes. Everything but schemas is data.
fn inside(key: &str, value: &str, depth: usize) -> Option<String> {
    match key {
        "properties" | "$defs" | "definitions" => {
            let members = Members::read(value)?;
            let parts: Vec<_> = members.iter().map(|(_, part)| relaxed(part.get(), depth + 1)).collect();
            parts.iter().any(Option::is_some).then(|| {
                let pairs = members.iter().zip(parts);
                object(
                    &pairs
                        .map(|((name, part), new)| (name, new.unwrap_or_else(|| part.get().to_owned())))
                        .collect::<Vec<_>>(),
                )
            })
        }
        "items" | "additionalItems" | "additionalProperties" | "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
            let Ok(parts) = serde_json::from_str::<Vec<&RawValue>>(value) else { return relaxed(value, depth + 1) };
            let new: Vec<_> = parts.iter().map(|part| relaxed(part.get(), depth + 1)).collect();
            new.iter().any(Option::is_some).then(|| {
                let parts = parts.iter().zip(new).map(|(part, new)| new.unwrap_or_else(|| part.get().to_owned()));
                format!("[{}]", parts.collect::<Vec<_>>().join(","))
            })
        }
        _ => None,
    }
}

fn is_large_bound(key: &str, value: &str) -> bool {
    BOUNDS.contains(&key) && value.parse::<u64>().map_or(true, |bound| bound > MAX_BOUND)
}

/// The values of a union of nothing but constants, which engines know better as an enumeration.
fn constants(union: &str) -> Option<String> {
    let parts = serde_json::from_str::<Vec<&RawValue>>(union).ok().filter(|parts| !parts.is_empty())?;
    let mut values = Vec::with_capacity(parts.len());
    for part in parts {
        let part = Members::read(part.get())?;
        if part.iter().any(|(key, _)| !matches!(key, "const" | "type" | "title" | "description")) {
            return None;
        }
        values.push(part.iter().find(|(key, _)| *key == "const")?.1.get().to_owned());
    }
    Some(format!("[{}]", values.join(",")))
}

fn object(members: &[(&str, String)]) -> String {
    let mut out = String::from("{");
    for (index, (key, value)) in members.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(out, "{comma}{}:{value}", Value::from(*key));
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_break_on_goes() {
        for (schema, wanted) in [
            (
                r#"{"type":"object","properties":{"b":{"type":"string","pattern":"^\\d+$","maxLength":65536},"a":{"type":"integer","minimum":1}},"required":["b"],"additionalProperties":false,"$schema":"x"}"#,
                r#"{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer"}},"required":["b"],"additionalProperties":false}"#,
            ),
            (
                r#"{"properties":{"pattern":{"type":"string","format":"uri"},"not":{},"if":{ "enum" : [{"pattern":1}] }}}"#,
                r#"{"properties":{"pattern":{"type":"string"},"not":{},"if":{ "enum" : [{"pattern":1}] }}}"#,
            ),
            (
                r#"{"items":{"anyOf":[{"const":"a","description":"x"},{"const":2}]},"maxItems":100,"minItems":1}"#,
                r#"{"items":{"enum":["a",2]},"minItems":1}"#,
            ),
            (
                r#"{"anyOf":[{"const":"a"},{"type":"string","minLength":99}],"default":{"format":1}}"#,
                r#"{"anyOf":[{"const":"a"},{"type":"string"}],"default":{"format":1}}"#,
            ),
            (
                r#"{"patternProperties":{"^x":{}},"additionalProperties":false,"$defs":{"d":{"prefixItems":[{"not":{}}]}}}"#,
                r#"{"$defs":{"d":{"prefixItems":[{}]}}}"#,
            ),
            (
                r#"{"items":[{"format":"x"},true],"not":{},"additionalProperties":{"multipleOf":2}}"#,
                r#"{"items":[{},true],"additionalProperties":{}}"#,
            ),
            (
                r#"{"if":{},"then":{},"else":{},"const":{"if":1},"examples":[{"not":1}]}"#,
                r#"{"const":{"if":1},"examples":[{"not":1}]}"#,
            ),
            (r#"{"a\u0022b":1,"pattern":"x"}"#, r#"{"a\"b":1}"#),
        ] {
            assert_eq!(relax(schema).as_deref(), Some(wanted), "{schema}");
            assert_eq!(relax(wanted), None, "{wanted}");
        }
    }

    #[test]
    fn what_says_nothing_of_that_stays() {
        let deep = "{\"items\":".repeat(300) + "{\"pattern\":\"x\"}" + &"}".repeat(300);
        for schema in [
            "{}",
            r#"{"type":"object","properties":{}}"#,
            r#"{"type":"string","minLength":1,"maxLength":64,"enum":["pattern"]}"#,
            r#"{"properties":{"pattern":{"type":"string"}},"required":["pattern"]}"#,
            r#"{"properties":["pattern"],"items":"format"}"#,
            "[{\"pattern\":1}]",
            "{\"pattern\":",
            "true",
            "",
            &deep,
        ] {
            assert_eq!(relax(schema), None, "{schema}");
        }
    }
}
