//! `anyclaude claude`, and `anyclaude` alone: Claude Code with a proxy of its own.

mod child;
mod find;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyclaude_core::backend::{Model, Role, by_name};
use anyclaude_core::launch::{self, Launch};
use anyclaude_core::{Config, ProxyHandle, start_proxy};
use serde_json::{Value, json};

use super::backend::{self, Chosen};
use super::serve;
use crate::args::{Claude, Proxy};
use crate::failure::Failure;
use crate::runtime::runtime;
use crate::settings::Settings;
use crate::{log, output};

pub(super) use find::{config_folder, find};

/// How long the proxy may take to end what Claude Code has left.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait for what the server tells of its models.
const PATIENCE: Duration = Duration::from_secs(3);

/// The proxy of a launch is found by its run file, not by its port.
fn defaults() -> [(&'static str, Value); 2] {
    [("port", json!(0)), ("run_file", json!(true))]
}

/// `anyclaude claude`: launches, whatever is there.
pub(crate) fn run(args: &Claude) -> Result<u8, Failure> {
    let settings = Settings::load(&args.proxy.flags, &defaults())?;
    let program = find(&settings.config).ok_or_else(|| missing(&settings.config))?;
    launch(settings, &program, &args.args, args.proxy.verbose)
}

/// `anyclaude`: launches where a user sits at a terminal and both Claude Code and a server are there.
pub(crate) fn launch_or_serve(args: &Proxy) -> Result<u8, Failure> {
    let settings = Settings::load(&args.flags, &defaults())?;
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let program = find(&settings.config).filter(|_| is_terminal && !settings.config.proxy_only);
    if let Some(program) = program {
        let mut config = settings.config.clone();
        let there = runtime()?.block_on(async {
            let chosen = backend::choose(&mut config).await?;
            Ok::<_, Failure>(chosen.has_server() && is_there(&config).await)
        })?;
        if there {
            return launch(settings, &program, &[], args.verbose);
        }
    }
    serve::run(args)?;
    Ok(0)
}

/// Whether a named server answers; Anthropic's is taken for granted.
async fn is_there(config: &Config) -> bool {
    if by_name(&config.backend).is_ok_and(|spec| spec.role != Role::Translate) {
        return true;
    }
    anyclaude_core::proxy::inspect(config).await.is_ok_and(|seen| seen.healthy == Some(true) || seen.models.is_ok())
}

fn missing(config: &Config) -> Failure {
    let what = match &config.claude_path {
        Some(path) => format!("claude_path: {} is no program", path.display()),
        None => "Claude Code is not installed (no `claude` on the path)".to_owned(),
    };
    Failure::new(format!(
        "{what}. Get it with `npm install -g @anthropic-ai/claude-code`, or say where it is with --claude-path; \
         `anyclaude serve` needs none"
    ))
}

fn launch(settings: Settings, program: &Path, args: &[String], verbose: u8) -> Result<u8, Failure> {
    let mut config = settings.config;
    let log = log::to_file(&config.home_dir()?.join("logs"), config.debug, verbose);
    backend::tell(&settings.notes);
    let runtime = runtime_beside_the_child()?;
    let code = runtime.block_on(async {
        let chosen = backend::choose(&mut config).await?;
        introduce(&config, &chosen)?;
        let token = config.inbound_token.clone();
        let proxy = start_proxy(config.clone()).await?;
        let command = command(&config, &proxy, program, args, token.as_ref()).await?;
        let code = child::run(command).await;
        proxy.stop(GRACE).await;
        code.map_err(|error| Failure::new(format!("{}: {error}", program.display())))
    })?;
    if let Some(path) = log.written() {
        output::note(format_args!("anyclaude: its log is {}", path.display()));
    }
    Ok(code)
}

/// A runtime whose threads run while the main one waits for Claude Code.
fn runtime_beside_the_child() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn introduce(config: &Config, chosen: &Chosen) -> Result<(), Failure> {
    for line in backend::describe(config, chosen)? {
        output::note(format_args!("anyclaude: {line}"));
    }
    if !chosen.has_server() {
        output::note(format_args!("anyclaude: {}", backend::how_to_start()));
    }
    Ok(())
}

/// Claude Code with its environment and arguments.
async fn command(
    config: &Config,
    proxy: &ProxyHandle,
    program: &Path,
    args: &[String],
    token: Option<&anyclaude_core::Secret>,
) -> Result<Command, Failure> {
    let passes_through = by_name(&config.backend)?.role == Role::PassThrough;
    let models = match passes_through {
        true => Vec::new(),
        false => tokio::time::timeout(PATIENCE, proxy.models()).await.ok().and_then(Result::ok).unwrap_or_default(),
    };
    let named = config.model.as_deref().map(Model::named);
    let model = match &config.model {
        Some(name) => models.iter().find(|model| model.id == *name || model.short_name() == name).or(named.as_ref()),
        // Loaded ones come first. A server with a word for the loaded one does not tell which that is.
        None if by_name(&config.backend)?.quirks.loaded_model.is_some() && models.len() > 1 => None,
        None => models.first(),
    };
    let url = proxy.base_url();
    let variable = |name| std::env::var(name).ok();
    let (custom_headers, no_proxy) =
        (variable("ANTHROPIC_CUSTOM_HEADERS"), variable("NO_PROXY").or_else(|| variable("no_proxy")));
    let launch = Launch {
        base_url: &url,
        token: token.map(anyclaude_core::Secret::expose),
        passes_through,
        has_key: config.api_key.is_some(),
        custom_headers: custom_headers.as_deref(),
        no_proxy: no_proxy.as_deref(),
        model,
        window: config.context_window.or(model.and_then(|model| model.window)),
    };
    let environment = launch.environment();
    let mut mode_is_set = false;
    for file in settings_files() {
        let Ok(text) = std::fs::read(&file) else { continue };
        mode_is_set |= launch::chooses_mode(&text);
        for found in launch::overrides(&file, &text, &environment, launch.removed()) {
            output::note(format_args!(
                "anyclaude: {} sets {}, which wins over what is set here; Claude Code may not use this proxy as it \
                 should. Take it out of that file",
                found.file.display(),
                found.variable
            ));
        }
    }
    for warning in proxy.warnings() {
        output::note(format_args!("anyclaude: {warning}"));
    }
    let mut command = Command::new(program);
    command.args(launch.arguments(args, mode_is_set)).envs(environment);
    for name in launch.removed() {
        command.env_remove(name);
    }
    // Every command that the model runs sees the environment; these are for this program.
    for setting in Config::settings().iter().filter(|setting| setting.is_secret) {
        command.env_remove(setting.variable());
    }
    Ok(command)
}

/// Where Claude Code reads its settings from.
pub(super) fn settings_files() -> Vec<PathBuf> {
    let project = std::env::current_dir().unwrap_or_default();
    config_folder().map(|folder| launch::files(&folder, &project)).unwrap_or_default()
}
