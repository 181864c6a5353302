//! Running proxies: those whose run files are true.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyclaude_core::Config;
use anyclaude_core::proxy::{RunFile, running};
use serde_json::Value;
use ureq::Agent;

use crate::failure::Failure;
use crate::json;

/// How long a proxy may take to answer its owner.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running proxy and what it says of itself.
pub(crate) struct Running {
    pub(crate) file: RunFile,
    pub(crate) status: Value,
}

/// The proxies that run. A run file is stale, and ignored, when what is on its port cannot prove that it knows
/// the token: that is shown to no other program.
pub(crate) fn proxies(config: &Config) -> Result<Vec<Running>, Failure> {
    let files = running(config)?;
    Ok(files.into_iter().filter_map(|file| Some(Running { status: status(&file)?, file })).collect())
}

fn status(file: &RunFile) -> Option<Value> {
    let nonce = format!("{:x}", SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()));
    let asked = agent().get(format!("{}/anyclaude/proof", file.url)).header("x-anyclaude-nonce", &nonce).call();
    let said: Value = asked.ok()?.body_mut().read_json().ok()?;
    if json::text(&said, "/proof") != file.proof(&nonce) {
        return None;
    }
    let url = format!("{}/anyclaude/status", file.url);
    let mut answer = agent().get(url).header("x-anyclaude-control", &file.token).call().ok()?;
    answer.status().is_success().then(|| answer.body_mut().read_json().ok())?
}

/// The prefix reports of a proxy, the oldest first.
pub(crate) fn prefix_reports(file: &RunFile, session: &str) -> Result<Vec<Value>, Failure> {
    let url = format!("{}/anyclaude/prefix?session={session}", file.url);
    let answer = agent().get(url).header("x-anyclaude-control", &file.token).call();
    let mut answer = answer.map_err(|error| Failure::new(format!("{}: {error}", file.url)))?;
    if !answer.status().is_success() {
        return Err(Failure::new(format!("{}: it gave no reports (HTTP {})", file.url, answer.status().as_u16())));
    }
    answer.body_mut().read_json().map_err(|error| Failure::new(format!("{}: {error}", file.url)))
}

/// Gives a proxy another backend.
pub(crate) fn switch(file: &RunFile, choice: &Value) -> Result<Value, Failure> {
    let url = format!("{}/anyclaude/backend", file.url);
    let answer = agent().post(url).header("x-anyclaude-control", &file.token).send_json(choice);
    let mut answer = answer.map_err(|error| Failure::new(format!("{}: {error}", file.url)))?;
    let said: Value = answer.body_mut().read_json().unwrap_or_default();
    if answer.status().is_success() {
        return Ok(said);
    }
    Err(Failure::settings(json::text(&said, "/error/message")))
}

fn agent() -> Agent {
    // The proxy is on this machine: no proxy variables, and no status that is an error by itself.
    let config = Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).http_status_as_error(false);
    config.build().into()
}
