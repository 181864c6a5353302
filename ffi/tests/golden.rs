//! The golden corpus through C: the same bytes as from Rust and Python.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

#[path = "../../core/tests/support/mod.rs"]
mod golden;
mod support;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use anyclaude_core::{JsonToolParser, Seed, StreamFailure, classify_stream_error, parse_tools_json, toolcall};
use golden::Case;
use serde_json::{Value, json};
use support::{Linkage, Watch, compile, repository, watched};

/// A job for `tests/c/golden.c`, and what must come of it.
struct Job {
    name: String,
    kind: &'static str,
    fields: Vec<Vec<u8>>,
    /// How many fields the answer has beside its first.
    answers: usize,
    check: Check,
}

/// Looks at the first field of an answer, and at the others.
type Check = Box<dyn Fn(&str, &[&[u8]])>;

#[test]
fn requests() {
    all(&cases("translate", |case| {
        let (body, notes) = (case.word("body").map(str::to_owned), case.section("notes").unwrap_or("").to_owned());
        let error = error_without_id(case);
        let check = move |status: &str, said: &[&[u8]]| match &error {
            Some(error) => assert_eq!((status, text(said[0])), ("9030", error.clone())),
            None => {
                assert_eq!((status, Some(text(said[0]))), ("ok", body.clone()));
                let told: Vec<String> = serde_json::from_slice(said[1]).unwrap();
                assert_eq!(told.iter().map(|note| format!("{note}\n")).collect::<String>(), notes);
            }
        };
        vec![Job { answers: 2, ..job(case, "translate", vec![config(case), request(case), meta(case)], check) }]
    }));
}

#[test]
fn streams_whole_and_byte_by_byte() {
    all(&cases("stream", |case| {
        let jobs = ["1000000", "1"].map(|step| {
            let events = case.section("events").unwrap().to_owned();
            let check = move |status: &str, said: &[&[u8]]| {
                assert_eq!((status, text(said[0])), ("ok", events.clone()));
            };
            let end = case.word("end").unwrap_or("closed").into();
            let fields = vec![case.stream().unwrap(), step.into(), end];
            job(case, "stream", [scene(case), fields].concat(), check)
        });
        jobs.into()
    }));
}

#[test]
fn answers() {
    all(&cases("response", |case| {
        let (message, error) = (case.word("message").map(str::to_owned), error_without_id(case));
        let check = move |status: &str, said: &[&[u8]]| {
            assert_eq!(status == "ok", error.is_none());
            assert_eq!(Some(text(said[0])), error.clone().or_else(|| message.clone()));
        };
        vec![job(case, "response", [scene(case), vec![case.section("answer").unwrap().into()]].concat(), check)]
    }));
}

#[test]
fn refusals() {
    let mut jobs = Vec::new();
    for path in files("errors") {
        let case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let in_stream = case["stream"] == true;
        let context_backend = backend_of(&case);
        let context = json!({"model": "m", "backend": context_backend, "max_tokens": case["max_tokens"],
            "estimated_input_tokens": case["estimated_prompt"].as_u64().unwrap_or(0)});
        let mut head = json!({});
        for key in ["content_type", "retry_after"].into_iter().filter(|key| case[*key].is_string()) {
            head[key] = case[key].clone();
        }
        let body = case["body"].as_str().map_or_else(|| case["body"].to_string(), str::to_owned);
        let status = if in_stream { "0".to_owned() } else { case["status"].to_string() };
        let body = body.into_bytes();
        let fields = vec![context.to_string().into(), status.into(), head.to_string().into(), body.clone()];
        let named = word(&case, "backend").unwrap();
        let check = move |status: &str, said: &[&[u8]]| {
            assert_eq!(status, "ok");
            let expect = &case["expect"];
            if in_stream {
                // The converter knows less than the proxy; the words are those that Rust gets from it.
                let failure = StreamFailure::new(context_backend, &body);
                assert!(said[0].ends_with(&classify_stream_error(&failure).to_sse()), "{}", text(said[0]));
                return;
            }
            let answer: Value = serde_json::from_slice(said[0]).unwrap();
            assert_eq!(answer["status"], expect["status"]);
            assert_eq!(answer["body"]["error"]["type"], expect["type"]);
            let message =
                expect["message"].as_str().unwrap().replace(&format!("({named})"), &format!("({context_backend})"));
            assert_eq!(answer["body"]["error"]["message"], message);
            let header = |name: &str| answer["headers"][name].as_str().map(str::to_owned);
            let wanted = |key: &str| (!expect[key].is_null()).then(|| expect[key].to_string());
            assert_eq!(header("retry-after"), wanted("retry_after"));
            assert_eq!(header("x-should-retry"), wanted("should_retry"));
        };
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        jobs.push(Job { name, kind: "error", fields, answers: 1, check: Box::new(check) });
    }
    assert!(jobs.len() > 100);
    all(&jobs);
}

/// As from Rust, whole and byte by byte: also in the middle of characters.
#[test]
fn tool_calls() {
    let text_type = json!({"type": "string"});
    let properties = json!({"port": text_type, "cars": {"type": "integer"}, "night": {"type": "boolean"},
        "price": {"type": "number"}, "tags": {"type": "array", "items": text_type}});
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object", "properties": properties}});
    let usual = json!([tool("find_ferry"), tool("list_ports"), tool("mcp__sea__tide")]);
    let mut jobs = Vec::new();
    let mut calls = 0;
    for path in files("toolcall") {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for line in fs::read_to_string(&path).unwrap().lines().filter(|line| !line.is_empty()) {
            let case: Value = serde_json::from_str(line).unwrap();
            let mut config = json!({"seed": 7, "prompt_opens_thinking": case["prompt_opens_thinking"] == true,
                "tools": case.get("tools").unwrap_or(&usual)});
            let own = (toolcall::by_name(&stem).is_some() && case["model"].is_null()).then(|| stem.clone());
            if let Some(format) = word(&case, "format").or(own) {
                config["format"] = format.into();
            } else if let Some(model) = word(&case, "model") {
                config["model"] = model.into();
            }
            let (config, said) = (config.to_string(), word(&case, "text").unwrap());
            let whole = parse_tools_json(config.as_bytes(), said.as_bytes(), Seed(0)).unwrap();
            calls += whole.matches("\"id\":\"toolu_").count();
            for step in [0, 1, 1 << 20] {
                let wanted = if step == 0 { whole.clone() } else { lines(&config, &said, step) };
                let check =
                    move |status: &str, said: &[&[u8]]| assert_eq!((status, text(said[0])), ("ok", wanted.clone()));
                let fields = vec![config.clone().into(), said.clone().into(), step.to_string().into()];
                let name = format!("{stem}: {}", case["about"]);
                jobs.push(Job { name, kind: "tools", fields, answers: 1, check: Box::new(check) });
            }
        }
    }
    assert!(jobs.len() > 3000 && calls > 700, "{} jobs, {calls} calls", jobs.len());
    all(&jobs);
}

/// The events from Rust.
fn lines(config: &str, said: &str, step: usize) -> String {
    let mut parser = JsonToolParser::from_config_json(config.as_bytes(), Seed(0)).unwrap();
    let mut out = Vec::new();
    for piece in said.as_bytes().chunks(step) {
        assert!(parser.push(piece, &mut out));
    }
    parser.finish(&mut out);
    String::from_utf8(out).unwrap()
}

/// Runs jobs in one process: under the sanitizers, which see each of them.
fn all(jobs: &[Job]) {
    let program = compile("golden.c", Linkage::Shared, Watch::Sanitizers);
    let mut command = watched(&program, Watch::Sanitizers);
    let output = answered(&mut command, jobs);
    let mut rest = output.as_slice();
    for job in jobs {
        let status = text(next(&mut rest));
        let said: Vec<&[u8]> = (0..job.answers).map(|_| next(&mut rest)).collect();
        println!("{}", job.name); // shown if the check fails
        (job.check)(&status, &said);
    }
    assert!(rest.is_empty());
}

fn answered(command: &mut Command, jobs: &[Job]) -> Vec<u8> {
    let mut input = Vec::new();
    for job in jobs {
        writeln!(input, "{} {}", job.kind, job.fields.len()).unwrap();
        for field in &job.fields {
            writeln!(input, "{}", field.len()).unwrap();
            input.extend_from_slice(field);
        }
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    writer.join().unwrap().unwrap();
    output.stdout
}

/// The next field of an answer.
fn next<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
    let length: usize = text(&rest[..end]).parse().unwrap();
    let (field, behind) = rest[end + 1..].split_at(length);
    *rest = behind;
    field
}

fn cases(folder: &str, jobs: impl Fn(&Case) -> Vec<Job>) -> Vec<Job> {
    golden::cases(folder).iter().flat_map(jobs).collect()
}

fn job(case: &Case, kind: &'static str, fields: Vec<Vec<u8>>, check: impl Fn(&str, &[&[u8]]) + 'static) -> Job {
    Job { name: case.name(), kind, fields, answers: 1, check: Box::new(check) }
}

/// Everything that the answer of a case needs: config, request, meta, context.
fn scene(case: &Case) -> Vec<Vec<u8>> {
    let [backend, dialect] = setting(case);
    let context =
        json!({"model": "claude-test", "backend": backend, "backend_api": dialect, "estimated_input_tokens": 100});
    vec![config(case), request(case), meta(case), context.to_string().into()]
}

fn config(case: &Case) -> Vec<u8> {
    let [backend, dialect] = setting(case);
    json!({"backend": backend, "backend_api": dialect}).to_string().into()
}

fn setting(case: &Case) -> [&str; 2] {
    [case.word("backend").unwrap_or("openai"), case.word("dialect").unwrap_or("chat")]
}

fn request(case: &Case) -> Vec<u8> {
    case.section("request").unwrap_or("").into()
}

/// The models of a case: names, and behind `@` their windows. Seeds are as in the other doors' runs.
fn meta(case: &Case) -> Vec<u8> {
    let model = |word: &str| match word.split_once('@') {
        Some((name, window)) => json!({"name": name, "window": window.parse::<u64>().unwrap()}),
        None => json!(word),
    };
    let models: Vec<Value> = case.word("models").unwrap_or("").split_whitespace().map(model).collect();
    json!({"models": models, "seed": 0}).to_string().into()
}

fn error_without_id(case: &Case) -> Option<String> {
    case.word("error").map(|error| error.replace(",\"request_id\":\"req_0\"", ""))
}

/// Cases may name a backend that is in no registry; C takes those that are.
fn backend_of(case: &Value) -> &'static str {
    anyclaude_core::backend::by_name(&word(case, "backend").unwrap()).map_or("openai", |spec| spec.name)
}

fn files(folder: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(repository("tests/golden").join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "json" || end == "jsonl"));
    paths.sort();
    paths
}

fn word(case: &Value, key: &str) -> Option<String> {
    case.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).unwrap().to_owned()
}
