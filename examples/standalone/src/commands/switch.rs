//! `anyclaude use`: gives a running proxy another backend.

use anyclaude_core::Config;
use anyclaude_core::backend::{BackendSpec, Role, by_name};
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
    for (key, value) in [
        ("backend_url", &args.backend_url),
        ("model", &args.model),
        ("backend_api", &args.backend_api),
        ("tools", &args.tools),
        ("tool_format", &args.tool_format),
        ("prompt_opens_thinking", &args.prompt_opens_thinking),
        ("backend_stream", &args.backend_stream),
    ] {
        if let Some(value) = value {
            choice.insert(key.to_owned(), value.as_str().into());
        }
    }
    if let Some(key) = key(args, spec, &settings.config)? {
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

/// The key to send along. A key belongs to one server: none goes to another because it is at hand.
fn key(args: &Use, spec: &BackendSpec, config: &Config) -> Result<Option<String>, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|key| !key.is_empty());
    if let Some(name) = &args.key_env {
        let missing = || Failure::settings(format!("--key-env: the variable {name} is not set; put the key there"));
        return variable(name).map(Some).ok_or_else(missing);
    }
    let is_theirs = by_name(&config.backend).is_ok_and(|named| named.name == spec.name);
    if is_theirs && args.backend_url == config.backend_url {
        return Ok(config.api_key.as_ref().map(|key| key.expose().to_owned()));
    }
    let is_anthropics = spec.role == Role::PassThrough && args.backend_url.is_none();
    Ok(variable("ANTHROPIC_API_KEY").filter(|_| is_anthropics))
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
