//! Conversations of several requests against `tests/golden/prefix`: what each prompt shares with earlier ones.
//!
//! A case is a JSON file: settings, and steps. Each step is a request with its headers and the server's answer, and
//! what is expected of the prompt that is sent: whose beginning it keeps, what it says, and the report.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use anyclaude_core::{
    Dialect, Hints, Options, RequestMeta, Seed, SessionKey, StreamConverter, Timestamp, ToolSupply, Translator, backend,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A step after it was run.
struct Done {
    body: String,
    calls: Vec<String>,
    report: Value,
}

#[derive(serde::Deserialize)]
struct Requests<'t> {
    #[serde(borrow)]
    steps: Vec<Request<'t>>,
}

#[derive(serde::Deserialize)]
struct Request<'t> {
    #[serde(borrow)]
    request: &'t RawValue,
}

/// The raw text of a top-level key.
fn part<'b>(body: &'b str, key: &str) -> &'b str {
    let parts: std::collections::HashMap<&str, &'b RawValue> = serde_json::from_str(body).unwrap();
    parts.get(key).map_or("", |raw| raw.get())
}

/// Whether all of an earlier prompt is the beginning of this one, in the order of templates.
fn goes_on_from(earlier: &str, body: &str) -> bool {
    let open = |body: &str| part(body, "messages").trim_end_matches(']').to_owned();
    part(earlier, "system") == part(body, "system")
        && part(earlier, "tools") == part(body, "tools")
        && open(body).starts_with(&open(earlier))
}

/// The request with the ids that earlier answers were given, `$call STEP NUMBER`.
fn with_ids(request: &str, done: &[Done]) -> String {
    let mut text = request.to_owned();
    for (step, done) in done.iter().enumerate() {
        for (number, id) in done.calls.iter().enumerate() {
            text = text.replace(&format!("$call {step} {number}"), id);
        }
    }
    text
}

fn hints(step: &Value) -> Hints {
    let word = |key: &str| step["hints"][key].as_str().map(str::to_owned);
    let mut hints = Hints::default();
    (hints.class, hints.agent_type, hints.betas) = (word("class"), word("agent_type"), word("betas"));
    hints.compaction = step["hints"]["compaction"].is_string();
    hints.compacted = step["hints"]["compacted"].is_string();
    hints
}

fn run(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let case: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // As they stand in the file: the order of keys matters.
    let requests: Requests<'_> = serde_json::from_str(&text).unwrap();
    let mut options = Options::default();
    options.dialect = Dialect::by_name(case["dialect"].as_str().unwrap_or("chat")).unwrap();
    options.tools = ToolSupply::by_name(case["tools"].as_str().unwrap_or("auto")).unwrap();
    options.pin_lines =
        case["pin_lines"].as_array().into_iter().flatten().map(|line| line.as_str().unwrap().to_owned()).collect();
    let spec = *backend::by_name(case["backend"].as_str().unwrap_or("mlx-lm")).unwrap();
    let translator = Translator::new(spec, options);
    let mut done: Vec<Done> = Vec::new();
    for (number, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        let at = format!("{} step {number}", path.file_name().unwrap().display());
        let name = |key: &str, default: &str| step[key].as_str().unwrap_or(default).to_owned();
        let meta = RequestMeta {
            session: SessionKey { session: name("session", "s"), agent: name("agent", "") },
            seed: Seed(number as u128 + 1),
            now: Timestamp(number as u64),
            hints: hints(step),
            ..RequestMeta::default()
        };
        let request = with_ids(requests.steps[number].request.get(), &done);
        let translated = translator.request_json(request.as_bytes(), &meta).unwrap();
        serde_json::from_slice::<Value>(&translated.body).unwrap_or_else(|error| panic!("{at}: no JSON: {error}"));
        let mut converter = StreamConverter::new(translated.context.clone());
        let mut out = Vec::new();
        for chunk in step["answer"].as_array().into_iter().flatten() {
            converter.push_chunk(chunk.to_string().as_bytes(), &mut out);
        }
        let turn = converter.finish(&mut out);
        // A request that failed leaves no turn behind.
        let fails = step["fails"] == true;
        let report = (!fails).then(|| translator.record(&translated.context, &turn, meta.now).unwrap());
        done.push(Done {
            body: String::from_utf8(translated.body).unwrap(),
            calls: turn.tool_calls.iter().map(|call| call.id.clone()).collect(),
            report: json!(report),
        });
        check(&at, &step["expect"], &done);
    }
}

fn check(at: &str, expect: &Value, done: &[Done]) {
    let now = done.last().unwrap();
    for (key, expected) in expect.as_object().into_iter().flatten() {
        match key.as_str() {
            "goes_on_from" | "differs_from" => {
                let earlier = &done[usize::try_from(expected.as_u64().unwrap()).unwrap()].body;
                let goes_on = goes_on_from(earlier, &now.body);
                assert_eq!(goes_on, key == "goes_on_from", "{at}: {key}\n{earlier}\n{}", now.body);
            }
            "shares_with" => {
                // Up to and without these words, which the earlier prompt has not.
                let earlier = &done[usize::try_from(expected["step"].as_u64().unwrap()).unwrap()].body;
                let words = expected["before"].as_str().unwrap();
                let (shared, _) =
                    part(&now.body, "messages").split_once(words).unwrap_or_else(|| panic!("{at}: {words}"));
                assert!(part(earlier, "messages").starts_with(shared), "{at}\n{earlier}\n{}", now.body);
                assert_eq!(part(earlier, "tools"), part(&now.body, "tools"), "{at}");
            }
            "says" => {
                for words in expected.as_array().unwrap() {
                    assert!(now.body.contains(words.as_str().unwrap()), "{at}: {words} is not in\n{}", now.body);
                }
            }
            "says_not" => {
                for words in expected.as_array().unwrap() {
                    assert!(!now.body.contains(words.as_str().unwrap()), "{at}: {words} is in\n{}", now.body);
                }
            }
            "tools" => {
                let body: Value = serde_json::from_str(&now.body).unwrap();
                let name =
                    |tool: &Value| tool["function"]["name"].as_str().or(tool["name"].as_str()).unwrap().to_owned();
                let names: Vec<String> = body["tools"].as_array().into_iter().flatten().map(name).collect();
                assert_eq!(json!(names), *expected, "{at}");
            }
            pointer => assert_eq!(now.report.pointer(pointer), Some(expected), "{at}: {pointer} in {:#}", now.report),
        }
    }
}

#[test]
fn prompts_keep_what_was_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/prefix");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 40, "{} cases", files.len());
    for file in files {
        run(&file);
    }
}
