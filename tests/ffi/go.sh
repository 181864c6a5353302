#!/bin/sh
# examples/go: as gofmt writes it, without a word of `go vet`, its tests under the race detector, its program for real.
. "$(dirname "$0")/lib.sh"

# Nothing is fetched: not another toolchain, no module.
export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOPROXY=off GOCACHE="$cache/go-build" CGO_LDFLAGS="-Wl,-rpath,$prefix/lib"
export PATH="$cache/venv/go/bin:$PATH"
cd "$root/examples/go"

(cd "$(go env GOROOT)/src/cmd/gofmt" && go build -o "$work/gofmt" .)
unformatted=$("$work/gofmt" -l .)
[ -z "$unformatted" ] || die "gofmt would write otherwise: $unformatted"
go vet ./...
go test -race -count=1 ./...

go build -o "$work/serve" ./cmd/serve
"$work/serve" Ahoy > "$work/answer" 2> "$work/told" || die "serve fails: $(cat "$work/told")"
grep -q 'You asked: "Ahoy"' "$work/answer" || die "no answer: $(cat "$work/answer")"
grep -q '"type":"done"' "$work/told" || die "no events: $(cat "$work/told")"
if "$work/serve" -backend nowhere 2> "$work/told"; then die "a backend that nobody knows is taken"; fi
grep -q '^anyclaude: .*nowhere' "$work/told" || die "an error without its words: $(cat "$work/told")"
