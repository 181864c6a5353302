# Shared by the install scripts: `. "$(dirname "$0")/lib.sh"`.
# Everything lands in .cache/ of the checkout; a stamp file holds the pin that was installed, so that a
# second run does nothing and a changed pin (or an install cut short) starts that one piece afresh.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
setup=$root/tests/setup
cache=${ANYCLAUDE_TEST_CACHE:-$root/.cache}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# up_to_date DIR PIN: is exactly this pin installed in DIR?
up_to_date() {
    [ -f "$1/.stamp" ] && [ "$(cat "$1/.stamp")" = "$2" ]
}

# start_afresh DIR NAME: announce the install and clear what is there.
start_afresh() {
    printf 'installing %s\n' "$2"
    rm -rf "$1"
    mkdir -p "$1"
}

# stamp DIR PIN: last step of an install.
stamp() {
    printf '%s\n' "$2" > "$1/.stamp"
}
