//! `anyclaude doctor --live`: the backend at work, through a proxy of its own.

mod checks;
pub(super) mod client;

use std::time::{Duration, Instant};

use anyclaude_core::backend::Role;
use anyclaude_core::proxy::Inspection;
use anyclaude_core::{Config, blocking};
use serde::Serialize;
use sysinfo::{Pid, ProcessesToUpdate, System};

use crate::failure::Failure;
use crate::output::{self, BAD, Busy, GOOD, ODD, styled};
use checks::CHECKS;
use client::Client;

/// What the checks showed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    checks: Vec<Done>,
    /// What the proxy noticed meanwhile.
    warnings: Vec<String>,
    /// Resident memory in bytes: of the server, where its process is known, and of this program.
    server_memory: Option<u64>,
    own_memory: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Done {
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
    let key = config.inbound_token.as_ref().map(|secret| secret.expose().to_owned());
    // Anthropic knows its own names only.
    let listed = seen.models.iter().flatten().next().map(|model| model.id.clone());
    let model = config.model.clone().or_else(|| listed.filter(|_| seen.spec.role == Role::PassThrough));
    let proxy = blocking::start_proxy(config)?;
    let client = Client::new(&proxy.base_url(), key, model);
    let mut checks = Vec::new();
    let mut plain_seconds = None;
    for (name, check) in CHECKS {
        let begun = Instant::now();
        let done = {
            let _busy = Busy::new(name);
            check(&client, plain_seconds.unwrap_or(0.0))
        };
        let seconds = begun.elapsed().as_secs_f64();
        plain_seconds.get_or_insert(seconds);
        let pass = done.is_ok();
        let done = Done { check: name, pass, seconds, what: done.unwrap_or_else(|what| what) };
        if !quiet {
            let mark = if pass { styled(GOOD, "pass") } else { styled(BAD, "FAIL") };
            output::line(format_args!("{mark}  {name:10} {seconds:7.2} s  {}", done.what))?;
        }
        checks.push(done);
    }
    let (server_memory, own_memory) = (server_memory(seen), memory(std::process::id()));
    let report = Report { checks, warnings: proxy.warnings(), server_memory, own_memory };
    if !quiet {
        for warning in &report.warnings {
            output::line(format_args!("{}  {warning}", styled(ODD, "warning")))?;
        }
        let shown = |bytes: Option<u64>| bytes.map_or("not known".to_owned(), |bytes| format!("{} MB", bytes >> 20));
        output::line(format_args!("memory: server {}, anyclaude {}", shown(server_memory), shown(own_memory)))?;
    }
    proxy.stop(Duration::from_secs(1))?;
    Ok(report)
}

/// The memory of the process that listens where the backend is, if that is this machine.
fn server_memory(seen: &Inspection) -> Option<u64> {
    let url = seen.backend.url.as_deref()?;
    let starts = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    let rest = starts.iter().find_map(|start| url.strip_prefix(start))?;
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
