//! Requests that say the same in another form, or nearly the same.

use serde_json::{Map, Value, json};

/// How far the list of tools is turned.
const TURNED: usize = 5;

/// The same tools in another order.
pub(super) fn turn_tools(body: &mut Value) {
    if let Some(tools) = list(body, "tools") {
        let by = TURNED.min(tools.len());
        tools.rotate_left(by);
    }
}

/// One more tool, in the middle of the list.
pub(super) fn add_tool(body: &mut Value, tool: &Value) {
    if let Some(tools) = list(body, "tools") {
        let middle = tools.len() / 2;
        tools.insert(middle, tool.clone());
    }
}

/// The same request with keys in another order, texts as lists and lists as texts, and cache markers elsewhere.
pub(super) fn reform(body: &mut Value) {
    for tool in list(body, "tools").into_iter().flatten() {
        reverse(tool);
    }
    for block in list(body, "system").into_iter().flatten() {
        unmark(block);
        reverse(block);
    }
    let messages = list(body, "messages");
    for (index, message) in messages.into_iter().flatten().enumerate() {
        let Some(content) = message.get_mut("content") else { continue };
        for block in content.as_array_mut().into_iter().flatten() {
            unmark(block);
            if let Some(result) = block.get_mut("content") {
                swap(result);
            }
            reverse(block);
        }
        swap(content);
        if let Some(first) = content.get_mut(0).and_then(Value::as_object_mut).filter(|_| index == 0) {
            first.insert("cache_control".to_owned(), json!({"type": "ephemeral"}));
        }
    }
}

fn list<'v>(body: &'v mut Value, key: &str) -> Option<&'v mut Vec<Value>> {
    body.get_mut(key).and_then(Value::as_array_mut)
}

/// A text becomes a list of one block, and such a list becomes a text.
fn swap(content: &mut Value) {
    let swapped = match &*content {
        Value::String(text) => json!([{"text": text, "type": "text"}]),
        Value::Array(blocks) => match blocks.as_slice() {
            [Value::Object(block)] if block.get("type").is_some_and(|kind| kind == "text") => {
                block.get("text").cloned().unwrap_or_default()
            }
            _ => return,
        },
        _ => return,
    };
    *content = swapped;
}

fn unmark(block: &mut Value) {
    if let Some(fields) = block.as_object_mut() {
        fields.shift_remove("cache_control");
    }
}

/// The last key first; what stands inside of the values stays as it is.
fn reverse(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        *fields = std::mem::take(fields).into_iter().rev().collect::<Map<_, _>>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_change_and_what_is_said_does_not() {
        let mut body = json!({
            "system": [{"type": "text", "text": "s", "cache_control": {}}],
            "tools": [{"name": "A", "description": "d", "input_schema": {"type": "object", "properties": {}}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "system", "content": "c"},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "r"}]},
                {"role": "user", "content": [{"type": "text", "text": "d", "cache_control": {}}]},
            ],
        });
        reform(&mut body);
        let wanted = r#"{"system":[{"text":"s","type":"text"}],"#.to_owned()
            + r#""tools":[{"input_schema":{"type":"object","properties":{}},"description":"d","name":"A"}],"#
            + r#""messages":[{"role":"user","content":[{"text":"a","type":"text","cache_control":{"type":"ephemeral"}},"#
            + r#"{"text":"b","type":"text"}]},{"role":"system","content":[{"text":"c","type":"text"}]},"#
            + r#"{"role":"user","content":[{"content":[{"text":"r","type":"text"}],"tool_use_id":"1","type":"tool_result"}]},"#
            + r#"{"role":"user","content":"d"}]}"#;
        assert_eq!(body.to_string(), wanted);
    }

    #[test]
    fn tools_turn_and_grow_in_the_middle() {
        let mut body = json!({"tools": [1, 2, 3, 4, 5, 6]});
        turn_tools(&mut body);
        assert_eq!(body, json!({"tools": [6, 1, 2, 3, 4, 5]}));
        add_tool(&mut body, &json!(0));
        assert_eq!(body, json!({"tools": [6, 1, 2, 0, 3, 4, 5]}));
    }
}
