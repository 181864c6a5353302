//! `anyclaude doctor --live`: the backend at work, through a proxy of its own.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use anyclaude_core::proxy::Inspection;
use anyclaude_core::{Config, blocking};
use serde::Serialize;
use serde_json::{Value, json};
use sysinfo::{Pid, ProcessesToUpdate, System};
use ureq::Agent;

use crate::failure::Failure;
use crate::output::{self, BAD, Busy, GOOD, ODD, styled};

/// How long one check may take: a small machine reads its prompt for minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Sentences of the prompt that is sent twice, some 2,000 tokens: long enough to tell a cache from none.
const SENTENCES: usize = 200;

/// After a client has left, the server must be free within this many times what a plain answer took.
const FREE_WITHIN: f64 = 5.0;

/// What the checks showed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    checks: Vec<Check>,
    /// What the proxy noticed meanwhile.
    warnings: Vec<String>,
    /// Resident memory in bytes: of the server, where its process is known, and of this program.
    server_memory: Option<u64>,
    own_memory: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    pass: bool,
    seconds: f64,
    what: String,
}

impl Report {
    pub(super) fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.pass)
    }
}

/// Runs the checks; prints each as it ends, unless `quiet`.
pub(super) fn run(config: &Config, seen: &Inspection, quiet: bool) -> Result<Report, Failure> {
    let mut config = config.clone();
    config.port = 0;
    config.run_file = false;
    let key = config.inbound_token.as_ref().or(config.api_key.as_ref()).map(|secret| secret.expose().to_owned());
    let proxy = blocking::start_proxy(config)?;
    let client = Client::new(proxy.base_url(), key);
    let mut checks = Vec::new();
    let mut plain_seconds = 0.0;
    type Run = fn(&Client, f64) -> Result<String, String>;
    let all: [(&'static str, Run); 5] =
        [("answer", answer), ("tool call", tool_call), ("stream", stream), ("cancel", cancel), ("repeat", repeat)];
    for (name, check) in all {
        let begun = Instant::now();
        let done = {
            let _busy = Busy::new(name);
            check(&client, plain_seconds)
        };
        let seconds = begun.elapsed().as_secs_f64();
        if name == "answer" {
            plain_seconds = seconds;
        }
        let check = match done {
            Ok(what) => Check { check: name, pass: true, seconds, what },
            Err(what) => Check { check: name, pass: false, seconds, what },
        };
        if !quiet {
            let mark = if check.pass { styled(GOOD, "pass") } else { styled(BAD, "FAIL") };
            output::line(format_args!("{mark}  {name:10} {seconds:7.2} s  {}", check.what))?;
        }
        checks.push(check);
    }
    let report = Report {
        checks,
        warnings: proxy.warnings(),
        server_memory: server_memory(seen),
        own_memory: memory(std::process::id()),
    };
    if !quiet {
        let shown = |bytes: Option<u64>| bytes.map_or("not known".to_owned(), |bytes| format!("{} MB", bytes >> 20));
        let (server, own) = (shown(report.server_memory), shown(report.own_memory));
        for warning in &report.warnings {
            output::line(format_args!("{}  {warning}", styled(ODD, "warning")))?;
        }
        output::line(format_args!("memory: server {server}, anyclaude {own}"))?;
    }
    proxy.stop(Duration::from_secs(1));
    Ok(report)
}

struct Client {
    agent: Agent,
    url: String,
    key: String,
}

impl Client {
    fn new(base: String, key: Option<String>) -> Self {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).http_status_as_error(false);
        Client {
            agent: config.build().into(),
            url: format!("{base}/v1/messages"),
            key: key.unwrap_or_else(|| anyclaude_core::launch::PLACEHOLDER_TOKEN.to_owned()),
        }
    }

    fn post(&self, body: &Value) -> Result<ureq::Body, String> {
        let request =
            self.agent.post(&self.url).header("x-api-key", &self.key).header("anthropic-version", "2023-06-01");
        let mut answer = request.send_json(body).map_err(|error| error.to_string())?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let status = answer.status();
        let said: Value = answer.body_mut().read_json().unwrap_or_default();
        let message = said.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason given");
        Err(format!("HTTP {}: {message}", status.as_u16()))
    }

    fn message(&self, body: &Value) -> Result<Value, String> {
        self.post(body)?.read_json().map_err(|error| error.to_string())
    }

    /// Streams an answer; `each` gets the events and says whether to go on. Leaving closes the connection.
    fn events(&self, mut body: Value, each: &mut dyn FnMut(&Value) -> bool) -> Result<(), String> {
        if let Some(object) = body.as_object_mut() {
            object.insert("stream".to_owned(), true.into());
        }
        let mut answer = self.post(&body)?;
        for line in BufReader::new(answer.as_reader()).lines() {
            let line = line.map_err(|error| error.to_string())?;
            let Some(event) = line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Value>(data).ok())
            else {
                continue;
            };
            if event["type"] == "error" {
                return Err(event
                    .pointer("/error/message")
                    .and_then(Value::as_str)
                    .unwrap_or("an error event")
                    .to_owned());
            }
            if !each(&event) {
                break;
            }
        }
        Ok(())
    }
}

fn question(text: &str, max_tokens: u64) -> Value {
    json!({"model": "claude-doctor", "max_tokens": max_tokens, "messages": [{"role": "user", "content": text}]})
}

fn tokens(usage: &Value, key: &str) -> u64 {
    usage.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn answer(client: &Client, _plain: f64) -> Result<String, String> {
    let message = client.message(&question("Say hello in one short sentence.", 64))?;
    let blocks = message["content"].as_array().map_or(0, Vec::len);
    if blocks == 0 {
        return Err("the answer is empty".to_owned());
    }
    Ok(format!("{} tokens, stop_reason {}", tokens(&message["usage"], "output_tokens"), message["stop_reason"]))
}

fn tool_call(client: &Client, _plain: f64) -> Result<String, String> {
    let mut body = question("What time is it in Oslo? Use the tool.", 512);
    body["tools"] = json!([{
        "name": "Bash", "description": "Runs a shell command and returns its output, such as the time from `date`.",
        "input_schema": {
            "type": "object",
            "properties": {"command": {"type": "string"}, "description": {"type": "string"}},
            "required": ["command"],
        },
    }]);
    let message = client.message(&body)?;
    let calls = message["content"].as_array().into_iter().flatten().filter(|block| block["type"] == "tool_use");
    match calls.last() {
        Some(call) => Ok(format!("{} {}", call["name"].as_str().unwrap_or(""), call["input"])),
        None => Err("the model answered with text instead of a call; Claude Code needs calls".to_owned()),
    }
}

fn stream(client: &Client, _plain: f64) -> Result<String, String> {
    let begun = Instant::now();
    let (mut first, mut deltas, mut ended) = (None, 0, false);
    client.events(question("Count from one to twenty in words.", 128), &mut |event| {
        if event["type"] == "content_block_delta" {
            first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
            deltas += 1;
        }
        ended |= event["type"] == "message_stop";
        true
    })?;
    match first {
        Some(first) if ended => Ok(format!("{deltas} pieces, the first after {first:.2} s")),
        Some(_) => Err("the stream has no end".to_owned()),
        None => Err("nothing came".to_owned()),
    }
}

fn cancel(client: &Client, plain: f64) -> Result<String, String> {
    let mut left = false;
    client.events(question("Write a very long story.", 2048), &mut |event| {
        left |= event["type"] == "content_block_delta";
        !left
    })?;
    if !left {
        return Err("nothing came that could have been cancelled".to_owned());
    }
    let begun = Instant::now();
    answer(client, plain)?;
    let (seconds, limit) = (begun.elapsed().as_secs_f64(), plain.max(0.5) * FREE_WITHIN);
    if seconds <= limit {
        Ok(format!("the server was free for the next answer, which took {seconds:.2} s"))
    } else {
        Err(format!("the next answer took {seconds:.2} s, over {limit:.2} s: the server seems to work on for nobody"))
    }
}

fn repeat(client: &Client, _plain: f64) -> Result<String, String> {
    // Different in every run, so that the first time is cold.
    let nonce = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let text = format!("{nonce}{}\nSay hello.", " The quick brown fox jumps over the lazy dog.".repeat(SENTENCES));
    let mut seen = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        let (mut first, mut usage) = (None, Value::Null);
        client.events(question(&text, 8), &mut |event| {
            if event["type"] == "content_block_delta" {
                first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
            }
            if event["type"] == "message_delta" {
                usage = event["usage"].clone();
            }
            true
        })?;
        seen.push((first.unwrap_or_else(|| begun.elapsed().as_secs_f64()), usage));
    }
    let [(cold, _), (warm, usage)] = seen.as_slice() else { return Err("nothing came".to_owned()) };
    let cached = tokens(usage, "cache_read_input_tokens");
    let figures = format!("first token after {cold:.2} s, again after {warm:.2} s, {cached} tokens from the cache");
    if cached > 0 || *warm < cold * 0.7 || *cold < 0.1 {
        Ok(figures)
    } else {
        Err(format!("{figures}: the server keeps no prompt cache"))
    }
}

/// The memory of the process that listens where the backend is, if that is this machine.
fn server_memory(seen: &Inspection) -> Option<u64> {
    let url = seen.backend.url.as_deref()?;
    let rest =
        ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"].iter().find_map(|start| url.strip_prefix(start))?;
    let port: u16 = rest.split('/').next()?.parse().ok()?;
    let process = listeners::get_process_by_port(port, listeners::Protocol::TCP).ok()?;
    memory(process.pid)
}

fn memory(pid: u32) -> Option<u64> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new();
    system.refresh_processes(ProcessesToUpdate::Some(&[pid]), true);
    system.process(pid).map(sysinfo::Process::memory)
}
