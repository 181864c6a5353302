//! `anyclaude parse-tools`: what a model has written, as text, thinking and calls.

use std::hash::{BuildHasher, RandomState};
use std::io::Read;

use anyclaude_core::Seed;
use anyclaude_core::toolcall::{Choice, Collector, Piece, ToolParser, by_name, formats};
use serde_json::{Value, json};

use crate::args::ParseTools;
use crate::failure::Failure;
use crate::output;

/// Reads standard input and prints one object.
pub(crate) fn run(args: &ParseTools) -> Result<(), Failure> {
    let choice = choice(args)?;
    let mut parser = ToolParser::new(choice, &tools(args)?, args.prompt_opens_thinking);
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let mut collector = Collector::default();
    let mut sink = |piece: Piece<'_>| collector.take(piece);
    let size = args.chunk.map_or(text.len(), |size| size.get());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let at = rest.char_indices().nth(size).map_or(rest.len(), |(at, _)| at);
        let (chunk, behind) = rest.split_at(at);
        parser.push(chunk, &mut sink);
        rest = behind;
    }
    parser.finish(&mut sink);
    let parsed = collector.finish();
    let seed = seed();
    let call = |(ordinal, (name, input)): (u64, &(String, Value))| json!({"id": seed.tool_use_id(ordinal), "name": name, "input": input});
    let calls: Vec<Value> = (0..).zip(&parsed.calls).map(call).collect();
    output::line(json!({"text": parsed.text, "thinking": parsed.thinking, "calls": calls}))?;
    Ok(())
}

fn choice(args: &ParseTools) -> Result<Choice<'_>, Failure> {
    let Some(name) = &args.format else { return Ok(args.model.as_deref().map_or(Choice::Any, Choice::Model)) };
    let format = by_name(name).ok_or_else(|| {
        let known: Vec<&str> = formats().map(|format| format.name).collect();
        Failure::settings(format!("format: {name:?} is not known; choose one of {}", known.join(", ")))
    })?;
    Ok(Choice::Format(format))
}

fn tools(args: &ParseTools) -> Result<Vec<Value>, Failure> {
    let Some(file) = &args.tools else { return Ok(Vec::new()) };
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let bytes = std::fs::read(file).map_err(|error| Failure::new(wrong(&error)))?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::settings(wrong(&error)))
}

/// No two runs have ids in common.
fn seed() -> Seed {
    let half = || u128::from(RandomState::new().hash_one(std::process::id()));
    Seed(half() << 64 | half())
}
