//! Wall-clock benchmarks: `cargo bench -p anyclaude-core --bench speed`.
//!
//! Each case stands beside a floor of the same bytes, since only ratios travel between machines.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use anyclaude_core::{Options, RequestContext, RequestMeta, StreamConverter, Translator, backend};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const SIZES: [usize; 2] = [60_000, 130_000];
const EVENTS: usize = 1000;

#[divan::bench(args = SIZES)]
fn translate_request(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = support::request(bytes);
    let translator = Translator::new(*backend::by_name("mlx-lm").unwrap(), Options::default());
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| translator.request_json(black_box(&body), &RequestMeta::default()).unwrap());
}

#[divan::bench(args = SIZES)]
fn floor_parse_to_value(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = support::request(bytes);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| serde_json::from_slice::<serde_json::Value>(black_box(&body)).unwrap());
}

#[divan::bench(args = SIZES)]
fn floor_copy(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = support::request(bytes);
    bencher.counter(BytesCount::new(body.len())).bench(|| black_box(&body).clone());
}

#[divan::bench]
fn convert_text_events(bencher: Bencher<'_, '_>) {
    convert(bencher, &support::text_stream(EVENTS));
}

#[divan::bench]
fn convert_tool_events(bencher: Bencher<'_, '_>) {
    convert(bencher, &support::tool_stream(EVENTS));
}

fn convert(bencher: Bencher<'_, '_>, stream: &[Vec<u8>]) {
    bencher.counter(ItemsCount::new(stream.len())).bench_local(|| {
        let mut converter = StreamConverter::new(RequestContext::for_model("m"));
        let mut out = Vec::with_capacity(4096);
        let mut written = 0;
        for event in stream {
            converter.push(black_box(event), &mut out);
            written += out.len();
            out.clear();
        }
        written
    });
}
