//! How much work a schema is, before anything is done with it.
//!
//! Schemas can refer to themselves and to each other so that a few hundred bytes ask for more steps than a day has.
//! The walk here takes the steps that a validator takes, one by one, and gives up early.

use serde_json::{Map, Value};

/// Steps that compiling a schema, or checking one value, may take. An ordinary call takes a few hundred.
const MAX_STEPS: usize = 20_000;

/// Steps that a pattern stands for: each is compiled by itself, and takes memory.
const PATTERN_STEPS: usize = 100;

/// How deep schemas and references may stand in each other; a validator goes down by calling itself.
const MAX_DEPTH: usize = 64;

/// Every step may copy the value for an error that is never shown: bytes of a value that cost as much as a step.
const BYTES_PER_STEP: usize = 1024;

/// Whether compiling the schema, or checking a value by it, is a bounded piece of work. A schema whose references go
/// by other ways than the path in this document is not followed, and counts as none.
pub(super) fn is_bounded(schema: &Value, value: Option<&Value>) -> bool {
    let price = 1 + value.map_or(0, size) / BYTES_PER_STEP;
    let mut walk = Walk { root: schema, left: MAX_STEPS, price, open: Vec::new() };
    walk.visit(schema, value, 0).is_some()
}

struct Walk<'s> {
    root: &'s Value,
    left: usize,
    price: usize,
    /// References that are being followed, and for which value: a validator ends where they meet themselves.
    open: Vec<(&'s str, Option<*const Value>)>,
}

impl<'s> Walk<'s> {
    fn pay(&mut self, steps: usize) -> Option<()> {
        self.left = self.left.checked_sub(steps)?;
        Some(())
    }

    fn visit(&mut self, schema: &'s Value, value: Option<&Value>, depth: usize) -> Option<()> {
        self.pay(self.price)?;
        if depth > MAX_DEPTH {
            return None;
        }
        let Value::Object(keywords) = schema else { return Some(()) };
        let by_other_ways = ["$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor"];
        if by_other_ways.iter().any(|key| keywords.contains_key(*key)) || (depth > 0 && keywords.contains_key("$id")) {
            return None;
        }
        self.references(keywords, value, depth)?;
        for (keyword, inside) in keywords {
            match keyword.as_str() {
                "pattern" => self.pay(PATTERN_STEPS)?,
                "allOf" | "anyOf" | "oneOf" => {
                    for part in inside.as_array().into_iter().flatten() {
                        self.visit(part, value, depth + 1)?;
                    }
                }
                "not" | "if" | "then" | "else" => self.visit(inside, value, depth + 1)?,
                "dependentSchemas" | "dependencies" => {
                    for part in inside.as_object().into_iter().flat_map(Map::values) {
                        self.visit(part, value, depth + 1)?;
                    }
                }
                "properties" => self.properties(inside, value, depth)?,
                "patternProperties" => {
                    for part in inside.as_object().into_iter().flat_map(Map::values) {
                        self.pay(PATTERN_STEPS)?;
                        self.members(part, value, depth)?;
                    }
                }
                "prefixItems" => {
                    for part in inside.as_array().into_iter().flatten() {
                        self.members(part, value, depth)?;
                    }
                }
                "items" | "additionalItems" => match inside {
                    // As drafts before 2020-12 have it.
                    Value::Array(parts) => {
                        for part in parts {
                            self.members(part, value, depth)?;
                        }
                    }
                    inside => self.members(inside, value, depth)?,
                },
                "additionalProperties"
                | "unevaluatedProperties"
                | "unevaluatedItems"
                | "contains"
                | "propertyNames" => self.members(inside, value, depth)?,
                "enum" => self.pay(inside.as_array().map_or(0, Vec::len))?,
                _ => {}
            }
        }
        Some(())
    }

    fn references(&mut self, keywords: &'s Map<String, Value>, value: Option<&Value>, depth: usize) -> Option<()> {
        let Some(target) = keywords.get("$ref") else { return Some(()) };
        let target = target.as_str()?;
        let found = self.root.pointer(target.strip_prefix('#')?)?;
        let open = (target, value.map(std::ptr::from_ref));
        if self.open.contains(&open) {
            return Some(());
        }
        self.open.push(open);
        self.visit(found, value, depth + 1)?;
        self.open.pop();
        Some(())
    }

    fn properties(&mut self, inside: &'s Value, value: Option<&Value>, depth: usize) -> Option<()> {
        for (name, part) in inside.as_object().into_iter().flatten() {
            match value {
                None => self.visit(part, None, depth + 1)?,
                Some(value) => {
                    self.pay(1)?;
                    if let Some(member) = value.get(name) {
                        self.visit(part, Some(member), depth + 1)?;
                    }
                }
            }
        }
        Some(())
    }

    /// A schema for each member of a value.
    fn members(&mut self, part: &'s Value, value: Option<&Value>, depth: usize) -> Option<()> {
        match value {
            None => self.visit(part, None, depth + 1)?,
            Some(Value::Array(members)) => {
                for member in members {
                    self.visit(part, Some(member), depth + 1)?;
                }
            }
            Some(Value::Object(members)) => {
                for member in members.values() {
                    self.visit(part, Some(member), depth + 1)?;
                }
            }
            Some(_) => {}
        }
        Some(())
    }
}

/// About how many bytes a value has.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(members) => members.iter().map(size).sum(),
        Value::Object(members) => members.iter().map(|(name, member)| name.len() + size(member)).sum(),
        _ => 8,
    }
}
