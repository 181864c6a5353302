//! `anyclaude serve`: the proxy, until a signal.

use std::io::IsTerminal;
use std::time::Duration;

use anyclaude_core::{Config, Secret, start_proxy};
use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::args::Serve;
use crate::output;

/// How long requests in flight may go on after the first signal.
const GRACE: Duration = Duration::from_secs(10);

/// The variable that holds the backend's key.
const API_KEY: &str = "ANYCLAUDE_API_KEY";

/// Runs the proxy until it is told to stop.
pub(crate) fn run(args: &Serve) -> Result<(), Failure> {
    start_log(args.verbose);
    let config = config(args)?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let proxy = start_proxy(config).await?;
        introduce(args, &proxy.base_url())?;
        signal().await?;
        output::note("stopping; a second signal stops at once");
        tokio::select! {
            () = proxy.stop(GRACE) => {}
            again = signal() => again?,
        }
        Ok(())
    })
}

/// On one core, threads would only wake each other.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    use tokio::runtime::Builder;
    let has_one_core = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    if has_one_core { Builder::new_current_thread() } else { Builder::new_multi_thread() }.enable_all().build()
}

fn config(args: &Serve) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.backend.clone_from(&args.backend);
    config.backend_url.clone_from(&args.backend_url);
    config.api_key = std::env::var(API_KEY).ok().filter(|key| !key.is_empty()).map(Secret::new);
    config.model.clone_from(&args.model);
    config.max_output_tokens = args.max_output_tokens;
    config.host = args.host;
    config.port = args.port;
    if let Some(name) = &args.inbound_token_env {
        let token = std::env::var(name).map_err(|_| {
            Failure::new(format!("--inbound-token-env: the variable {name} is not set; put the token there"))
        })?;
        config.inbound_token = Some(Secret::new(token));
    }
    config.allowed_hosts.clone_from(&args.allowed_host);
    config.allowed_origins.clone_from(&args.allowed_origin);
    config.commit_after = args.commit_after;
    config.ping_interval = args.ping_interval;
    config.connect_timeout = args.connect_timeout;
    config.first_byte_timeout = args.first_byte_timeout;
    config.stall_timeout = Some(args.stall_timeout).filter(|limit| !limit.is_zero());
    config.header_timeout = args.header_timeout;
    config.body_timeout = args.body_timeout;
    config.max_body_bytes = usize::from(args.max_body_mib) << 20;
    Ok(config)
}

/// The first line is for programs, the rest for people.
fn introduce(args: &Serve, url: &str) -> Result<(), Failure> {
    output::line(format_args!("anyclaude listening on {url}"))?;
    let backend = match (args.backend.as_str(), &args.backend_url) {
        ("demo", _) => "the built-in demo, which is no model".to_owned(),
        (kind, None) => format!("{kind} at its usual address"),
        (kind, Some(url)) => format!("{kind} at {url}"),
    };
    output::line(format_args!(
        "backend: {backend}\n\nIn another terminal:\n\n  \
         export ANTHROPIC_BASE_URL={url}\n  \
         export ANTHROPIC_AUTH_TOKEN={}\n  \
         export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1\n  \
         claude --permission-mode default\n",
        args.inbound_token_env.as_ref().map_or_else(|| "anyclaude".to_owned(), |name| format!("\"${name}\"")),
    ))?;
    if args.backend == "demo" {
        output::line(
            "To use a model, start its server and name it:\n\n  \
             anyclaude serve --backend mlx-lm    --backend-url http://127.0.0.1:8080/v1\n  \
             anyclaude serve --backend llama.cpp --backend-url http://127.0.0.1:8080/v1\n  \
             anyclaude serve --backend openai    --backend-url http://127.0.0.1:8000/v1 --model NAME\n",
        )?;
    }
    Ok(())
}

fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "anyclaude_core=info,warn",
        _ => "anyclaude_core=debug,info",
    };
    let filter = EnvFilter::try_from_env("ANYCLAUDE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let ansi = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    // Another subscriber is there when a host program calls us; it stays.
    let _ = log.with_target(false).try_init();
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
