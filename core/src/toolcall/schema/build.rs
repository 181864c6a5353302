//! From a schema to the types of every place that its values have.
//!
//! A place is ruled by several schemas at once: by the parts of unions, and by what references lead to. Each set of
//! schemas that rules a place somewhere becomes one node, so that schemas that refer to themselves come to an end.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::{Node, NodeId, UNKNOWN};

/// Schemas that may rule one place; of a place with more nothing is known.
const MAX_PARTS: usize = 128;

/// Places of a schema that are told apart. The largest schemas of real tools have some hundred.
const MAX_NODES: usize = 4_096;

/// Keywords looked at in all, so that a hostile schema takes milliseconds; behind them nothing is known.
const MAX_STEPS: usize = 100_000;

pub(super) fn build(schema: &Value) -> Vec<Node> {
    let mut builder = Builder {
        root: schema,
        nodes: vec![Node::default()],
        known: HashMap::new(),
        waiting: VecDeque::new(),
        steps: 0,
    };
    builder.intern(vec![schema]);
    while let Some((id, parts)) = builder.waiting.pop_front() {
        builder.fill(id, &parts);
    }
    builder.nodes
}

struct Builder<'s> {
    root: &'s Value,
    nodes: Vec<Node>,
    /// Nodes by the schemas that rule them.
    known: HashMap<Vec<*const Value>, NodeId>,
    waiting: VecDeque<(NodeId, Vec<&'s Value>)>,
    steps: usize,
}

impl<'s> Builder<'s> {
    /// The node of the places that these schemas rule.
    fn intern(&mut self, schemas: Vec<&'s Value>) -> NodeId {
        let Some(parts) = self.flatten(schemas) else { return UNKNOWN };
        let mut key: Vec<*const Value> = parts.iter().map(|part| std::ptr::from_ref(*part)).collect();
        key.sort_unstable();
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let Ok(id) = NodeId::try_from(self.nodes.len()) else { return UNKNOWN };
        if parts.is_empty() || self.nodes.len() >= MAX_NODES {
            return UNKNOWN;
        }
        let mut node = Node::default();
        parts.iter().for_each(|part| node.types.add(part));
        self.nodes.push(node);
        self.known.insert(key, id);
        self.waiting.push_back((id, parts));
        id
    }

    /// The schemas, with those that they refer to or are put together from. `None` where there are too many, and where
    /// one of them may be anything: then nothing is clear.
    fn flatten(&mut self, mut open: Vec<&'s Value>) -> Option<Vec<&'s Value>> {
        let mut parts: Vec<&'s Value> = Vec::new();
        while let Some(schema) = open.pop() {
            self.step()?;
            if !schema.is_object() || parts.iter().any(|part| std::ptr::eq(*part, schema)) {
                continue;
            }
            if parts.len() >= MAX_PARTS {
                return None;
            }
            parts.push(schema);
            if let Some(target) = schema.get("$ref") {
                open.push(self.root.pointer(target.as_str()?.strip_prefix('#')?)?);
            }
            for key in ["allOf", "anyOf", "oneOf"] {
                let inside = schema.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                if open.len() + inside.len() > MAX_PARTS || (key != "allOf" && inside.iter().any(says_nothing)) {
                    return None;
                }
                open.extend(inside);
            }
        }
        Some(parts)
    }

    fn step(&mut self) -> Option<()> {
        self.steps += 1;
        (self.steps <= MAX_STEPS).then_some(())
    }

    fn fill(&mut self, id: NodeId, parts: &[&'s Value]) {
        // Half of them would be worse than none: what is missing would count as not declared.
        let Some(members) = self.members(parts) else { return };
        let additional: Vec<&Value> = parts.iter().filter_map(|part| additional(part)).collect();
        let additional = self.intern(additional);
        let mut members_by_name = HashMap::with_capacity(members.len());
        for (name, schemas) in members {
            let member = self.intern(schemas);
            members_by_name.insert(name.to_owned(), member);
        }
        let lists: Vec<&[Value]> = parts.iter().map(|part| prefix(part)).collect();
        let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0);
        if longest > MAX_PARTS {
            return;
        }
        let item_of = |part: &&'s Value, place: usize| prefix(part).get(place).or_else(|| items(part));
        let first = (0..longest).map(|place| parts.iter().filter_map(|part| item_of(part, place)).collect());
        let first: Vec<Vec<&Value>> = first.collect();
        let first = first.into_iter().map(|schemas| self.intern(schemas)).collect();
        let items = self.intern(parts.iter().filter_map(|part| items(part)).collect());
        if let Some(node) = self.nodes.get_mut(id as usize) {
            (node.members, node.additional) = (members_by_name, additional);
            (node.first, node.items) = (first, items);
        }
    }

    /// What each of the parts says of a name: of the property, or of those that it has not declared.
    fn members(&mut self, parts: &[&'s Value]) -> Option<HashMap<&'s str, Vec<&'s Value>>> {
        let mut members: HashMap<&str, Vec<&Value>> = HashMap::new();
        for (name, property) in parts.iter().filter_map(|part| part.get("properties")?.as_object()).flatten() {
            self.step()?;
            members.entry(name).or_default().push(property);
        }
        for part in parts {
            let Some(additional) = additional(part) else { continue };
            for (name, schemas) in &mut members {
                self.step()?;
                if part.get("properties").and_then(|properties| properties.get(*name)).is_none() {
                    schemas.push(additional);
                }
            }
        }
        Some(members)
    }
}

/// Whether a part of a union allows every value.
fn says_nothing(part: &Value) -> bool {
    let is_remark =
        |key: &String| matches!(key.as_str(), "title" | "description" | "default" | "examples" | "$comment");
    match part {
        Value::Object(keywords) => keywords.keys().all(is_remark),
        other => *other == Value::Bool(true),
    }
}

/// The schema of properties that are not declared. Whoever declares patterns says of none what it is.
fn additional(part: &Value) -> Option<&Value> {
    part.get("additionalProperties").filter(|schema| schema.is_object() && part.get("patternProperties").is_none())
}

/// The schemas of the first items: as the present draft has them, or those before it.
fn prefix(part: &Value) -> &[Value] {
    let list = part.get("prefixItems").or_else(|| part.get("items")).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// The schema of the other items.
fn items(part: &Value) -> Option<&Value> {
    part.get("items").filter(|items| items.is_object()).or_else(|| part.get("additionalItems"))
}
