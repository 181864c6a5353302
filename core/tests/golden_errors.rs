//! Walks `tests/golden/errors/*.json`: a backend's refusal in, the error for the client out.
//!
//! One case is one file: `{"name", "backend", "status", "retry_after", "content_type", "body",
//! "max_tokens", "estimated_prompt", "expect": {"status", "type", "message", "retry_after",
//! "should_retry"}}`. `body` is a string (sent as it is) or any other JSON (sent serialised).
//! Optional: `"stream": true` for an error inside a stream, `expect.refused` for the parameter that
//! the pipeline may drop, `expect.retry_max_tokens` for the figure of its one retry. A key that is
//! left out is expected to be null. `ANYCLAUDE_BLESS=1` writes the messages (and nothing else).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyclaude_core::wire::ApiError;
use anyclaude_core::{BackendFailure, StreamFailure, classify, classify_stream_error, refused_parameter};
use serde_json::{Value, json};

const MIN_CASES: usize = 45;

#[test]
fn every_case_gives_what_it_expects() {
    let cases = cases();
    assert!(cases.len() >= MIN_CASES, "only {} cases in {}", cases.len(), folder().display());
    let failures: Vec<String> = cases.iter().filter_map(|(path, case)| check(path, case).err()).collect();
    assert!(failures.is_empty(), "{} of {} cases failed\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn names_are_unique_and_equal_the_file_names() {
    let mut seen = HashSet::new();
    for (path, case) in cases() {
        let name = case["name"].as_str().unwrap().to_owned();
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), name);
        assert!(seen.insert(name));
    }
}

#[test]
fn no_answer_is_one_that_makes_the_client_give_up_wrongly() {
    for (path, case) in cases() {
        let error = answer(&case);
        assert!(error.status >= 400 && ![401, 413, 529].contains(&error.status), "{}", path.display());
        assert!(!error.message.contains("overloaded_error"), "{}", path.display());
        assert!(!error.message.contains("</"), "a web page shows through in {}", path.display());
        serde_json::from_slice::<Value>(&error.to_json("req_1")).unwrap();
    }
}

/// Whatever is cut off a body, a sentence comes out and nothing panics.
#[test]
fn every_case_survives_being_cut() {
    for (_, case) in cases() {
        let body = body(&case);
        for end in 0..body.len().min(400) {
            let failure = BackendFailure::new("x", status(&case), &body[..end]);
            assert!(!classify(&failure).message.is_empty());
            let _ = refused_parameter(failure.status, failure.body);
        }
    }
}

fn check(path: &Path, case: &Value) -> Result<(), String> {
    let error = answer(case);
    let refused = refused_parameter(status(case), &body(case)).map(|parameter| parameter.as_str());
    let got = json!({
        "status": error.status,
        "type": error.kind.as_str(),
        "message": error.message,
        "retry_after": error.retry_after,
        "should_retry": error.should_retry,
        "refused": refused,
        "retry_max_tokens": error.limit.and_then(|limit| limit.max_tokens_for_retry()),
    });
    if std::env::var_os("ANYCLAUDE_BLESS").is_some() {
        bless(path, case, &error.message);
        return Ok(());
    }
    let differing: Vec<String> = got
        .as_object()
        .unwrap()
        .iter()
        .filter(|(key, value)| case["expect"].get(key.as_str()).unwrap_or(&Value::Null) != *value)
        .map(|(key, value)| format!("  {key}: expected {}, got {value}", case["expect"][key.as_str()]))
        .collect();
    if differing.is_empty() { Ok(()) } else { Err(format!("{}\n{}", path.display(), differing.join("\n"))) }
}

fn answer(case: &Value) -> ApiError {
    let body = body(case);
    let backend = case["backend"].as_str().unwrap();
    let estimate = case["estimated_prompt"].as_u64().unwrap_or(0);
    if case["stream"] == true {
        let mut failure = StreamFailure::new(backend, &body);
        failure.max_tokens = case["max_tokens"].as_u64();
        failure.estimated_prompt = estimate;
        return classify_stream_error(&failure);
    }
    let mut failure = BackendFailure::new(backend, status(case), &body);
    failure.content_type = case["content_type"].as_str();
    failure.retry_after = case["retry_after"].as_str();
    failure.max_tokens = case["max_tokens"].as_u64();
    failure.estimated_prompt = estimate;
    classify(&failure)
}

fn body(case: &Value) -> Vec<u8> {
    match &case["body"] {
        Value::String(text) => text.clone().into_bytes(),
        value => serde_json::to_vec(value).unwrap(),
    }
}

fn status(case: &Value) -> u16 {
    u16::try_from(case["status"].as_u64().unwrap()).unwrap()
}

fn bless(path: &Path, case: &Value, message: &str) {
    // Only the one line is replaced, so that the rest of the file keeps its layout.
    let old = format!("\"message\": {}", case["expect"]["message"]);
    let new = format!("\"message\": {}", Value::from(message));
    let text = fs::read_to_string(path).unwrap();
    let (head, tail) = text.split_once("\"expect\"").unwrap();
    assert!(tail.contains(&old), "{}: expect.message is not written as {old}", path.display());
    fs::write(path, format!("{head}\"expect\"{}", tail.replacen(&old, &new, 1))).unwrap();
}

fn cases() -> Vec<(PathBuf, Value)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: PathBuf| {
        let case = serde_json::from_slice(&fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, case)
    };
    paths.into_iter().map(read).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/errors")
}
