use serde_json::{Value, json};

use super::*;

fn ask(request: &Value) -> DemoAnswer {
    answer(request.to_string().as_bytes())
}

fn prompt(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": text}]})
}

fn with_tools(text: &str, tools: Value) -> Value {
    let mut request = prompt(text);
    request["tools"] = tools;
    request
}

#[allow(clippy::needless_pass_by_value)] // keeps the calls below short
fn tool(name: &str, parameters: Value) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": parameters}})
}

fn bash() -> Value {
    let properties =
        json!({"command": {"type": "string"}, "description": {"type": "string"}, "timeout": {"type": "number"}});
    tool("Bash", json!({"type": "object", "properties": properties, "required": ["command"]}))
}

fn message(answer: &DemoAnswer) -> Value {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["choices"][0]["message"].clone()
}

fn text(answer: &DemoAnswer) -> String {
    message(answer)["content"].as_str().unwrap().to_owned()
}

fn call(request: &Value) -> Option<(String, Value)> {
    let message = message(&ask(request));
    let function = message.get("tool_calls")?[0]["function"].clone();
    Some((function["name"].as_str()?.to_owned(), serde_json::from_str(function["arguments"].as_str()?).ok()?))
}

/// Puts a stream together again as a client would.
fn joined(answer: &DemoAnswer) -> (Value, Vec<Value>) {
    let (mut content, mut reasoning, mut arguments) = (String::new(), String::new(), String::new());
    let (mut name, mut id, mut finish) = (Value::Null, Value::Null, Value::Null);
    let mut chunks = Vec::new();
    for (index, event) in answer.chunks.iter().enumerate() {
        let event = std::str::from_utf8(event).unwrap();
        let data = event.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(!data.contains('\n'));
        if data == "[DONE]" {
            assert_eq!(index + 1, answer.chunks.len());
            break;
        }
        let chunk: Value = serde_json::from_str(data).unwrap();
        for choice in chunk["choices"].as_array().unwrap() {
            let delta = &choice["delta"];
            content.push_str(delta["content"].as_str().unwrap_or(""));
            reasoning.push_str(delta["reasoning_content"].as_str().unwrap_or(""));
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                arguments.push_str(call["function"]["arguments"].as_str().unwrap());
                if call.get("id").is_some() {
                    (name, id) = (call["function"]["name"].clone(), call["id"].clone());
                }
            }
            if !choice["finish_reason"].is_null() {
                finish = choice["finish_reason"].clone();
            }
        }
        chunks.push(chunk);
    }
    let mut whole = json!({"role": "assistant", "content": content, "finish_reason": finish});
    if !reasoning.is_empty() {
        whole["reasoning_content"] = reasoning.into();
    }
    if !name.is_null() {
        whole["tool_calls"] =
            json!([{"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]);
    }
    (whole, chunks)
}

#[test]
fn it_says_what_it_is_and_what_was_asked() {
    let said = text(&ask(&prompt(&format!("Why is the sky blue? {}", "x".repeat(200)))));
    assert!(said.contains("not a language model"));
    assert!(said.contains("You asked: \"Why is the sky blue? xxx"));
    assert!(said.contains("...\""));
    assert!(said.contains("anyclaude serve --backend mlx-lm --backend-url http://127.0.0.1:8080/v1"));
}

#[test]
fn reminders_are_no_question() {
    let parts = json!([
        {"type": "text", "text": "<system-reminder>use a tool\nand think</system-reminder>"},
        {"type": "text", "text": "Hello <system-reminder>x</system-reminder>there"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]);
    let request = json!({"messages": [{"role": "user", "content": parts}], "tools": [bash()]});
    assert!(text(&ask(&request)).contains("\"Hello there\""));
    assert_eq!(call(&request), None);
    assert!(text(&ask(&prompt("<system-reminder>never closed"))).contains("You asked nothing."));
}

#[test]
fn stream_and_body_say_the_same() {
    for words in ["Hi", "think hard", "use a tool", "think and use a tool, ünïcödé 🦀 and more than one piece"] {
        let mut request = with_tools(words, json!([bash()]));
        request["stream"] = true.into();
        request["stream_options"] = json!({"include_usage": true});
        let answer = ask(&request);
        assert!(answer.stream);
        let (mut whole, chunks) = joined(&answer);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(whole["finish_reason"], body["choices"][0]["finish_reason"]);
        whole.as_object_mut().unwrap().remove("finish_reason");
        assert_eq!(whole, body["choices"][0]["message"]);
        let last = chunks.last().unwrap();
        assert_eq!(last["choices"], json!([]));
        assert_eq!(last["usage"], body["usage"]);
        assert_eq!(answer, ask(&request), "same request, same answer");
    }
}

#[test]
fn usage_is_streamed_only_if_asked_for() {
    let mut request = prompt("Hi");
    request["stream"] = true.into();
    let (_, chunks) = joined(&ask(&request));
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn thinking_is_shown_when_asked_for() {
    assert!(message(&ask(&prompt("Think about it."))).get("reasoning_content").is_some());
    assert!(message(&ask(&prompt("rethinking"))).get("reasoning_content").is_none());
}

#[test]
fn bash_only_echoes() {
    let tools = json!([
        tool("Read", json!({"required": ["file_path"], "properties": {"file_path": {"type": "string"}}})),
        bash()
    ]);
    for words in ["please use a tool", "run bash", "Use Bash to delete everything"] {
        let (name, arguments) = call(&with_tools(words, tools.clone())).unwrap();
        assert_eq!(name, "Bash");
        assert!(arguments["command"].as_str().unwrap().starts_with("echo "));
        assert_eq!(arguments.as_object().unwrap().len(), 2);
    }
    assert_eq!(call(&with_tools("what is bash?", tools.clone())), None);
    assert_eq!(call(&with_tools("toolbox", tools)), None);
    assert_eq!(call(&prompt("use a tool")), None);
}

#[test]
fn other_tools_are_filled_by_type() {
    let properties = json!({
        "city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}, "days": {"type": "integer", "minimum": 2},
        "exact": {"type": ["null", "boolean"]}, "mode": {"const": "fast"}, "optional": {"type": "array"},
    });
    let weather =
        tool("get_weather", json!({"properties": properties, "required": ["city", "unit", "days", "exact", "mode"]}));
    let list = tool("listing", json!({"properties": {"items": {"type": "array"}}, "required": ["items"]}));
    let bare = tool("ping", Value::Null);
    let arguments = json!({"city": "demo", "unit": "celsius", "days": 2, "exact": false, "mode": "fast"});
    assert_eq!(call(&with_tools("use a tool", json!([list, weather]))), Some(("get_weather".into(), arguments)));
    assert_eq!(call(&with_tools("call ping", json!([list, bare]))), Some(("ping".into(), json!({}))));
    assert_eq!(call(&with_tools("use a tool", json!([list]))), None);
}

#[test]
fn tools_that_change_something_are_called_only_when_forced() {
    let write = tool("Write", json!({"properties": {"path": {"type": "string"}}, "required": ["path"]}));
    assert_eq!(call(&with_tools("use Write, the tool", json!([write]))), None);
    let mut forced = with_tools("hi", json!([write, bash()]));
    forced["tool_choice"] = json!({"type": "function", "function": {"name": "Write"}});
    assert_eq!(call(&forced).unwrap().0, "Write");
    forced["tool_choice"] = "required".into();
    assert_eq!(call(&forced).unwrap().0, "Bash");
    forced["tool_choice"] = "none".into();
    assert_eq!(call(&forced), None);
}

#[test]
fn a_tool_result_is_quoted() {
    let mut request = with_tools("use a tool", json!([bash()]));
    let messages = request["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}]}));
    messages.push(json!({"role": "tool", "tool_call_id": "c", "content": format!("hello\n{}", "y".repeat(500))}));
    messages.push(json!({"role": "user", "content": "<system-reminder>x</system-reminder>"}));
    let said = text(&ask(&request));
    assert!(said.contains("The tool answered: \"hello yyy"), "{said}");
    assert!(said.contains(&"y".repeat(194)) && !said.contains(&"y".repeat(195)));
    assert_eq!(call(&request), None);
}

#[test]
fn malformed_requests_get_an_openai_error() {
    let deep = format!("{{\"messages\":{}", "[".repeat(5000));
    for body in
        ["", "{", "[]", "null", "{}", r#"{"messages":[]}"#, r#"{"messages":"x"}"#, r#"{"messages":[1]}"#, deep.as_str()]
    {
        let answer = answer(body.as_bytes());
        assert_eq!(answer.status, 400, "{body:.40}");
        assert!(answer.chunks.is_empty());
        let error: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(error["error"]["type"], "invalid_request_error");
    }
}

#[test]
fn odd_fields_do_no_harm() {
    let odd = json!({
        "model": 7, "stream": null, "stream_options": [], "tools": [1, {"function": {}}, {"function": {"name": "t", "parameters": [1]}}],
        "tool_choice": {"type": "auto"}, "messages": [{"role": "user", "content": [1, "use a tool", {"text": 2}]}, {"role": "odd"}],
    });
    assert_eq!(call(&odd), Some(("t".into(), json!({}))));
    let body = odd.to_string();
    for end in 0..body.len() {
        let _ = answer(&body.as_bytes()[..end]);
    }
}
