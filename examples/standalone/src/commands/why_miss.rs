//! `anyclaude why-miss`: what the prompts of running proxies shared with those before them.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use crate::args::WhyMiss;
use crate::control::{prefix_reports, proxies};
use crate::failure::Failure;
use crate::json;
use crate::output::{self, BAD, GOOD, ODD, styled};
use crate::settings::{Flags, Settings};

pub(crate) fn run(args: &WhyMiss) -> Result<(), Failure> {
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !args.session.chars().all(is_id) {
        return Err(Failure::settings("SESSION: an id has letters, digits, - and _ only"));
    }
    let settings = Settings::load(&Flags::default(), &[])?;
    let running = proxies(&settings.config)?;
    let mut reports = Vec::new();
    for one in &running {
        // One that is of another version is no reason to tell nothing of the others.
        match prefix_reports(&one.file, &args.session) {
            Ok(told) => reports.extend(told),
            Err(failure) => output::note(failure),
        }
    }
    reports.sort_by_key(|report| json::number(report, "/at"));
    if args.output.json {
        return Ok(output::json(&reports.into())?);
    }
    if running.is_empty() {
        return Ok(output::line("no proxy is running; reports are kept while one runs")?);
    }
    let misses = reports.iter().filter(|report| is_miss(report)).count();
    output::line(format_args!("{} requests, {misses} of them read again what had been read", reports.len()))?;
    let mut session = "";
    for report in reports.iter().filter(|report| args.all || is_miss(report)) {
        if json::text(report, "/session") != session {
            session = json::text(report, "/session");
            output::line(format_args!("\nsession {session}"))?;
        }
        describe(report)?;
    }
    Ok(())
}

fn is_miss(report: &Value) -> bool {
    json::at(report, "/is_miss") == true
}

fn describe(report: &Value) -> Result<(), Failure> {
    let at = UNIX_EPOCH + Duration::from_millis(json::number(report, "/at"));
    let outcome = match json::text(report, "/outcome") {
        word @ ("broken" | "lost") => styled(BAD, word),
        word @ ("first" | "shortened") => styled(ODD, word),
        word => styled(GOOD, word),
    };
    let tokens = json::number(report, "/prompt_tokens");
    let about = if json::at(report, "/prompt_tokens_exact") == true { "" } else { "about " };
    let reused = match json::at(report, "/reused_tokens").as_u64() {
        Some(reused) => format!("{reused} of them from the server's cache"),
        None => "the server does not tell how many it had kept".to_owned(),
    };
    let agent = json::text(report, "/agent");
    let who = if agent.is_empty() { String::new() } else { format!(" {agent}") };
    output::line(format_args!(
        "{}  {outcome}  {}{who}: {about}{tokens} tokens, {reused}",
        humantime::format_rfc3339_seconds(at),
        json::text(report, "/class"),
    ))?;
    output::line(format_args!("  {}", json::text(report, "/reason/text")))?;
    for (name, pointer) in [("the request before it", "/conversation"), ("the model's last session", "/model_last")] {
        let shared = json::at(report, pointer);
        if shared.is_object() {
            output::line(format_args!(
                "  shared with {name}: {} of {} bytes, about {} tokens",
                json::number(shared, "/shared_bytes"),
                json::number(shared, "/of_bytes"),
                json::number(shared, "/shared_tokens_estimate"),
            ))?;
        }
    }
    let found = json::at(report, "/conversation/difference");
    if found.is_object() {
        output::line(format_args!(
            "  first difference: {}, {} (byte {})",
            json::text(found, "/part"),
            json::text(found, "/block"),
            json::number(found, "/offset"),
        ))?;
        output::line(format_args!("    before: {}", json::text(found, "/before")))?;
        output::line(format_args!("    now:    {}", json::text(found, "/now")))?;
    }
    let cost = json::at(report, "/cost_ms").as_u64();
    if let Some(cost) = cost.filter(|_| is_miss(report)) {
        let lost = json::number(report, "/lost_tokens_estimate");
        output::line(format_args!("  cost: about {lost} tokens read again, {:.1} s", cost as f64 / 1000.0))?;
    }
    Ok(())
}
