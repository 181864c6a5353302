# Shared by the checks of this folder: `. "$(dirname "$0")/lib.sh"`. The library is installed in .cache/prefix.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${ANYCLAUDE_TEST_CACHE:-$root/.cache}
prefix=$cache/prefix
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# same NAME WANTED GOT: the same bytes.
same() {
    cmp "$2" "$3" || die "$1"
}

# section NAME FILE: a section of a golden case.
section() {
    awk -v name="=== $1" '/^=== / { on = $0 == name; next } on' "$2"
}
