//! What holds for every input: nothing panics, what comes out is well-formed, prompts only grow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use anyclaude_core::wire::ApiError;
use anyclaude_core::{
    Dialect, Options, RequestContext, RequestMeta, SIGNATURE, StreamConverter, Translator, backend, cut_own_thinking,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn translator(name: &str) -> Translator {
    Translator::new(*backend::by_name(name).unwrap(), Options::default())
}

fn translate(name: &str, request: &Value) -> Value {
    translate_in(Dialect::Chat, name, request)
}

fn translate_in(dialect: Dialect, name: &str, request: &Value) -> Value {
    let body = serde_json::to_vec(request).unwrap();
    let mut options = Options::default();
    options.dialect = dialect;
    let translator = Translator::new(*backend::by_name(name).unwrap(), options);
    let translated = translator.request_json(&body, &RequestMeta::default()).unwrap();
    serde_json::from_slice(&translated.body).expect("the body is JSON")
}

/// Text with everything that needs care: quotes, backslashes, control characters, emoji, markers.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z \n\"\\\\]{0,12}", Just("<system-reminder>x</system-reminder>".to_owned())]
}

fn user_block() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(|text| json!({"type": "text", "text": text})),
        1 => Just(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}})),
        1 => text().prop_map(|text| json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}})),
        1 => text().prop_map(|text| json!({"type": "novelty", "what": text})),
    ]
}

/// One step of a dialogue: an answer with calls, their results, and what the user says.
#[derive(Clone, Debug)]
struct Step {
    answer: String,
    thinking: Option<String>,
    calls: usize,
    answered: usize,
    system: Option<String>,
    words: Vec<Value>,
}

fn step() -> impl Strategy<Value = Step> {
    let words = proptest::collection::vec(user_block(), 0..3);
    (text(), proptest::option::of(text()), 0..3usize, 0..3usize, proptest::option::of(text()), words).prop_map(
        |(answer, thinking, calls, answered, system, words)| Step { answer, thinking, calls, answered, system, words },
    )
}

/// The messages of a dialogue after each of its steps.
fn messages(first: &str, system: Option<&str>, steps: &[Step]) -> Vec<Vec<Value>> {
    let mut all = vec![json!({"role": "user", "content": first})];
    all.extend(system.map(|text| json!({"role": "system", "content": text})));
    let mut after_each = vec![all.clone()];
    for (number, step) in steps.iter().enumerate() {
        let mut blocks = Vec::new();
        blocks
            .extend(step.thinking.as_ref().map(|text| json!({"type": "thinking", "thinking": text, "signature": ""})));
        blocks.push(json!({"type": "text", "text": step.answer}));
        let ids: Vec<String> = (0..step.calls).map(|call| format!("toolu_{number}_{call}")).collect();
        blocks.extend(
            ids.iter().map(|id| json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": id}})),
        );
        all.push(json!({"role": "assistant", "content": blocks}));
        let mut blocks: Vec<Value> = ids
            .iter()
            .take(step.answered)
            .map(|id| json!({"type": "tool_result", "tool_use_id": id, "content": step.answer}))
            .collect();
        blocks.extend(step.words.iter().cloned());
        all.push(json!({"role": "user", "content": blocks}));
        all.extend(step.system.as_ref().map(|text| json!({"role": "system", "content": text})));
        after_each.push(all.clone());
    }
    after_each
}

/// What strict servers demand of a dialogue.
fn check_dialogue(messages: &[Value]) {
    assert!(!messages.is_empty());
    let mut open: Vec<&Value> = Vec::new();
    let mut before = "";
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap();
        match role {
            "system" => assert_eq!(at, 0),
            "tool" => {
                let id = &message["tool_call_id"];
                let place = open.iter().position(|open| *open == id).expect("a result follows its call");
                open.remove(place);
                assert!(!message["content"].as_str().unwrap().is_empty());
            }
            "user" | "assistant" => {
                assert!(open.is_empty(), "a call is not answered before {role}");
                assert_ne!(role, before, "two {role} messages in a row");
                let content = &message["content"];
                let calls = message["tool_calls"].as_array();
                assert!(content.is_string() || content.is_array() || (content.is_null() && calls.is_some()));
                for call in calls.into_iter().flatten() {
                    let arguments = call["function"]["arguments"].as_str().unwrap();
                    assert!(serde_json::from_str::<Value>(arguments).unwrap().is_object());
                    open.push(&call["id"]);
                }
            }
            other => panic!("role {other}"),
        }
        before = if role == "tool" { "" } else { role };
    }
    assert!(open.is_empty(), "the last calls are not answered");
}

/// What servers of the Messages API demand of a dialogue.
fn check_native_dialogue(messages: &[Value]) {
    let mut open: Vec<&Value> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        assert_eq!(message["role"], if at % 2 == 0 { "user" } else { "assistant" });
        let Some(blocks) = message["content"].as_array() else {
            assert!(open.is_empty() && !message["content"].as_str().unwrap().is_empty());
            continue;
        };
        assert!(!blocks.is_empty());
        let results = blocks.iter().take_while(|block| block["type"] == "tool_result");
        let ids: Vec<&Value> = results.map(|block| &block["tool_use_id"]).collect();
        assert_eq!(ids, std::mem::take(&mut open), "one result for each call, in their order");
        for block in blocks.iter().skip(ids.len()) {
            match block["type"].as_str().unwrap() {
                "text" => assert!(!block["text"].as_str().unwrap().trim().is_empty()),
                "thinking" => assert_eq!(block["signature"], SIGNATURE),
                "image" => assert_eq!(at % 2, 0),
                "tool_use" => {
                    assert!(block["input"].is_object());
                    open.push(&block["id"]);
                }
                other => panic!("block {other}"),
            }
        }
    }
    assert!(open.is_empty(), "the last calls are not answered");
}

proptest! {
    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = translator("openai").request_json(&bytes, &RequestMeta::default());
        let _ = translator("openai").response_json(&RequestContext::for_model("m"), &bytes);
        let mut out = Vec::new();
        let mut converter = StreamConverter::new(RequestContext::for_model("m"));
        converter.push(&bytes, &mut out);
        converter.finish(&mut out);
        check_events(&out, false);
    }

    #[test]
    fn dialogues_are_what_strict_servers_take(
        first in text(), system in proptest::option::of(text()), steps in proptest::collection::vec(step(), 0..4),
        name in prop_oneof![Just("openai"), Just("mlx-lm"), Just("llama.cpp")],
    ) {
        for messages in messages(&first, system.as_deref(), &steps) {
            let request = json!({"model": "claude-x", "max_tokens": 5, "messages": messages});
            check_dialogue(translate(name, &request)["messages"].as_array().unwrap());
            let body = translate_in(Dialect::Messages, name, &request);
            check_native_dialogue(body["messages"].as_array().unwrap());
        }
    }

    /// A server's cache holds what it has read: the next request must begin with it.
    #[test]
    fn prompts_only_grow(
        first in "[a-z]{1,9}", system in proptest::option::of("[a-z]{1,9}"), mut steps in proptest::collection::vec(step(), 1..4),
        dialect in prop_oneof![Just(Dialect::Chat), Just(Dialect::Messages)],
    ) {
        // An answer without anything in it is left out, and what follows joins the message before.
        steps.iter_mut().for_each(|step| step.answer.push('.'));
        let bodies: Vec<Vec<Value>> = messages(&first, system.as_deref(), &steps).iter().map(|messages| {
            let request = json!({"model": "claude-x", "max_tokens": 5, "system": "s", "messages": messages});
            let body = translate_in(dialect, "llama.cpp", &request);
            body["messages"].as_array().unwrap().clone()
        }).collect();
        for pair in bodies.windows(2) {
            prop_assert_eq!(&pair[1][..pair[0].len()], &pair[0][..]);
        }
    }

    #[test]
    fn strings_and_blocks_are_the_same(words in "[a-zé\"\\\\\n]{1,20}") {
        prop_assume!(!words.trim().is_empty());
        let plain = json!({"model": "m", "max_tokens": 1, "system": words, "messages": [{"role": "user", "content": words}]});
        let block = json!([{"type": "text", "text": words, "cache_control": {"type": "ephemeral"}}]);
        let blocks = json!({"model": "m", "max_tokens": 1, "system": block, "messages": [{"content": block, "role": "user"}]});
        prop_assert_eq!(translate("openai", &plain), translate("openai", &blocks));
    }
}

/// A content block, and whether it is thinking of this library's.
fn any_block() -> impl Strategy<Value = (Value, bool)> {
    let own = |tail: &str| json!({"type": "thinking", "thinking": "x", "signature": format!("{SIGNATURE}{tail}")});
    prop_oneof![
        2 => "[a=]{0,2}".prop_map(move |tail| (own(&tail), true)),
        1 => text().prop_map(|text| (json!({"type": "thinking", "thinking": text, "signature": text}), false)),
        1 => text().prop_map(|text| (json!({"type": "text", "text": text, "signature": SIGNATURE}), false)),
        1 => Just((json!({"type": "tool_use", "id": "a", "name": "b", "input": {"content": [own("")]}}), false)),
        1 => Just((json!({"type": "tool_result", "tool_use_id": "a", "content": [own("")]}), false)),
    ]
}

proptest! {
    /// Less the blocks that are ours, and the messages that had nothing else, the request is the same.
    #[test]
    fn own_thinking_is_cut_and_nothing_else(
        messages in proptest::collection::vec(proptest::collection::vec(any_block(), 0..5), 0..5),
        system in text(), pretty in any::<bool>(),
    ) {
        let request = |keep: fn(&(Value, bool)) -> bool| {
            let cut = messages.iter().map(|blocks| (blocks.len(), blocks.iter().filter(|block| keep(block)).collect::<Vec<_>>()));
            let messages: Vec<Value> = cut
                .filter(|(before, blocks)| *before == 0 || !blocks.is_empty())
                .map(|(_, blocks)| json!({"role": "user", "content": blocks.into_iter().map(|(block, _)| block).collect::<Vec<_>>()}))
                .chain([json!({"role": "user", "content": SIGNATURE})])
                .collect();
            json!({"model": "m", "max_tokens": 1, "system": system, "messages": messages})
        };
        let (whole, wanted) = (request(|_| true), request(|(_, is_own)| !is_own));
        let bytes = if pretty { serde_json::to_vec_pretty(&whole) } else { serde_json::to_vec(&whole) }.unwrap();
        let cut = cut_own_thinking(&bytes);
        let parsed = cut.map(|bytes| serde_json::from_slice::<Value>(&bytes).expect("JSON"));
        prop_assert_eq!(parsed, (whole != wanted).then_some(wanted));
    }
}

/// A piece of a server's stream, sound or not.
fn chunk() -> impl Strategy<Value = String> {
    let index = proptest::option::of(0..3u8);
    let id = proptest::option::of("[ab]");
    let name = proptest::option::of(prop_oneof![Just("Read"), Just("Bash")]);
    let arguments =
        proptest::option::of(prop_oneof![Just("{\"a\":"), Just("1}"), Just("{}"), Just(""), Just("null"), Just("x")]);
    let call = (index, id, name, arguments).prop_map(|(index, id, name, arguments)| {
        let mut function = json!({});
        if let Some(name) = name {
            function["name"] = json!(name);
        }
        if let Some(arguments) = arguments {
            function["arguments"] = json!(arguments);
        }
        let mut call = json!({"function": function});
        if let Some(index) = index {
            call["index"] = json!(index);
        }
        if let Some(id) = id {
            call["id"] = json!(id);
        }
        call
    });
    let delta = prop_oneof![
        text().prop_map(|text| json!({"content": text})),
        text().prop_map(|text| json!({"reasoning_content": text})),
        proptest::collection::vec(call, 0..3).prop_map(|calls| json!({"tool_calls": calls})),
        Just(json!({"content": null, "tool_calls": []})),
    ];
    let finish =
        proptest::option::weighted(0.2, prop_oneof![Just("stop"), Just("length"), Just("tool_calls"), Just("error")]);
    prop_oneof![
        9 => (delta, finish).prop_map(|(delta, finish)| format!("data: {}\n\n", json!({"choices": [{"delta": delta, "finish_reason": finish}]}))),
        1 => Just(": keepalive\n\n".to_owned()),
        1 => Just("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n".to_owned()),
        1 => Just("data: [DONE]\n\n".to_owned()),
    ]
}

/// A piece of the stream of a server's own Messages API, sound or not.
fn messages_event() -> impl Strategy<Value = String> {
    let index = || proptest::option::weighted(0.9, 0..3u8);
    let input = prop_oneof![Just(json!({})), Just(json!({"a": 1})), Just(json!("{\"a\":1}")), Just(Value::Null)];
    let block = prop_oneof![
        text().prop_map(|text| json!({"type": "text", "text": text})),
        Just(json!({"type": "thinking", "thinking": "", "signature": "x"})),
        ("[ab]", input).prop_map(|(id, input)| json!({"type": "tool_use", "id": id, "name": "Read", "input": input})),
        Just(json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
    ];
    let delta = prop_oneof![
        text().prop_map(|text| json!({"type": "text_delta", "text": text})),
        text().prop_map(|text| json!({"type": "thinking_delta", "thinking": text})),
        prop_oneof![Just("{\"a\":"), Just("1}"), Just("{}"), Just(""), Just("x")]
            .prop_map(|json| json!({"type": "input_json_delta", "partial_json": json})),
        Just(json!({"type": "signature_delta", "signature": "x"})),
    ];
    let reason = prop_oneof![Just("end_turn"), Just("max_tokens"), Just("tool_use"), Just("error"), Just("pause_turn")];
    let usage = json!({"input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 1});
    prop_oneof![
        6 => (index(), block).prop_map(|(index, block)| json!({"type": "content_block_start", "index": index, "content_block": block})),
        9 => (index(), delta).prop_map(|(index, delta)| json!({"type": "content_block_delta", "index": index, "delta": delta})),
        4 => index().prop_map(|index| json!({"type": "content_block_stop", "index": index})),
        1 => Just(json!({"type": "message_start", "message": {"usage": usage}})),
        1 => reason.prop_map(|reason| json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 1}})),
        1 => prop_oneof![Just(json!({"type": "message_stop"})), Just(json!({"type": "ping"}))],
    ]
    .prop_map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
}

fn streams() -> impl Strategy<Value = (Dialect, Vec<String>)> {
    prop_oneof![
        proptest::collection::vec(chunk(), 0..12).prop_map(|chunks| (Dialect::Chat, chunks)),
        proptest::collection::vec(messages_event(), 0..14).prop_map(|events| (Dialect::Messages, events)),
    ]
}

proptest! {
    #[test]
    fn streams_are_well_formed_however_they_come(
        (dialect, chunks) in streams(), cut in any::<prop::sample::Index>(), broken in any::<bool>(),
    ) {
        let stream = chunks.concat();
        let run = |pieces: &[&[u8]]| {
            let mut out = Vec::new();
            let mut context = RequestContext::for_model("m");
            context.dialect = dialect;
            let mut converter = StreamConverter::new(context);
            converter.start(&mut out);
            for piece in pieces {
                converter.push(piece, &mut out);
            }
            if broken { converter.fail(&ApiError::api(502, "broken"), &mut out) } else { _ = converter.finish(&mut out) }
            out
        };
        let whole = run(&[stream.as_bytes()]);
        check_events(&whole, true);
        let (head, tail) = stream.as_bytes().split_at(cut.index(stream.len() + 1));
        prop_assert_eq!(&run(&[head, tail]), &whole);
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        prop_assert_eq!(&run(&single), &whole);
    }
}

/// What clients demand of a stream (the Python SDK is the strictest).
fn check_events(stream: &[u8], expect_start: bool) {
    let stream = std::str::from_utf8(stream).expect("UTF-8");
    let mut open: Option<(u64, String)> = None;
    let (mut next, mut tools, mut ended) = (0, 0, false);
    for (at, event) in stream.split_terminator("\n\n").enumerate() {
        let (name, data) = event.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").expect("an event line");
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("a data line")).expect("JSON");
        assert_eq!(data["type"], name);
        assert!(!ended, "{name} behind the end");
        assert!(at > 0 || name == "message_start" || !expect_start);
        match name {
            "message_start" => {
                assert_eq!(at, 0);
                assert!(data["message"]["usage"]["input_tokens"].as_u64().unwrap() > 0);
            }
            "content_block_start" => {
                assert!(open.is_none(), "two blocks are open");
                assert_eq!(data["index"], next);
                let kind = data["content_block"]["type"].as_str().unwrap().to_owned();
                tools += usize::from(kind == "tool_use");
                open = Some((next, kind));
                next += 1;
            }
            "content_block_delta" => {
                let (index, kind) = open.as_ref().expect("a delta outside of a block");
                assert_eq!(data["index"], *index);
                let expected: &[&str] = match kind.as_str() {
                    "text" => &["text_delta"],
                    "thinking" => &["thinking_delta", "signature_delta"],
                    _ => &["input_json_delta"],
                };
                assert!(expected.contains(&data["delta"]["type"].as_str().unwrap()), "{kind}: {}", data["delta"]);
            }
            "content_block_stop" => assert_eq!(data["index"], open.take().expect("a block to stop").0),
            "message_delta" => {
                assert!(open.is_none());
                let reason = data["delta"]["stop_reason"].as_str().unwrap();
                assert!(reason != "tool_use" || tools > 0, "tool_use without a call");
                assert!(reason != "end_turn" || tools == 0, "end_turn beside a call");
                assert!(data["usage"]["output_tokens"].is_u64());
            }
            "message_stop" | "error" => ended = true,
            "ping" => {}
            other => panic!("event {other}"),
        }
    }
    assert!(ended, "the stream has no end:\n{stream}");
}
