//! The tools of one request, for what the answer is to be read with.

use std::sync::{Arc, OnceLock};

use super::context::backend_name;
use crate::session::KnownTool;
use crate::toolcall::schema::Tools;

/// The tools that a request offers, in the order in which the backend sees them. Cheap to clone. What is read from
/// their schemas is shared with the requests before and after it that offer the same tools.
#[derive(Clone, Debug, Default)]
pub(crate) struct OfferedTools(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tools: Vec<Arc<KnownTool>>,
    typed: OnceLock<Tools>,
}

impl FromIterator<Arc<KnownTool>> for OfferedTools {
    fn from_iter<I: IntoIterator<Item = Arc<KnownTool>>>(tools: I) -> Self {
        OfferedTools(Arc::new(Inner { tools: tools.into_iter().collect(), typed: OnceLock::new() }))
    }
}

impl OfferedTools {
    #[cfg_attr(not(feature = "schemas"), allow(dead_code))]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.tools.is_empty()
    }

    /// The client's names, and the schemas as the client wrote them.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.tools.iter().map(|tool| (&*tool.name, &*tool.schema))
    }

    /// What the types of their properties are, under the names that the backend knows the tools by.
    pub(crate) fn typed(&self) -> &Tools {
        self.0.typed.get_or_init(|| {
            let named = |tool: &Arc<KnownTool>| {
                let name = backend_name(&tool.name).unwrap_or_else(|| tool.name.to_string());
                (name, tool.properties().clone())
            };
            self.0.tools.iter().map(named).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionKey;
    use crate::{Options, RequestMeta, Translator};
    use serde_json::{Value, json};

    fn tool(name: &str, property: &str) -> Value {
        json!({"name": name, "input_schema": {"type": "object", "properties": {property: {"type": "integer"}}}})
    }

    fn offered(translator: &Translator, tools: &[Value]) -> OfferedTools {
        let key = SessionKey { session: "s".to_owned(), agent: String::new() };
        let meta = RequestMeta { session: key, ..RequestMeta::default() };
        let body =
            json!({"model": "m", "max_tokens": 9, "tools": tools, "messages": [{"role": "user", "content": "x"}]});
        translator.request_json(body.to_string().as_bytes(), &meta).unwrap().context.tools
    }

    fn names(tools: &OfferedTools) -> Vec<&str> {
        tools.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_offered_now_is_there_and_read_once() {
        let translator = Translator::new(*crate::backend::by_name("openai").unwrap(), Options::default());
        let (a, b, odd) = (tool("a", "x"), tool("b", "y"), tool("odd.name", "z"));
        let first = offered(&translator, &[a.clone(), b.clone()]);
        assert!(names(&first) == ["a", "b"] && !first.is_empty());
        // One is gone, another new: those that stay are the same.
        let second = offered(&translator, &[odd.clone(), b.clone()]);
        assert_eq!(names(&second), ["b", "odd.name"]);
        assert!(Arc::ptr_eq(&first.0.tools[1], &second.0.tools[0]));
        assert!(second.typed().declares(&backend_name("odd.name").unwrap()) && !second.typed().declares("odd.name"));
        assert!(!second.typed().declares("a"));
        // A changed schema is another tool.
        let third = offered(&translator, &[tool("b", "other")]);
        assert!(!Arc::ptr_eq(&third.0.tools[0], &second.0.tools[0]));
        assert!(third.iter().all(|(_, schema)| schema.contains("other")));
        assert!(offered(&translator, &[]).is_empty());
    }

    #[test]
    fn tools_without_room_in_the_list_are_offered_all_the_same() {
        let translator = Translator::new(*crate::backend::by_name("openai").unwrap(), Options::default());
        let long = tool("long", &"x".repeat(600 << 10));
        for _ in 0..2 {
            let tools = offered(&translator, &[long.clone(), tool("short", "x")]);
            assert_eq!(names(&tools), ["long", "short"]);
            assert!(tools.iter().all(|(_, schema)| schema.starts_with('{')));
        }
    }
}
