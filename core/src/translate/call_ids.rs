//! Ids of calls in the form that a family's chat templates want: Mistral's refuse any other.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::context::backend_name;
use super::conversation::{Conversation, Turn};
use crate::toolcall::{CallIds, Format};
use crate::wire::JsonText;

/// Characters of Mistral's ids.
const NINE: usize = 9;

/// Gives the calls of a dialogue, and their results, the ids that the model of these formats knows. They depend on
/// the client's ids and on what came before alone, so they are the same in every request.
pub(super) fn apply(conversation: &mut Conversation<'_>, formats: &[&'static Format]) {
    let form = formats.first().map_or(CallIds::Any, |format| format.ids);
    if form == CallIds::Any {
        return;
    }
    let mut count = 0;
    let mut known: HashMap<String, JsonText<'static>> = HashMap::new();
    for turn in &mut conversation.turns {
        match turn {
            Turn::Assistant(turn) => {
                for call in &mut turn.calls {
                    let id = call.id.decode().into_owned();
                    let name = call.name.decode();
                    let new = match form {
                        CallIds::Numbered => {
                            let name = backend_name(&name).unwrap_or_else(|| name.into_owned());
                            JsonText::from_plain(&format!("functions.{name}:{count}"))
                        }
                        CallIds::Nine | CallIds::Any => JsonText::from_plain(&nine(&id)),
                    };
                    count += 1;
                    known.insert(id, new.clone());
                    call.id = new;
                }
            }
            Turn::User(turn) => {
                for result in &mut turn.results {
                    if let Some(new) = known.get(result.id.decode().as_ref()) {
                        result.id = new.clone();
                    }
                }
            }
        }
    }
}

/// Nine letters and digits that stand for an id.
fn nine(id: &str) -> String {
    if id.len() == NINE && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digit = |byte: u8| char::from(DIGITS.get(usize::from(byte) % DIGITS.len()).copied().unwrap_or(b'0'));
    Sha256::digest(id.as_bytes()).iter().take(NINE).map(|byte| digit(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use crate::{Options, RequestMeta, Translator, backend};
    use serde_json::{Value, json};

    fn ids(model: &str) -> Vec<Value> {
        let options = Options { model: Some(model.to_owned()), ..Options::default() };
        let translator = Translator::new(*backend::by_name("openai").unwrap(), options);
        let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "Bash", "input": {}});
        let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "x"});
        let body = json!({"model": "claude-x", "max_tokens": 9, "messages": [
            {"role": "user", "content": "Go."},
            {"role": "assistant", "content": [call("toolu_a"), call("toolu_b")]},
            {"role": "user", "content": [result("toolu_a"), result("toolu_b")]},
            {"role": "assistant", "content": [call("Abc123xyZ")]},
            {"role": "user", "content": [result("Abc123xyZ")]}]});
        let body = translator.request_json(body.to_string().as_bytes(), &RequestMeta::default()).unwrap().body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let messages = body["messages"].as_array().unwrap();
        let calls = messages.iter().flat_map(|message| message["tool_calls"].as_array().into_iter().flatten());
        let calls: Vec<Value> = calls.map(|call| call["id"].clone()).collect();
        let results: Vec<Value> =
            messages.iter().map(|message| message["tool_call_id"].clone()).filter(|id| !id.is_null()).collect();
        assert_eq!(calls, results);
        calls
    }

    #[test]
    fn families_get_the_ids_they_know() {
        assert_eq!(ids("qwen3-8b"), ["toolu_a", "toolu_b", "Abc123xyZ"]);
        assert_eq!(ids("kimi-k2"), ["functions.Bash:0", "functions.Bash:1", "functions.Bash:2"]);
        let mistral = ids("mistral-small");
        let is_fit = |id: &Value| {
            id.as_str().is_some_and(|id| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        };
        assert!(mistral.iter().all(is_fit) && mistral[0] != mistral[1] && mistral[2] == "Abc123xyZ", "{mistral:?}");
    }
}
