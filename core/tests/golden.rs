//! The golden corpus: requests, streams and answers against what is written in `tests/golden`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use anyclaude_core::backend::Model;
use anyclaude_core::wire::ApiError;
use anyclaude_core::{Dialect, Options, RequestContext, RequestMeta, StreamConverter, Translator, backend};
use support::{Case, cases};

/// A model of a case: its name, and behind `@` its window.
fn model(word: &str) -> Model {
    let (name, window) = word.split_once('@').unwrap_or((word, ""));
    let mut model = Model::named(name);
    model.window = window.parse().ok();
    model
}

/// The context of a case: that of its request, or a plain one. Checks the translation on the way.
fn context(case: &mut Case) -> Option<RequestContext> {
    let spec = *backend::by_name(case.word("backend").unwrap_or("openai")).unwrap();
    let dialect = Dialect::by_name(case.word("dialect").unwrap_or("chat")).unwrap();
    let Some(request) = case.section("request").map(str::to_owned) else {
        let mut context = RequestContext::for_model("claude-test");
        context.backend = spec.name;
        context.dialect = dialect;
        context.estimated_input_tokens = 100;
        return Some(context);
    };
    let models: Vec<Model> = case.word("models").unwrap_or("").split_whitespace().map(model).collect();
    let meta = RequestMeta { models: &models, ..RequestMeta::default() };
    let mut options = Options::default();
    options.dialect = dialect;
    match Translator::new(spec, options).request_json(request.as_bytes(), &meta) {
        Ok(translated) => {
            case.expect("body", &String::from_utf8(translated.body).unwrap());
            let notes: String = translated.notes.iter().map(|note| format!("{note}\n")).collect();
            case.expect("notes", &notes);
            Some(translated.context)
        }
        Err(error) => {
            case.expect("error", &String::from_utf8(error.to_api().to_json("req_0")).unwrap());
            None
        }
    }
}

/// Runs a stream that comes in these pieces.
fn convert(context: &RequestContext, pieces: &[&[u8]], end: &str) -> String {
    let mut converter = StreamConverter::new(context.clone());
    let mut out = Vec::new();
    for piece in pieces {
        converter.push(piece, &mut out);
    }
    match end {
        "closed" => _ = converter.finish(&mut out),
        "reset" => converter.fail(&ApiError::api(502, "the connection broke"), &mut out),
        "stall" => converter.fail(&ApiError::api(504, "the backend fell silent"), &mut out),
        other => panic!("{other:?} is no end"),
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn requests() {
    for mut case in cases("translate") {
        assert!(case.section("request").is_some(), "{}: no request", case.name());
        if context(&mut case).is_some() {
            let body = case.word("body").unwrap();
            assert!(!body.contains("cache_control"), "{}: cache_control reaches the backend", case.name());
            let parsed: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(parsed["messages"].as_array().is_some_and(|messages| !messages.is_empty()), "{}", case.name());
        }
    }
}

#[test]
fn streams_however_they_are_cut() {
    for mut case in cases("stream") {
        let context = context(&mut case).unwrap();
        let stream = case.stream().expect("a stream");
        let end = case.word("end").unwrap_or("closed").to_owned();
        let whole = convert(&context, &[&stream], &end);
        case.expect("events", &whole);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(joined(&convert(&context, &bytes, &end)), joined(&whole), "{}: byte by byte", case.name());
        for at in 0..=stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(convert(&context, &[head, tail], &end), whole, "{}: cut at byte {at}", case.name());
        }
    }
}

/// The events as they are: how they were written makes no difference.
fn joined(events: &str) -> Vec<&str> {
    events.split("\n\n").collect()
}

#[test]
fn answers() {
    for mut case in cases("response") {
        let context = context(&mut case).unwrap();
        let answer = case.section("answer").expect("an answer").to_owned();
        let translator = Translator::new(*backend::by_name(context.backend).unwrap(), Options::default());
        match translator.response_json(&context, answer.as_bytes()) {
            Ok((message, _)) => {
                serde_json::from_slice::<serde_json::Value>(&message).expect("the message is JSON");
                case.expect("message", &String::from_utf8(message).unwrap());
            }
            Err(error) => case.expect("error", &String::from_utf8(error.to_api().to_json("req_0")).unwrap()),
        }
    }
}
