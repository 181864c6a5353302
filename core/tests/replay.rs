//! A dialogue with a client that changes the form of what it sends back, as Claude Code does: the server gets its own
//! words, and every prompt goes on from the one before it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use anyclaude_core::prefix::Outcome;
use anyclaude_core::{
    Dialect, Options, RequestMeta, Seed, SessionKey, StreamConverter, Timestamp, Translator, backend,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A piece of an answer, as the server sends it.
#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Call(Map<String, Value>),
}

#[derive(Clone, Debug)]
struct Answer {
    thinking: String,
    pieces: Vec<Piece>,
}

fn text() -> impl Strategy<Value = String> {
    // Models say the same again and again, with other blanks around it.
    let again = prop_oneof![Just("Done."), Just("\n\nDone."), Just("Done.\n"), Just("Do ne.")].prop_map(str::to_owned);
    prop_oneof![1 => "[a-zé \n\"\\\\]{0,9}", 1 => again]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![text().prop_map(Value::from), any::<i32>().prop_map(Value::from), any::<bool>().prop_map(Value::from)]
}

fn answer() -> impl Strategy<Value = Answer> {
    let call = proptest::collection::btree_map("[a-c]", value(), 0..3)
        .prop_map(|arguments| Piece::Call(arguments.into_iter().collect()));
    let piece = prop_oneof![2 => text().prop_map(Piece::Text), 1 => call];
    (text(), proptest::collection::vec(piece, 1..5)).prop_map(|(thinking, pieces)| Answer { thinking, pieces })
}

impl Answer {
    fn text(&self) -> String {
        self.pieces.iter().map(|piece| if let Piece::Text(text) = piece { text.as_str() } else { "" }).collect()
    }

    /// Arguments as the model writes them: with blanks that no serializer makes.
    fn arguments(&self) -> Vec<String> {
        let calls =
            self.pieces.iter().filter_map(|piece| if let Piece::Call(call) = piece { Some(call) } else { None });
        calls.map(|call| Value::Object(call.clone()).to_string().replacen('{', "{ ", 1)).collect()
    }

    fn chunks(&self) -> Vec<Value> {
        let mut chunks = vec![json!({"choices": [{"delta": {"reasoning_content": self.thinking}}]})];
        let mut arguments = self.arguments().into_iter().enumerate();
        for piece in &self.pieces {
            chunks.push(match piece {
                Piece::Text(text) => json!({"choices": [{"delta": {"content": text}}]}),
                Piece::Call(_) => {
                    let (index, arguments) = arguments.next().unwrap();
                    json!({"choices": [{"delta": {"tool_calls": [{"index": index, "id": format!("c{index}"),
                        "type": "function", "function": {"name": "Bash", "arguments": arguments}}]}}]})
                }
            });
        }
        chunks.push(json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}));
        chunks
    }
}

/// The blocks of a message stream, as a client keeps them: no blank text, arguments with a key more.
fn echo(stream: &str) -> Vec<Value> {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let mut blocks: Vec<Value> = Vec::new();
    for event in events.map(|data| serde_json::from_str::<Value>(data).unwrap()) {
        let delta = |key: &str| event["delta"][key].as_str().unwrap().to_owned();
        match event["type"].as_str().unwrap() {
            "content_block_start" => blocks.push(event["content_block"].clone()),
            "content_block_delta" => {
                let block = blocks.last_mut().unwrap();
                let (key, more) = match event["delta"]["type"].as_str().unwrap() {
                    "text_delta" => ("text", delta("text")),
                    "thinking_delta" => ("thinking", delta("thinking")),
                    "signature_delta" => ("signature", delta("signature")),
                    _ => ("json", delta("partial_json")),
                };
                let before = block[key].as_str().unwrap_or_default().to_owned();
                block[key] = (before + &more).into();
            }
            _ => {}
        }
    }
    blocks.retain(|block| block["type"] != "text" || !block["text"].as_str().unwrap().trim().is_empty());
    for block in &mut blocks {
        let Some(json) = block.as_object_mut().unwrap().remove("json") else { continue };
        let input: Map<String, Value> = serde_json::from_str(json.as_str().unwrap()).unwrap();
        block["input"] = Value::Object([("added".to_owned(), false.into())].into_iter().chain(input).collect());
    }
    blocks
}

proptest! {
    #[test]
    fn the_server_gets_its_own_words(
        answers in proptest::collection::vec(answer(), 1..5),
        dialect in prop_oneof![Just(Dialect::Chat), Just(Dialect::Messages)],
    ) {
        // A server of the Messages API is only spoken to: its answers would need another script.
        let replays = dialect == Dialect::Chat;
        let mut options = Options::default();
        options.dialect = dialect;
        let translator = Translator::new(*backend::by_name("llama.cpp").unwrap(), options);
        let mut messages = vec![json!({"role": "user", "content": "Begin."})];
        let mut before: Vec<Value> = Vec::new();
        for (number, answer) in answers.iter().enumerate() {
            // Half of a dialogue has no text at all: an answer of nothing is left out by clients and servers.
            prop_assume!(!answer.text().trim().is_empty() || !answer.arguments().is_empty());
            let meta = RequestMeta {
                session: SessionKey { session: "s".to_owned(), agent: String::new() },
                seed: Seed(number as u128 + 1),
                now: Timestamp(number as u64),
                ..RequestMeta::default()
            };
            let request = json!({"model": "claude-x", "max_tokens": 9, "stream": true, "messages": messages});
            let translated = translator.request_json(request.to_string().as_bytes(), &meta).unwrap();
            let body: Value = serde_json::from_slice(&translated.body).unwrap();
            let sent = body["messages"].as_array().unwrap().clone();
            prop_assert!(sent.starts_with(&before));
            if let (true, Some(said)) = (replays, number.checked_sub(1).map(|last| &answers[last])) {
                let last = sent.iter().rfind(|message| message["role"] == "assistant").unwrap();
                prop_assert_eq!(last["content"].as_str().unwrap_or_default(), said.text());
                let calls = last["tool_calls"].as_array().cloned().unwrap_or_default();
                let arguments: Vec<&str> =
                    calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
                prop_assert_eq!(arguments, said.arguments());
                let thought = last["reasoning_content"].as_str().unwrap_or_default();
                prop_assert!(thought == said.thinking || said.thinking.trim().is_empty());
            }
            let mut context = translated.context;
            context.dialect = Dialect::Chat;
            let mut converter = StreamConverter::new(context.clone());
            let mut out = Vec::new();
            for chunk in answer.chunks() {
                converter.push_chunk(chunk.to_string().as_bytes(), &mut out);
            }
            let turn = converter.finish(&mut out);
            let report = translator.record(&context, &turn, meta.now).unwrap();
            prop_assert_eq!(report.outcome, if number == 0 { Outcome::First } else { Outcome::Extended });
            let blocks = echo(std::str::from_utf8(&out).unwrap());
            let results: Vec<Value> = blocks.iter().filter(|block| block["type"] == "tool_use")
                .map(|block| json!({"type": "tool_result", "tool_use_id": block["id"], "content": "ok"})).collect();
            messages.push(json!({"role": "assistant", "content": blocks}));
            messages.push(if results.is_empty() {
                json!({"role": "user", "content": format!("On {number}.")})
            } else {
                json!({"role": "user", "content": results})
            });
            before = sent;
        }
    }
}
