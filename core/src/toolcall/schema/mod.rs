//! What types the values in a tool's arguments may have.

mod build;
mod types;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

pub(in crate::toolcall) use types::Types;

/// A place of a schema: the arguments themselves, a property, an item of a list, and so on inwards.
pub(in crate::toolcall) type NodeId = u32;

/// The place of which nothing is known; what stands inside of it is not known either.
const UNKNOWN: NodeId = 0;

/// The arguments themselves.
const ROOT: NodeId = 1;

/// What a schema says of a place.
#[derive(Clone, Debug, Default)]
struct Node {
    types: Types,
    members: HashMap<String, NodeId>,
    /// All other members.
    additional: NodeId,
    first: Vec<NodeId>,
    /// The items behind the first.
    items: NodeId,
}

/// The properties of a tool, with their types, and with what stands inside of them.
#[derive(Clone, Debug)]
pub(crate) struct Properties {
    nodes: Arc<Vec<Node>>,
    /// The place that counts as the outermost.
    root: NodeId,
}

impl Default for Properties {
    fn default() -> Self {
        Properties { nodes: Arc::default(), root: UNKNOWN }
    }
}

impl Properties {
    /// Reads a tool's `input_schema`.
    pub(crate) fn of(schema: &Value) -> Self {
        Properties { nodes: Arc::new(build::build(schema)), root: ROOT }
    }

    /// What is known of a place and inwards.
    pub(in crate::toolcall) fn within(&self, place: NodeId) -> Self {
        Properties { nodes: Arc::clone(&self.nodes), root: place }
    }

    pub(in crate::toolcall) fn root(&self) -> NodeId {
        self.root
    }

    /// The types of a property; none for one that is not declared.
    pub(in crate::toolcall) fn types(&self, name: &str) -> Types {
        self.types_at(self.member(self.root, name))
    }

    /// The types at a place.
    pub(in crate::toolcall) fn types_at(&self, place: NodeId) -> Types {
        self.node(place).map(|node| node.types).unwrap_or_default()
    }

    /// The place of a member of an object.
    pub(in crate::toolcall) fn member(&self, object: NodeId, name: &str) -> NodeId {
        self.node(object).map_or(UNKNOWN, |node| node.members.get(name).copied().unwrap_or(node.additional))
    }

    /// The place of an item of a list.
    pub(in crate::toolcall) fn item(&self, list: NodeId, index: usize) -> NodeId {
        self.node(list).map_or(UNKNOWN, |node| node.first.get(index).copied().unwrap_or(node.items))
    }

    fn node(&self, place: NodeId) -> Option<&Node> {
        self.nodes.get(place as usize)
    }
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
    pub(in crate::toolcall) fn new<'t>(tools: impl Iterator<Item = (&'t str, &'t Value)>) -> Self {
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
    pub(in crate::toolcall) fn properties(&self, name: &str) -> Properties {
        self.0.iter().find(|(known, _)| known == name).map(|(_, properties)| properties.clone()).unwrap_or_default()
    }

    /// The names.
    pub(in crate::toolcall) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hostile_schemas_come_to_an_end() {
        let doubled: serde_json::Map<_, _> = (0..60)
            .map(|number| {
                let next = json!({"$ref": format!("#/$defs/a{}", number + 1)});
                let part = |name: &str| json!({"properties": {name: next, "x": next}});
                (format!("a{number}"), json!({"anyOf": [next, next, part("y"), part("z")]}))
            })
            .collect();
        let wide: serde_json::Map<_, _> = (0..3000).map(|number| (number.to_string(), json!({"$ref": "#"}))).collect();
        for schema in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}], "items": {"$ref": "#"}}),
            json!({"$ref": "#/$defs/a0", "$defs": doubled}),
            json!({"properties": wide, "additionalProperties": {"$ref": "#"}, "anyOf": [{"properties": wide}]}),
        ] {
            let properties = Properties::of(&schema);
            assert!(properties.nodes.len() <= 4_096);
            properties.types("x");
        }
    }

    #[test]
    fn places_inside_are_known() {
        let schema = json!({"$defs": {"tree": {"type": "object", "properties": {
            "n": {"type": "integer"}, "of": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}},
            "properties": {"t": {"$ref": "#/$defs/tree"}, "p": {"prefixItems": [{"type": "null"}], "items": {"type": "boolean"}},
                "m": {"additionalProperties": {"type": "number"}}, "any": {"patternProperties": {"x": {}}, "additionalProperties": {"type": "null"}},
                "u": {"oneOf": [{"properties": {"v": {"type": "integer"}}}, {"additionalProperties": {"type": "string"}}]}}});
        let all = Properties::of(&schema);
        let at = |path: &[&str]| {
            let step = |place, name: &&str| match name.parse() {
                Ok(index) => all.item(place, index),
                Err(_) => all.member(place, name),
            };
            all.types_at(path.iter().fold(all.root(), step))
        };
        assert!(at(&["t", "of", "0", "of", "7", "n"]).integer);
        assert!(at(&["p", "0"]).null && at(&["p", "1"]).boolean && at(&["p"]).array);
        assert!(at(&["m", "whatever"]).number && at(&["any", "x"]).is_unknown());
        assert!(at(&["u", "v"]).integer && at(&["u", "v"]).string && at(&["u", "w"]).is_string());
        assert!(at(&["t", "none", "n"]).is_unknown() && at(&["none"]).is_unknown());
    }
}
