//! `anyclaude trace`: lists, shows and replays what was traced.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyclaude_core::proxy::AUTO;
use anyclaude_core::{
    BackendFailure, Config, Dialect, Options, RequestMeta, StreamConverter, Translator, backend, blocking, classify,
};
use serde_json::{Value, json};

use crate::args::{Look, Replay, TraceFile};
use crate::control::proxies;
use crate::failure::Failure;
use crate::json;
use crate::output::{self, ODD, styled};
use crate::settings::Settings;

/// The most bytes of a trace that are read.
const MAX_BYTES: u64 = 256 << 20;

pub(crate) fn list(args: &Look) -> Result<(), Failure> {
    let settings = Settings::load(&args.flags, &[])?;
    let mut entries = Vec::new();
    for path in files(&settings.config)? {
        entries.push(entry(&path, &read(&path)?));
    }
    if args.output.json {
        return Ok(output::json(&entries.into())?);
    }
    if entries.is_empty() {
        output::line("no traces; they are written with ANYCLAUDE_DEBUG=2 or --debug 2")?;
    }
    for entry in &entries {
        let word = |key: &str| match json::at(entry, key) {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        let is_left = json::at(entry, "/cancelled") == true;
        let end = if is_left { "left by the client".to_owned() } else { word("/stop_reason") };
        let words = [word("/name"), word("/model"), word("/backend"), word("/status"), end, word("/ms") + " ms"];
        output::line(words.join("  "))?;
    }
    Ok(())
}

/// What the list says of a trace.
fn entry(path: &Path, records: &[Value]) -> Value {
    let find = |stage| stages(records, stage).next().unwrap_or(&Value::Null);
    let (request, outcome) = (find("request"), find("outcome"));
    json!({
        "name": path.file_stem().map(|name| name.to_string_lossy()),
        "file": path,
        "model": json::at(request, "/body/model"),
        "backend": json::at(find("translated"), "/backend"),
        "status": json::at(outcome, "/status"),
        "stop_reason": json::at(outcome, "/stop_reason"),
        "cancelled": json::at(outcome, "/cancelled"),
        "ms": json::at(find("timing"), "/end"),
    })
}

/// The records of a stage.
fn stages<'r>(records: &'r [Value], stage: &'static str) -> impl Iterator<Item = &'r Value> {
    records.iter().filter(move |record| json::text(record, "/stage") == stage)
}

pub(crate) fn show(args: &TraceFile) -> Result<(), Failure> {
    let path = resolve(args)?;
    let records = read(&path)?;
    if args.look.output.json {
        return Ok(output::json(&records.into())?);
    }
    for record in &records {
        let ms = json::at(record, "/ms").as_f64().unwrap_or(0.0);
        output::line(format_args!("{} {ms:.3} ms", styled(ODD, json::text(record, "/stage"))))?;
        match json::at(record, "/data").as_str() {
            Some(data) => output::line(data.trim_end())?,
            None => {
                let mut rest = record.clone();
                if let Some(object) = rest.as_object_mut() {
                    object.retain(|key, _| key != "stage" && key != "ms");
                }
                output::line(format_args!("{rest:#}"))?;
            }
        }
        output::line("")?;
    }
    Ok(())
}

pub(crate) fn replay(args: &Replay) -> Result<(), Failure> {
    let records = read(&resolve(&args.file)?)?;
    let body = stages(&records, "request").map(|record| json::at(record, "/body")).find(|body| body.is_object());
    let body = body.ok_or_else(|| Failure::new("this trace holds no request that was read as JSON"))?;
    if args.offline {
        return convert_again(&records, body);
    }
    let settings = Settings::load(&args.file.look.flags, &[])?;
    send_again(&settings.config, body)
}

/// Feeds the recorded answer of the backend through the converter.
fn convert_again(records: &[Value], body: &Value) -> Result<(), Failure> {
    let translated = stages(records, "translated").next();
    let translated =
        translated.ok_or_else(|| Failure::new("this trace ended before anything was sent to a backend"))?;
    // A refusal may stand before the answer of a later try.
    let last = records.iter().rposition(|record| json::text(record, "/stage") == "response").unwrap_or_default();
    let answer = records.get(last..).unwrap_or_default();
    let text: String = stages(answer, "backend").map(|record| json::text(record, "/data")).collect();
    if text.is_empty() {
        return Err(Failure::new("this trace holds no answer of the backend"));
    }
    let mut options = Options::default();
    options.dialect = Dialect::by_name(json::text(translated, "/api"))?;
    let translator = Translator::new(*backend::by_name(json::text(translated, "/backend"))?, options);
    let context = translator.request_json(body.to_string().as_bytes(), &RequestMeta::default())?.context;
    let status = json::at(answer.first().unwrap_or(&Value::Null), "/status").as_u64().unwrap_or(200);
    if let Some(status) = u16::try_from(status).ok().filter(|status| *status >= 400) {
        let error = classify(&BackendFailure::new(context.backend, status, text.as_bytes()));
        output::line(String::from_utf8_lossy(&error.to_json_without_id()))?;
        return Ok(());
    }
    if !context.stream {
        let (message, _) = translator.response_json(&context, text.as_bytes())?;
        output::line(String::from_utf8_lossy(&message))?;
        return Ok(());
    }
    let mut converter = StreamConverter::new(context);
    let mut out = Vec::new();
    if text.trim_start().starts_with('{') {
        converter.push_response(text.as_bytes(), &mut out);
    } else {
        converter.push(text.as_bytes(), &mut out);
    }
    converter.finish(&mut out);
    Ok(output::bytes(&out)?)
}

/// Sends the recorded request to the proxy that runs, or to one that is started for it.
fn send_again(config: &Config, body: &Value) -> Result<(), Failure> {
    let running = if config.backend == AUTO { proxies(config)?.into_iter().next() } else { None };
    let own = match &running {
        Some(_) => None,
        None => {
            let mut config = config.clone();
            (config.port, config.run_file) = (0, false);
            Some(blocking::start_proxy(config)?)
        }
    };
    let url = running
        .map(|running| running.file.url)
        .or(own.as_ref().map(blocking::ProxyHandle::base_url))
        .unwrap_or_default();
    let key = config.inbound_token.as_ref().map_or(anyclaude_core::launch::PLACEHOLDER_TOKEN, |token| token.expose());
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().into();
    let sent = agent.post(format!("{url}/v1/messages")).header("x-api-key", key).send_json(body);
    let mut answer = sent.map_err(|error| Failure::new(format!("{url}: {error}")))?;
    let is_success = answer.status().is_success();
    let mut reader = answer.body_mut().as_reader();
    let mut buffer = [0; 16 << 10];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            read => output::bytes(buffer.get(..read).unwrap_or_default())?,
        }
    }
    output::line("")?;
    if is_success { Ok(()) } else { Err(Failure::told()) }
}

/// The traces, newest first.
fn files(config: &Config) -> Result<Vec<PathBuf>, Failure> {
    let Ok(entries) = fs::read_dir(config.home_dir()?.join("traces")) else { return Ok(Vec::new()) };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    // Names begin with the time.
    files.sort_by(|a, b| b.cmp(a));
    Ok(files)
}

/// The trace that is meant: a path, or what the list shows.
fn resolve(args: &TraceFile) -> Result<PathBuf, Failure> {
    if args.file.is_file() {
        return Ok(args.file.clone());
    }
    let settings = Settings::load(&args.look.flags, &[])?;
    let name = args.file.to_string_lossy();
    let files = files(&settings.config)?;
    let found = files.into_iter().find(|path| {
        name == "last" || path.file_stem().is_some_and(|stem| stem.to_string_lossy().contains(name.as_ref()))
    });
    found.ok_or_else(|| Failure::new(format!("{name}: no such file or trace; `anyclaude trace list` shows them")))
}

fn read(path: &Path) -> Result<Vec<Value>, Failure> {
    let fail = |what: &dyn std::fmt::Display| Failure::new(format!("{}: {what}", path.display()));
    let size = fs::metadata(path).map_err(|error| fail(&error))?.len();
    if size > MAX_BYTES {
        return Err(fail(&format_args!("{size} bytes are no trace")));
    }
    let text = fs::read_to_string(path).map_err(|error| fail(&error))?;
    // The last line of a trace that is being written may be cut.
    let records: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if records.is_empty() { Err(fail(&"it holds no record of a trace")) } else { Ok(records) }
}
