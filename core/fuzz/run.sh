#!/usr/bin/env bash
# run.sh [SECONDS] [TARGET...]: fuzz each target for some seconds (default 60) from the golden corpus.
#
# Coverage is what guides the fuzzer, and the flags that ask the compiler for it also work on stable.
# COVERAGE=0 leaves them out: then inputs are changed blindly, which needs no second build.
# What it learns stays in corpus/TARGET, what breaks a target in artifacts/TARGET; run it again with
#   target/fuzz/HOST/debug/TARGET artifacts/TARGET/FILE
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-60}
targets=("${@:2}")
if [ ${#targets[@]} = 0 ]; then
    for file in fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

if [ "${COVERAGE:-1}" = 0 ]; then
    cargo build --bins
    built=target/debug
else
    flags=(-Cpasses=sancov-module --cfg fuzzing -Ccodegen-units=1)
    for option in level=4 inline-8bit-counters pc-table trace-compares; do
        flags+=("-Cllvm-args=-sanitizer-coverage-$option")
    done
    # With --target named, build scripts and macros are not instrumented: they have no fuzzer to link to.
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS="${flags[*]}" cargo build --bins --target "$host" --target-dir target/fuzz
    built=target/fuzz/$host/debug
fi
cargo build --example seeds

failed=()
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target" "target/seeds/$target"
    target/debug/examples/seeds "$target" "target/seeds/$target"
    printf '== %s\n' "$target"
    # The golden inputs are the second folder, which the fuzzer only reads.
    "$built/$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_funcs=0 \
        -artifact_prefix="artifacts/$target/" -print_final_stats=1 -verbosity="${VERBOSITY:-0}" \
        "corpus/$target" "target/seeds/$target" || failed+=("$target")
done
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[*]}"
    exit 1
fi
