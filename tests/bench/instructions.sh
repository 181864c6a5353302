#!/usr/bin/env bash
# Instruction counts of the core's hot paths, by callgrind: the same for the same code, whatever else
# the machine does. Prints "case <tab> instructions"; the committed counts are in instructions.tsv.
#   tests/bench/instructions.sh           compare with the committed counts
#   tests/bench/instructions.sh --bless   write them
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }

binary=$(cargo bench -q -p anyclaude-core --bench instructions --no-run --message-format=json |
  python3 -c 'import json,sys; print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("executable")][-1])')

count() { # case, rounds: instructions of the whole run
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$1" "$2" 2>&1 |
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

measure() {
  for case in translate_60k translate_130k text_event tool_event; do
    local few many per=10
    few=$(count "$case" 2) many=$(count "$case" 12)
    case $case in *_event) per=1000 ;; esac
    printf '%s\t%d\n' "$case" $(((many - few) / per))
  done
}

table=tests/bench/instructions.tsv
if [ "${1:-}" = --bless ]; then
  measure | tee "$table"
else
  measure | while IFS=$'\t' read -r case now; do
    before=$(awk -F'\t' -v c="$case" '$1 == c {print $2}' "$table")
    awk -v c="$case" -v n="$now" -v b="$before" 'BEGIN {printf "%-16s %10d instructions, committed %10d, %+.1f %%\n", c, n, b, (n - b) * 100 / b}'
  done
fi
