//! `anyclaude use`: gives a running proxy another backend.

use anyclaude_core::backend::{Role, by_name};
use serde_json::{Map, Value, json};

use crate::args::Use;
use crate::control::{Running, proxies, switch};
use crate::failure::Failure;
use crate::json;
use crate::output;
use crate::settings::{Flags, Settings};

pub(crate) fn run(args: &Use) -> Result<(), Failure> {
    let settings = Settings::load(&Flags::default(), &[])?;
    let spec = by_name(&args.kind)?;
    let running = pick(proxies(&settings.config)?, args.proxy.as_deref())?;
    let mut choice = Map::new();
    choice.insert("backend".to_owned(), spec.name.into());
    for (key, value) in [("backend_url", &args.backend_url), ("model", &args.model), ("backend_api", &args.backend_api)]
    {
        if let Some(value) = value {
            choice.insert(key.to_owned(), value.as_str().into());
        }
    }
    // A key belongs to one server. The one that is set goes along where the user means this server by it.
    let own = std::env::var("ANYCLAUDE_API_KEY").ok();
    let is_anthropics = spec.role == Role::PassThrough && args.backend_url.is_none();
    let anthropics = || std::env::var("ANTHROPIC_API_KEY").ok().filter(|_| is_anthropics);
    if let Some(key) = own.or_else(anthropics).filter(|key| !key.is_empty()) {
        choice.insert("api_key".to_owned(), key.into());
    }
    let answer = switch(&running.file, &Value::Object(choice))?;
    if args.output.json {
        return Ok(output::json(&json!({"proxy": running.file.url, "backend": answer.get("backend")}))?);
    }
    let (kind, url) = (json::text(&answer, "/backend/kind"), json::text(&answer, "/backend/url"));
    let place = if url.is_empty() { String::new() } else { format!(" at {url}") };
    output::line(format_args!("{} uses {kind}{place} from now on", running.file.url))?;
    Ok(())
}

/// The proxy that is meant: the one that is named, or the only one.
fn pick(mut running: Vec<Running>, named: Option<&str>) -> Result<Running, Failure> {
    if let Some(url) = named {
        let url = url.trim_end_matches('/');
        let found = running.into_iter().find(|running| running.file.url == url);
        return found
            .ok_or_else(|| Failure::new(format!("--proxy: no proxy runs at {url}; `anyclaude status` lists them")));
    }
    match (running.pop(), running.as_slice()) {
        (Some(only), []) => Ok(only),
        (None, _) => Err(Failure::new("no proxy is running; start one with `anyclaude serve` or `anyclaude claude`")),
        (Some(last), others) => {
            let urls: Vec<&str> = others.iter().chain([&last]).map(|running| running.file.url.as_str()).collect();
            Err(Failure::settings(format!("several proxies are running; choose one with --proxy: {}", urls.join(", "))))
        }
    }
}
