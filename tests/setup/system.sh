#!/bin/sh
# system.sh [clients]: the tools that have to be there before anything can be installed; with `clients` also
# those that take part in the e2e tests. Says what is missing and how to get it;
# with CI=true or INSTALL=1, as root on a Debian-like system, it installs what the distribution has.
. "$(dirname "$0")/lib.sh"

missing=
packages=

need() { # NAME "DEBIAN PACKAGES" HOW test-command...
    name=$1 debian=$2 how=$3
    shift 3
    if "$@" > /dev/null 2>&1; then return; fi
    missing="$missing
  $name: $how"
    packages="$packages $debian"
}

python_ok() {
    "${PYTHON:-python3}" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))'
}

npm_ok() {
    npm --version
}

# The npm SDK wants this much of the Node that runs it.
node_ok() {
    node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'
}

# Headless it needs neither a screen nor its sandbox.
browser_ok() {
    for name in ${CHROMIUM:-} chromium chromium-browser google-chrome; do
        if command -v "$name"; then return; fi
    done
    return 1
}

# An older cargo fails in the middle of a dependency, with an error that does not say so.
cargo_ok() {
    rustfmt --version && cargo clippy --version || return 1
    minor=$(cargo --version | sed 's/^cargo 1\.\([0-9]*\).*/\1/')
    [ "$minor" -ge 88 ]
}

check() {
    missing='' packages=''
    need "C and C++ compilers" build-essential "apt-get install build-essential, or Xcode's command line tools" c++ --version
    need "Python >= 3.10 with venv" "python3 python3-venv" "apt-get install python3 python3-venv" python_ok
    need "pkg-config" pkg-config "apt-get install pkg-config" pkg-config --version
    if [ "$(uname -s)" = Linux ]; then
        need "valgrind, which watches the C tests" valgrind "apt-get install valgrind" valgrind --version
    fi
    need "npm" npm "apt-get install npm, or with Node from nodejs.org" npm_ok
    need "Rust >= 1.88 with rustfmt and clippy" "" "rustup (rustup.rs); distributions are mostly too old" cargo_ok
    if [ "${1:-}" = clients ]; then
        need "Node >= 18" nodejs "apt-get install nodejs, or from nodejs.org" node_ok
        need "curl" curl "apt-get install curl" curl --version
        need "tmux, the terminal of Claude Code in the tests" tmux "apt-get install tmux" tmux -V
        if [ "$(uname -s)" = Linux ] && ! "$root/tests/swift" --on-path; then
            need "debootstrap, which brings Swift 6 (or Swift 6 itself)" debootstrap "apt-get install debootstrap" debootstrap --version
        fi
        need "Chromium, which opens hostile pages" chromium "apt-get install chromium, or CHROMIUM=PATH" browser_ok
    fi
    [ -z "$missing" ]
}

check "$@" && exit 0
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null &&
    { [ "${CI:-}" = true ] || [ "${INSTALL:-}" = 1 ]; }; then
    apt-get update -q
    # shellcheck disable=SC2086  # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
    check "$@" && exit 0
fi
die "missing:$missing
(as root on Debian, INSTALL=1 installs what apt has)"
