//! One case a run, for instruction counts: `tests/bench/instructions.sh` runs it under callgrind.
//!
//! `instructions CASE ROUNDS` does the case's work ROUNDS times; the script takes the difference of
//! two counts of rounds, so that start-up does not count.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::hint::black_box;

use anyclaude_core::{Options, RequestContext, RequestMeta, StreamConverter, Translator, backend};

fn main() {
    let args: Vec<String> = std::env::args().filter(|arg| arg != "--bench").collect();
    let [_, case, rounds] = args.as_slice() else {
        return; // run by `cargo bench` without a case
    };
    let rounds: usize = rounds.parse().unwrap();
    match case.as_str() {
        "translate_60k" => translate(60_000, rounds),
        "translate_130k" => translate(130_000, rounds),
        "text_event" => convert(&support::text_stream(100), rounds),
        "tool_event" => convert(&support::tool_stream(100), rounds),
        other => panic!("{other:?} is no case"),
    }
}

fn translate(bytes: usize, rounds: usize) {
    let body = support::request(bytes);
    let translator = Translator::new(*backend::by_name("mlx-lm").unwrap(), Options::default());
    for _ in 0..rounds {
        black_box(translator.request_json(black_box(&body), &RequestMeta::default()).unwrap());
    }
}

/// 100 events a round.
fn convert(stream: &[Vec<u8>], rounds: usize) {
    let mut converter = StreamConverter::new(RequestContext::for_model("m"));
    let mut out = Vec::with_capacity(4096);
    for _ in 0..rounds {
        for event in &stream[1..] {
            converter.push(black_box(event), &mut out);
            out.clear();
        }
    }
}
