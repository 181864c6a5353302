#!/bin/sh
# ffi.sh: the sizes of the C library in .cache/prefix, and calls a second across its border.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
prefix=${ANYCLAUDE_TEST_CACHE:-$root/.cache}/prefix
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
# shellcheck disable=SC2046  # lists of words
cc -O2 "$root/tests/bench/ffi.c" -o "$work/shared" $(pkg-config --cflags --libs anyclaude) "-Wl,-rpath,$prefix/lib"
cc -O2 "$root/tests/bench/ffi.c" -o "$work/static" $(pkg-config --cflags --libs anyclaude-static)
strip -o "$work/libanyclaude.so" "$prefix/lib/libanyclaude.so"
strip -o "$work/static-stripped" "$work/static"
size() { printf '%-40s %10s bytes\n' "$1" "$(wc -c < "$2")"; }
size "shared library, stripped" "$work/libanyclaude.so"
size "static library" "$prefix/lib/libanyclaude.a"
size "program with the static library, stripped" "$work/static-stripped"
for kind in shared static; do
    echo "$kind:"
    "$work/$kind"
done
