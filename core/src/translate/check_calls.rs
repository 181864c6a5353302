//! Calls that do not fit the tools that were offered.

use serde_json::Value;

use super::context::RequestContext;
use super::request::Translator;
use crate::session::{ToolCallRecord, TurnRecord};

/// A call that its tool will refuse, or read other than the model meant it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallProblem {
    /// The tool, by the client's name.
    pub tool: String,
    /// What is wrong: places and kinds of values, never the values.
    pub messages: Vec<String>,
}

impl Translator {
    /// Checks the calls of a turn against the schemas of the tools that its request offered. What cannot be checked,
    /// a call too long to be kept or a schema that refers elsewhere, is no problem.
    pub fn check_calls(&self, context: &RequestContext, turn: &TurnRecord) -> Vec<CallProblem> {
        if context.tools.is_empty() {
            return Vec::new();
        }
        let problem = |call: &ToolCallRecord| {
            let messages = self.check_call(context, call);
            (!messages.is_empty()).then(|| CallProblem { tool: call.name.clone(), messages })
        };
        turn.tool_calls.iter().filter_map(problem).collect()
    }

    fn check_call(&self, context: &RequestContext, call: &ToolCallRecord) -> Vec<String> {
        let Some((_, schema)) = context.tools.iter().find(|(name, _)| *name == call.name) else {
            return vec!["no tool of this name was offered".to_owned()];
        };
        let Some(arguments) = call.whole_arguments() else { return Vec::new() };
        // A call without arguments is one of an empty object.
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        match serde_json::from_str::<Value>(arguments) {
            Ok(input) if input.is_object() => self.schemas.violations(schema, &input),
            _ => vec!["the arguments are no JSON object".to_owned()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, RequestMeta};
    use serde_json::json;

    #[test]
    fn calls_that_do_not_fit_are_named() {
        let translator = Translator::new(*crate::backend::by_name("openai").unwrap(), Options::default());
        let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
            "tools": [{"name": "odd.name", "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}]});
        let context = translator.request_json(body.to_string().as_bytes(), &RequestMeta::default()).unwrap().context;
        let long = format!("{{\"n\":\"{}\"}}", "x".repeat(crate::session::MAX_KEPT_ARGUMENT_BYTES));
        for (name, arguments, wanted) in [
            ("odd.name", r#"{"n":1}"#, None),
            ("odd.name", "", None),
            ("odd.name", &*long, None),
            ("odd.name", r#"{"n":"1"}"#, Some("/n: a string stands here, wanted is integer")),
            ("odd.name", r#"{"n":"#, Some("the arguments are no JSON object")),
            ("odd.name", "[]", Some("the arguments are no JSON object")),
            ("other", "{}", Some("no tool of this name was offered")),
        ] {
            let mut call = ToolCallRecord::new("id".to_owned(), name.to_owned());
            call.push_arguments(arguments);
            let turn = TurnRecord { tool_calls: vec![call], ..TurnRecord::default() };
            let problems = translator.check_calls(&context, &turn);
            let told: Vec<&str> = problems.iter().flat_map(|problem| &problem.messages).map(String::as_str).collect();
            assert_eq!(
                told,
                wanted.into_iter().collect::<Vec<_>>(),
                "{name} {}",
                &arguments[..arguments.len().min(20)]
            );
            assert!(translator.check_calls(&RequestContext::for_model("m"), &turn).is_empty());
        }
        // The client got something better than what the model wrote.
        let mut call = ToolCallRecord::new("id".to_owned(), "odd.name".to_owned());
        call.push_arguments(r#"{"n":1}"#);
        call.written(r#"{"n":"1"}"#);
        assert_eq!(call.arguments, r#"{"n":"1"}"#);
        let turn = TurnRecord { tool_calls: vec![call], ..TurnRecord::default() };
        assert_eq!(translator.check_calls(&context, &turn), []);
    }
}
