//! `anyclaude bench`: what the backend does with requests of Claude Code's shape, through a proxy of its own.
//!
//! `prefix`: most of a request is the one before, again, and a server that has it in its cache need not read it.
//! How far that goes depends on the server, and on whether the proxy sends the same bytes for what is the same.

mod answer;
mod changes;
mod prose;
mod report;
mod round;
mod session;
mod tools;
mod world;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyclaude_core::blocking;

use super::backend;
use super::live::client::{Client, question};
use crate::args::Prefix;
use crate::failure::Failure;
use crate::output::{self, Busy};
use crate::runtime::runtime;
use crate::settings::Settings;
use report::Report;
use round::Round;

/// What Claude Code asks for; a local server's own model answers.
const MODEL: &str = "claude-opus-5-5";

/// Measures how much of a prompt the server need not read again.
pub(super) fn prefix(args: &Prefix) -> Result<(), Failure> {
    let mut config = Settings::load(&args.flags, &[])?.config;
    let chosen = runtime()?.block_on(backend::choose(&mut config))?;
    if !chosen.has_server() {
        return Err(Failure::new(backend::how_to_start()));
    }
    if !args.output.json {
        for line in backend::describe(&config, &chosen)? {
            output::line(line)?;
        }
    }
    config.port = 0;
    config.run_file = false;
    let key = config.inbound_token.as_ref().map(|secret| secret.expose().to_owned());
    let model = config.model.clone().unwrap_or_else(|| MODEL.to_owned());
    let proxy = blocking::start_proxy(config)?;
    let client = Client::new(&proxy.base_url(), key, Some(model));
    {
        // The first answer of all may have to wait until the model is loaded: that is no part of any prompt.
        let _busy = Busy::new("waiting for the model");
        client.message(&question("Say hello.", 1)).map_err(Failure::new)?;
    }
    let mut rounds = Vec::new();
    for number in 1..=args.rounds {
        // The time makes each prompt one that no server has seen.
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(number, |since| since.as_nanos() as u64);
        let round = Round::new(&client, format!("round {number} of {}", args.rounds));
        rounds.push(round.run(seed, args.tokens)?);
    }
    let mut report = Report::new(Some(proxy.backend()), &rounds);
    report.warn(proxy.warnings());
    proxy.stop(Duration::from_secs(1))?;
    if args.output.json {
        let report = serde_json::to_value(&report).map_err(|error| Failure::new(error.to_string()))?;
        return Ok(output::json(&report)?);
    }
    Ok(report.print()?)
}
