//! `anyclaude status`: the proxies that run.

use std::time::Duration;

use serde_json::{Value, json};

use crate::args::Output;
use crate::control::{Running, proxies};
use crate::failure::Failure;
use crate::json;
use crate::output::{self, BAD, ODD, styled};
use crate::settings::{Flags, Settings};

pub(crate) fn run(output: Output) -> Result<(), Failure> {
    let settings = Settings::load(&Flags::default(), &[])?;
    let running = proxies(&settings.config)?;
    if output.json {
        return Ok(output::json(&running.iter().map(to_json).collect())?);
    }
    if running.is_empty() {
        output::line("no proxy is running")?;
    }
    for one in &running {
        output::line(describe(one))?;
    }
    Ok(())
}

/// A proxy for programs; its token stays in its file.
pub(super) fn to_json(running: &Running) -> Value {
    let mut status = running.status.clone();
    if let Some(object) = status.as_object_mut() {
        object.insert("url".to_owned(), running.file.url.as_str().into());
        object.insert("pid".to_owned(), running.file.pid.into());
        object.insert("started".to_owned(), running.file.started.into());
    }
    json!(status)
}

fn describe(running: &Running) -> String {
    let status = &running.status;
    let text = |pointer| json::text(status, pointer);
    let number = |pointer| json::number(status, pointer);
    let uptime = humantime::format_duration(Duration::from_secs(number("/uptime_seconds")));
    let place = if text("/backend/url").is_empty() { String::new() } else { format!(" at {}", text("/backend/url")) };
    let away = match status.get("reachable") {
        Some(Value::Bool(false)) => styled(BAD, ", which does not answer"),
        _ => String::new(),
    };
    let mut lines = format!(
        "{}  pid {}, up {uptime}\n  backend: {}{place}{away}\n  requests: {} ({} active, {} failed, {} left by the client); \
         tokens: {} read, {} from the server's cache, {} written",
        running.file.url,
        running.file.pid,
        text("/backend/kind"),
        number("/stats/requests"),
        number("/stats/active"),
        number("/stats/errors"),
        number("/stats/cancelled"),
        number("/stats/input_tokens"),
        number("/stats/cache_read_input_tokens"),
        number("/stats/output_tokens"),
    );
    let invalid_calls = number("/stats/invalid_calls");
    if invalid_calls > 0 {
        lines.push_str(&format!("\n  calls that did not fit the schemas of their tools: {invalid_calls}"));
    }
    for warning in json::list(status, "/warnings").iter().filter_map(Value::as_str) {
        lines.push_str(&format!("\n  {} {warning}", styled(ODD, "warning:")));
    }
    lines
}
