#!/bin/sh
# examples/swift: its tests, and its program for real.
. "$(dirname "$0")/lib.sh"

export LD_LIBRARY_PATH="$prefix/lib" DYLD_LIBRARY_PATH="$prefix/lib"
in_swift() {
    verb=$1
    shift
    "$root/tests/swift" "$root/examples/swift" "$verb" --build-path "$cache/swift-build" -Xswiftc -warnings-as-errors "$@"
}

in_swift test > "$work/tests" 2>&1 || { cat "$work/tests"; die "the tests fail"; }
# It is also content with tests that it has not found. From Swift 6.2 on it counts the suites, too.
grep -E 'Test run with ([5-9]|[1-9][0-9]+) tests( in [0-9]+ suites?)? passed' "$work/tests" || { cat "$work/tests"; die "the tests did not run"; }

in_swift run serve Ahoy > "$work/answer" 2> "$work/told" || die "serve fails: $(cat "$work/told")"
grep -q 'You asked: "Ahoy"' "$work/answer" || die "no answer: $(cat "$work/answer")"
grep -q '"type":"done"' "$work/told" || die "no events: $(cat "$work/told")"
