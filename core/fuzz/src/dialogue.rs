//! What every server may demand of a chat-completions request.

use serde_json::Value;

/// Checks a translated body.
pub fn check_request(body: &[u8]) {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        // Schemas pass through as they are, deeper than the checking parser goes.
        Err(error) if error.to_string().starts_with("recursion limit exceeded") => return,
        Err(error) => panic!("the body is not JSON: {error}\n{}", String::from_utf8_lossy(body)),
    };
    no_cache_control(&value);
    let messages = value["messages"].as_array().expect("messages");
    assert!(!messages.is_empty(), "no messages");
    follow(messages);
}

/// Results come right after the message that makes their calls, each call answered once.
fn follow(messages: &[Value]) {
    let mut open: Vec<&Value> = Vec::new();
    for message in messages {
        match message["role"].as_str().expect("a role") {
            "tool" => {
                let id = &message["tool_call_id"];
                let place = open.iter().position(|open| *open == id).expect("a result follows its call");
                open.swap_remove(place);
            }
            "assistant" => {
                assert!(open.is_empty(), "calls are left without a result");
                let calls = message["tool_calls"].as_array();
                for call in calls.into_iter().flatten() {
                    open.push(&call["id"]);
                    let arguments = call["function"]["arguments"].as_str().expect("arguments are text");
                    serde_json::from_str::<&serde_json::value::RawValue>(arguments).expect("arguments hold JSON");
                }
            }
            "system" | "user" => assert!(open.is_empty(), "calls are left without a result"),
            other => panic!("role {other:?}"),
        }
    }
    assert!(open.is_empty(), "the last calls are left without a result");
}

/// Servers refuse keys that they do not know, and this one is Anthropic's. What the client says in
/// values of its own shape is its own affair: schemas and sampling parameters pass through untouched.
fn no_cache_control(value: &Value) {
    const PASSED_ON: &[&str] = &["parameters", "schema", "temperature", "top_p", "top_k"];
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                assert_ne!(key, "cache_control");
                if !PASSED_ON.contains(&key.as_str()) {
                    no_cache_control(value);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(no_cache_control),
        _ => {}
    }
}
