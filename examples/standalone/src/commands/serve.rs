//! `anyclaude serve`: the proxy, until a signal.

use std::time::Duration;

use anyclaude_core::{Config, start_proxy};
use serde_json::json;

use super::backend::{self, Chosen};
use crate::args::Proxy;
use crate::failure::Failure;
use crate::runtime::runtime;
use crate::settings::Settings;
use crate::{log, output};

/// How long requests in flight may go on after the first signal.
const GRACE: Duration = Duration::from_secs(10);

/// Where the proxy listens unless told otherwise.
const PORT: u16 = 4141;

/// Runs the proxy until it is told to stop.
pub(crate) fn run(args: &Proxy) -> Result<(), Failure> {
    let settings = Settings::load(&args.flags, &[("port", PORT.into()), ("run_file", json!(true))])?;
    log::to_stderr(settings.config.debug, args.verbose);
    backend::tell(&settings.notes);
    runtime()?.block_on(async {
        let mut config = settings.config;
        let chosen = backend::choose(&mut config).await?;
        serve(config, &chosen).await
    })
}

/// Serves with settings that name a backend.
pub(super) async fn serve(config: Config, chosen: &Chosen) -> Result<(), Failure> {
    let lines = backend::describe(&config, chosen)?;
    let has_token = config.inbound_token.is_some();
    let is_remote = config.backend == "anthropic";
    let proxy = start_proxy(config).await?;
    introduce(&proxy.base_url(), &lines, has_token, is_remote)?;
    if !chosen.has_server() {
        output::line(backend::how_to_start())?;
    }
    signal().await?;
    output::note("stopping; a second signal stops at once");
    tokio::select! {
        () = proxy.stop(GRACE) => {}
        again = signal() => again?,
    }
    Ok(())
}

/// The first line is for programs, the rest for people.
fn introduce(url: &str, backend: &[String], has_token: bool, is_remote: bool) -> Result<(), Failure> {
    output::line(format_args!("anyclaude listening on {url}"))?;
    for line in backend {
        output::line(line)?;
    }
    output::line(format_args!("\nIn another terminal:\n\n  export ANTHROPIC_BASE_URL={url}"))?;
    if !is_remote {
        let token = if has_token { "\"$ANYCLAUDE_INBOUND_TOKEN\"" } else { "anyclaude" };
        output::line(format_args!(
            "  export ANTHROPIC_AUTH_TOKEN={token}\n  export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"
        ))?;
    }
    let mode = if is_remote { "" } else { " --permission-mode default" };
    output::line(format_args!("  claude{mode}\n\nor let `anyclaude claude` do all of it.\n"))?;
    Ok(())
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // The terminal was closed.
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
