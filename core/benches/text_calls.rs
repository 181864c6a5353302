//! How fast text tool calls are read: `cargo bench -p anyclaude-core --bench text_calls`.
//!
//! Text and calls stand beside a plain copy of the same bytes; hostile text stands beside a quarter of itself, which
//! must take about a quarter of the time.

#![allow(missing_docs, clippy::unwrap_used)]

use anyclaude_core::toolcall::{Choice, Piece, ToolParser};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

const SIZE: usize = 256 << 10;

/// Characters that come at once, as from a model that is asked for a stream.
const PIECE: usize = 16;

fn tools() -> Value {
    json!([{"name": "Write", "input_schema": {"type": "object", "properties": {
        "path": {"type": "string"}, "content": {"type": "string"}}}}])
}

fn plain() -> String {
    "The parser looks for `a < b` and [links](x), and finds {nothing} of interest here.\n".repeat(SIZE / 82)
}

fn hermes() -> String {
    let call = json!({"name": "Write", "arguments": {"path": "a.txt", "content": "line of text\n".repeat(400)}});
    format!("I write it.\n<tool_call>\n{call}\n</tool_call>\n").repeat(SIZE / 6000)
}

fn xml() -> String {
    let content = "line of text\n".repeat(400);
    format!(
        "<tool_call>\n<function=Write>\n<parameter=path>\na.txt\n</parameter>\n<parameter=content>\n{content}\n</parameter>\n\
         </function>\n</tool_call>\n"
    )
    .repeat(SIZE / 5400)
}

fn read(bencher: Bencher<'_, '_>, text: &str) {
    let tools = tools();
    let tools = tools.as_array().unwrap();
    let pieces: Vec<&str> = text.as_bytes().chunks(PIECE).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let mut parser = ToolParser::new(Choice::Any, tools, false);
        let mut bytes = 0;
        let mut sink = |piece: Piece<'_>| {
            if let Piece::Text(text) | Piece::Arguments(text) = piece {
                bytes += text.len();
            }
        };
        for piece in black_box(&pieces) {
            parser.push(piece, &mut sink);
        }
        parser.finish(&mut sink);
        bytes
    });
}

#[divan::bench]
fn plain_text(bencher: Bencher<'_, '_>) {
    read(bencher, &plain());
}

#[divan::bench]
fn json_calls(bencher: Bencher<'_, '_>) {
    read(bencher, &hermes());
}

#[divan::bench]
fn xml_calls(bencher: Bencher<'_, '_>) {
    read(bencher, &xml());
}

#[divan::bench]
fn floor_copy(bencher: Bencher<'_, '_>) {
    let text = plain();
    bencher.counter(BytesCount::new(text.len())).bench(|| black_box(&text).clone());
}

#[divan::bench(args = [SIZE / 4, SIZE])]
fn hostile_markers(bencher: Bencher<'_, '_>, bytes: usize) {
    read(bencher, &"<tool_call>{\"a\":[".repeat(bytes / 17));
}

#[divan::bench(args = [SIZE / 4, SIZE])]
fn hostile_openers(bencher: Bencher<'_, '_>, bytes: usize) {
    read(bencher, &"<".repeat(bytes));
}
