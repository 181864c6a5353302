//! `anyclaude parse-tools`: what a model has written, as text, thinking and calls.

use std::hash::{BuildHasher, RandomState};
use std::io::Read;

use anyclaude_core::Seed;
use anyclaude_core::toolcall::{Choice, Collector, Piece, ToolParser, read_tools};
use serde_json::Value;

use crate::args::ParseTools;
use crate::failure::Failure;
use crate::output;

/// Reads standard input and prints one object.
pub(crate) fn run(args: &ParseTools) -> Result<(), Failure> {
    let choice = Choice::named(args.format.as_deref(), args.model.as_deref())?;
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
    output::line(collector.finish().to_json(seed()))?;
    Ok(())
}

fn tools(args: &ParseTools) -> Result<Vec<Value>, Failure> {
    let Some(file) = &args.tools else { return Ok(Vec::new()) };
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let bytes = std::fs::read(file).map_err(|error| Failure::new(wrong(&error)))?;
    read_tools(&bytes).map_err(|error| Failure::settings(wrong(&error.message())))
}

/// No two runs have ids in common.
fn seed() -> Seed {
    let half = || u128::from(RandomState::new().hash_one(std::process::id()));
    Seed(half() << 64 | half())
}
