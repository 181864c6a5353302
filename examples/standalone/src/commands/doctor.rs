//! `anyclaude doctor`: what is there, what is wrong, what to do.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyclaude_core::Config;
use anyclaude_core::ToolSupply;
use anyclaude_core::backend::{BACKENDS, Model, Role};
use anyclaude_core::launch::{self, Launch};
use anyclaude_core::proxy::{Inspection, inspect};
use serde::Serialize;
use serde_json::{Value, json};

use super::{backend, claude, live, models, status};
use crate::args::Doctor;
use crate::control::{Running, proxies};
use crate::failure::Failure;
use crate::json;
use crate::output::{self, BAD, Busy, GOOD, ODD, styled};
use crate::runtime::runtime;
use crate::settings::Settings;

/// How long Claude Code may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was found out.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    state: State,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Wrong,
}

impl Finding {
    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Finding { check, state: State::Ok, what: what.into(), fix: None }
    }

    fn warning(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding { check, state: State::Warning, what: what.into(), fix: Some(fix.into()) }
    }

    fn wrong(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding { state: State::Wrong, ..Self::warning(check, what, fix) }
    }

    fn print(&self) -> std::io::Result<()> {
        let mark = match self.state {
            State::Ok => styled(GOOD, "ok     "),
            State::Warning => styled(ODD, "warning"),
            State::Wrong => styled(BAD, "wrong  "),
        };
        output::line(format_args!("{mark}  {:12} {}", self.check, self.what))?;
        match &self.fix {
            Some(fix) => output::line(format_args!("{:23}-> {fix}", "")),
            None => Ok(()),
        }
    }
}

pub(crate) fn run(args: &Doctor) -> Result<(), Failure> {
    let settings = Settings::load(&args.flags, &[])?;
    let running = proxies(&settings.config)?;
    let mut config = settings.config.clone();
    let (chosen, seen) = runtime()?.block_on(async {
        let chosen = backend::choose(&mut config).await?;
        let _busy = Busy::new("asking the server");
        let seen = inspect(&config).await?;
        Ok::<_, Failure>((chosen, seen))
    })?;
    let mut findings = vec![about_settings(&settings)];
    findings.extend(about_claude(&settings, &seen));
    findings.extend(about_servers(&chosen));
    findings.extend(about_backend(&seen, &config));
    findings.extend(about_proxies(&running));
    let is_server = seen.spec.role == Role::Translate;
    if !args.output.json {
        for finding in &findings {
            finding.print()?;
        }
        for model in seen.models.iter().flatten() {
            output::line(models::describe(model))?;
            if let Some(plan) = seen.tool_plans.iter().find(|plan| plan.model == model.id && is_server) {
                output::line(format_args!("    {plan}"))?;
            }
        }
    }
    let live = if args.live { Some(live::run(&config, &seen, args.output.json)?) } else { None };
    let is_well = findings.iter().all(|finding| finding.state != State::Wrong);
    let is_well = is_well && live.as_ref().is_none_or(live::Report::passed);
    if args.output.json {
        let found: Vec<Value> =
            chosen.found.iter().map(|found| json!({"kind": found.spec.name, "url": found.url})).collect();
        output::json(&json!({
            "ok": is_well,
            "findings": findings,
            "found": found,
            "backend": seen.backend,
            "tool_plans": seen.tool_plans,
            "models": seen.models.unwrap_or_default(),
            "running": running.iter().map(status::to_json).collect::<Vec<_>>(),
            "live": live,
        }))?;
    }
    if is_well { Ok(()) } else { Err(Failure::told()) }
}

fn about_settings(settings: &Settings) -> Finding {
    let files: Vec<String> = settings.files.iter().map(|path| path.display().to_string()).collect();
    let what = if files.is_empty() { "no file, all defaults".to_owned() } else { files.join(", ") };
    match settings.notes.first() {
        None => Finding::ok("settings", what),
        Some(note) => Finding::warning("settings", note.as_str(), "take it out, or correct its name"),
    }
}

fn about_claude(settings: &Settings, seen: &Inspection) -> Vec<Finding> {
    let Some(program) = claude::find(&settings.config) else {
        let fix = "`npm install -g @anthropic-ai/claude-code`, or --claude-path";
        return vec![Finding::warning("Claude Code", "not installed", fix)];
    };
    let version = version(&program).unwrap_or_else(|| "version not told".to_owned());
    let mut findings = vec![Finding::ok("Claude Code", format!("{version} at {}", program.display()))];
    let launch = Launch { passes_through: seen.spec.role == Role::PassThrough, window: Some(0), ..Launch::default() };
    let environment = launch.environment();
    for file in claude::settings_files() {
        let Ok(text) = std::fs::read(&file) else { continue };
        for found in launch::overrides(&file, &text, &environment, launch.removed()) {
            let what = format!("{} sets {}, which wins over the launcher", found.file.display(), found.variable);
            findings.push(Finding::warning("Claude Code", what, "take it out of that file's env"));
        }
    }
    findings
}

/// What Claude Code calls itself. It is given an empty line of arguments' worth of time.
fn version(program: &Path) -> Option<String> {
    let _busy = Busy::new("asking Claude Code");
    let mut command = std::process::Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let begun = std::time::Instant::now();
    while child.try_wait().ok()?.is_none() {
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

fn about_servers(chosen: &backend::Chosen) -> Option<Finding> {
    if chosen.named {
        return None;
    }
    let names: Vec<String> = chosen.found.iter().map(|found| format!("{} at {}", found.spec.name, found.url)).collect();
    Some(match names.as_slice() {
        [] => {
            let found_by_looking = BACKENDS.iter().filter(|spec| !spec.signs.is_empty());
            let usual: BTreeSet<&str> = found_by_looking.filter_map(|spec| spec.default_url).collect();
            let usual: Vec<&str> = usual.into_iter().collect();
            let what = format!("none found at the usual addresses: {}", usual.join(", "));
            Finding::wrong("servers", what, "start one, or name it with --backend")
        }
        names => Finding::ok("servers", format!("found {}", names.join(", "))),
    })
}

fn about_backend(seen: &Inspection, config: &Config) -> Vec<Finding> {
    let kind = seen.backend.kind;
    let Some(url) = &seen.backend.url else {
        return vec![Finding::ok("backend", format!("{kind}: {}", seen.spec.about))];
    };
    let mut findings = Vec::new();
    let is_remote = seen.spec.role == Role::PassThrough;
    if is_remote && config.api_key.is_none() {
        findings.push(Finding::ok("backend", format!("{kind} at {url}, with the client's own login")));
        return findings;
    }
    match (&seen.models, seen.healthy) {
        (Ok(models), _) => findings.push(Finding::ok("backend", format!("{kind} at {url}, {} models", models.len()))),
        (Err(why), Some(true)) => {
            findings.push(Finding::warning(
                "backend",
                format!("{kind} at {url} answers, but {why}"),
                "name the model with --model",
            ));
        }
        (Err(why), _) => {
            findings.push(Finding::wrong(
                "backend",
                format!("{kind} at {url}: {why}"),
                "start it, or correct --backend-url",
            ));
        }
    }
    if let Some(other) = seen.identified.filter(|other| other.name != kind) {
        let what = format!("the server at {url} shows itself to be {}, not {kind}", other.name);
        findings.push(Finding::warning("backend", what, format!("--backend {}", other.name)));
    }
    let differences = seen.spec.quirks.differences();
    if !differences.is_empty() {
        findings.push(Finding::ok("backend", format!("differs from the reference: {}", differences.join("; "))));
    }
    for warning in &seen.warnings {
        findings.push(Finding::warning("window", warning.as_str(), seen.spec.window_hint));
    }
    let is_denied = |model: &&Model| model.tools == Some(false) && config.tools == ToolSupply::Auto;
    for model in seen.models.iter().flatten().filter(is_denied) {
        let what = format!("{} takes no tools: they are described in its prompt", model.short_name());
        let fix = "a model made for tools calls them better; --tools on if the server is wrong";
        findings.push(Finding::warning("tools", what, fix));
    }
    findings
}

fn about_proxies(running: &[Running]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in running {
        let text = |pointer| json::text(&one.status, pointer);
        findings.push(Finding::ok(
            "running",
            format!("{} for {} {}", one.file.url, text("/backend/kind"), text("/backend/url")),
        ));
        for warning in json::list(&one.status, "/warnings").iter().filter_map(Value::as_str) {
            findings.push(Finding::warning("running", warning, "see the server's own settings"));
        }
    }
    findings
}
