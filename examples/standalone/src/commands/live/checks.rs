//! What the backend is made to do. Each check tells what it saw, or what is wrong.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::client::{Client, is_piece, question};
use crate::json;

/// A check; it is given how long a plain answer took.
pub(super) type Check = fn(&Client, f64) -> Result<String, String>;

/// All checks in their order; the first tells how long a plain answer takes.
pub(super) const CHECKS: [(&str, Check); 5] =
    [("answer", answer), ("tool call", tool_call), ("stream", stream), ("cancel", cancel), ("repeat", repeat)];

/// Sentences of the prompt that is sent twice, some 2,000 tokens: long enough to tell a cache from none.
const SENTENCES: usize = 200;

/// After a client has left, the server must be free within this many times what a plain answer took.
const FREE_WITHIN: f64 = 5.0;

/// A repeated prompt must be faster than this share of the first time, where the server tells no figures.
const FASTER: f64 = 0.7;

/// A prompt that is read sooner than this, in seconds, tells nothing of a cache.
const TOO_QUICK: f64 = 0.1;

fn answer(client: &Client, _plain: f64) -> Result<String, String> {
    let message = client.message(&question("Say hello in one short sentence.", 64))?;
    if json::list(&message, "/content").is_empty() {
        return Err("the answer is empty".to_owned());
    }
    let (tokens, reason) = (json::number(&message, "/usage/output_tokens"), json::text(&message, "/stop_reason"));
    Ok(format!("{tokens} tokens, stop_reason {reason}"))
}

fn tool_call(client: &Client, _plain: f64) -> Result<String, String> {
    let bash = json!({
        "name": "Bash", "description": "Runs a shell command and returns its output, such as the time from `date`.",
        "input_schema": {
            "type": "object",
            "properties": {"command": {"type": "string"}, "description": {"type": "string"}},
            "required": ["command"],
        },
    });
    let mut body = question("What time is it in Oslo? Use the tool.", 512);
    if let Some(object) = body.as_object_mut() {
        object.insert("tools".to_owned(), json!([bash]));
    }
    let message = client.message(&body)?;
    let call = json::list(&message, "/content").iter().find(|block| json::text(block, "/type") == "tool_use");
    match call {
        Some(call) => Ok(format!("{} {}", json::text(call, "/name"), json::at(call, "/input"))),
        None => Err("the model answered with text instead of a call; Claude Code needs calls".to_owned()),
    }
}

fn stream(client: &Client, _plain: f64) -> Result<String, String> {
    let begun = Instant::now();
    let (mut first, mut pieces, mut ended) = (None, 0, false);
    client.events(question("Count from one to twenty in words.", 128), &mut |event| {
        if is_piece(event) {
            first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
            pieces += 1;
        }
        ended |= json::text(event, "/type") == "message_stop";
        true
    })?;
    match first {
        Some(first) if ended => Ok(format!("{pieces} pieces, the first after {first:.2} s")),
        Some(_) => Err("the stream has no end".to_owned()),
        None => Err("nothing came".to_owned()),
    }
}

/// Leaves a long answer, and asks for a short one: a server that works on for nobody makes it wait.
fn cancel(client: &Client, plain: f64) -> Result<String, String> {
    let mut left = false;
    client.events(question("Write a very long story.", 2048), &mut |event| {
        left |= is_piece(event);
        !left
    })?;
    if !left {
        return Err("nothing came that could have been cancelled".to_owned());
    }
    let begun = Instant::now();
    answer(client, plain)?;
    let (seconds, limit) = (begun.elapsed().as_secs_f64(), plain.max(0.5) * FREE_WITHIN);
    if seconds <= limit {
        Ok(format!("the server was free for the next answer, which took {seconds:.2} s"))
    } else {
        Err(format!("the next answer took {seconds:.2} s, over {limit:.2} s: the server seems to work on for nobody"))
    }
}

fn repeat(client: &Client, _plain: f64) -> Result<String, String> {
    // Different in every run, so that the first time is cold.
    let nonce = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let filler = " The quick brown fox jumps over the lazy dog.".repeat(SENTENCES);
    let prompt = question(&format!("{nonce}{filler}\nSay hello."), 8);
    let (cold, _) = first_token(client, &prompt)?;
    let (warm, usage) = first_token(client, &prompt)?;
    let cached = json::number(&usage, "/cache_read_input_tokens");
    let figures = format!("first token after {cold:.2} s, again after {warm:.2} s, {cached} tokens from the cache");
    if cached > 0 || warm < cold * FASTER || cold < TOO_QUICK {
        Ok(figures)
    } else {
        Err(format!("{figures}: the server keeps no prompt cache"))
    }
}

/// Seconds to the first token of an answer, and its usage.
fn first_token(client: &Client, prompt: &Value) -> Result<(f64, Value), String> {
    let begun = Instant::now();
    let (mut first, mut usage) = (None, Value::Null);
    client.events(prompt.clone(), &mut |event| {
        if is_piece(event) {
            first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
        }
        if json::text(event, "/type") == "message_delta" {
            usage = json::at(event, "/usage").clone();
        }
        true
    })?;
    Ok((first.unwrap_or_else(|| begun.elapsed().as_secs_f64()), usage))
}
