//! The order of tools, and the bytes of their schemas, as a model has seen them last.
//!
//! Templates write the tools ahead of the dialogue. Clients sort theirs, load more on the way, and lose some
//! for a while; each of these changes everything behind it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::toolcall::schema::Properties;

/// The most tools that are remembered; Claude Code has a few dozen, with MCP servers some hundred.
const MAX_TOOLS: usize = 1_024;

/// The most bytes of schemas that are remembered.
const MAX_SCHEMA_BYTES: usize = 512 << 10;

/// Tools with longer names are not remembered; servers take 64 characters.
const MAX_NAME: usize = 256;

/// Tools in their order. Those that are gone for now keep their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToolList {
    tools: Vec<Arc<KnownTool>>,
    schema_bytes: usize,
}

/// A tool as the client defines it.
#[derive(Debug)]
pub(crate) struct KnownTool {
    pub(crate) name: Box<str>,
    /// Empty where the schemas of a list take too much room.
    pub(crate) schema: Arc<str>,
    properties: OnceLock<Properties>,
}

impl KnownTool {
    pub(crate) fn new(name: &str, schema: &str) -> Self {
        KnownTool { name: name.into(), schema: schema.into(), properties: OnceLock::new() }
    }

    /// What the schema says of the properties; read when it is first asked for.
    pub(crate) fn properties(&self) -> &Properties {
        self.properties.get_or_init(|| match serde_json::from_str::<Value>(&self.schema) {
            Ok(schema) => Properties::of(&schema),
            Err(_) => Properties::default(),
        })
    }
}

impl ToolList {
    pub(crate) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        // What is read from a schema takes about as much again.
        2 * self.schema_bytes + self.tools.len() * (MAX_NAME + size_of::<KnownTool>())
    }

    /// The tool at a place.
    pub(crate) fn at(&self, place: usize) -> Option<&Arc<KnownTool>> {
        self.tools.get(place)
    }

    /// The place of each tool.
    pub(crate) fn places(&self) -> HashMap<&str, usize> {
        self.tools.iter().enumerate().map(|(place, tool)| (&*tool.name, place)).collect()
    }

    /// Whether these tools, names with schemas, stand at its beginning as they are: so they mostly do.
    pub(crate) fn begins_with<'n>(&self, tools: impl ExactSizeIterator<Item = (Cow<'n, str>, &'n str)>) -> bool {
        let count = tools.len();
        let mut pairs = self.tools.iter().zip(tools);
        count <= self.tools.len()
            && pairs.all(|(known, (name, schema))| *known.name == *name && *known.schema == *schema)
    }

    /// The bytes that a tool's schema had before, where this one says the same in other bytes.
    pub(crate) fn same_schema(&self, place: usize, schema: &str) -> Option<&Arc<str>> {
        let known = &self.tools.get(place)?.schema;
        if known.is_empty() || **known == *schema {
            return None;
        }
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        // Objects are equal whatever the order of their keys.
        (read(known)? == read(schema)?).then_some(known)
    }

    /// The tools of these names alone: what a conversation begins with.
    pub(crate) fn only(&self, names: &[Cow<'_, str>]) -> Self {
        let names: HashSet<&str> = names.iter().map(AsRef::as_ref).collect();
        let tools: Vec<Arc<KnownTool>> =
            self.tools.iter().filter(|known| names.contains(&*known.name)).cloned().collect();
        let schema_bytes = tools.iter().map(|known| known.schema.len()).sum();
        ToolList { tools, schema_bytes }
    }

    /// The list after a request has offered these, names with schemas; `None` when nothing is new.
    pub(crate) fn after<'n>(&self, offered: &[(&'n str, &'n str)]) -> Option<Self> {
        let places = self.places();
        let is_known = |(name, schema): &(&str, &str)| {
            let known = places.get(name).and_then(|place| self.tools.get(*place));
            known.is_some_and(|known| known.schema.is_empty() || *known.schema == **schema)
        };
        if offered.iter().all(is_known) {
            return None;
        }
        let mut list = self.clone();
        for (name, schema) in offered.iter().filter(|(name, _)| name.len() <= MAX_NAME) {
            let schema = if list.schema_bytes + schema.len() > MAX_SCHEMA_BYTES { "" } else { schema };
            if let Some(known) = places.get(name).and_then(|place| list.tools.get_mut(*place)) {
                list.schema_bytes = list.schema_bytes - known.schema.len() + schema.len();
                if *known.schema != *schema {
                    *known = Arc::new(KnownTool::new(name, schema));
                }
            } else if list.tools.len() < MAX_TOOLS {
                list.schema_bytes += schema.len();
                list.tools.push(Arc::new(KnownTool::new(name, schema)));
            }
        }
        Some(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &ToolList) -> String {
        list.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn new_tools_go_to_the_end_and_gone_ones_keep_their_places() {
        let list = ToolList::default().after(&[("b", "{}"), ("a", "{}")]).unwrap();
        assert!(list.after(&[("a", "{}"), ("b", "{}")]).is_none() && list.after(&[("b", "{}")]).is_none());
        let list = list.after(&[("a", "{}"), ("c", "{}")]).unwrap();
        assert_eq!(names(&list), "b a c");
        assert_eq!(list.places()["c"], 2);
        assert_eq!(names(&list.only(&["c".into(), "b".into(), "x".into()])), "b c");
    }

    #[test]
    fn a_schema_that_says_the_same_keeps_its_bytes() {
        let known = r#"{"type":"object","properties":{"a":{},"b":{}}}"#;
        let list = ToolList::default().after(&[("t", known)]).unwrap();
        let turned = r#"{"properties":{"b":{},"a":{}}, "type":"object"}"#;
        assert_eq!(list.same_schema(0, turned).unwrap().as_ref(), known);
        for other in [known, r#"{"type":"object","properties":{"a":{}}}"#, "{"] {
            assert!(list.same_schema(0, other).is_none(), "{other}");
        }
        let list = list.after(&[("t", r#"{"type":"object"}"#)]).unwrap();
        assert!(list.same_schema(0, turned).is_none(), "a changed schema is a new one");
        assert_eq!(list.schema_bytes, r#"{"type":"object"}"#.len());
    }

    #[test]
    fn the_list_is_bounded() {
        let many: Vec<String> = (0..MAX_TOOLS + 9).map(|number| number.to_string()).collect();
        let schema = format!("{{\"a\":\"{}\"}}", "x".repeat(2000));
        let offered: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), schema.as_str())).collect();
        let list = ToolList::default().after(&offered).unwrap();
        assert_eq!(list.tools.len(), MAX_TOOLS);
        let long = "n".repeat(MAX_NAME + 1);
        assert!(ToolList::default().after(&[(&long, "{}")]).unwrap().is_empty());
        assert!(list.schema_bytes <= MAX_SCHEMA_BYTES);
    }
}
