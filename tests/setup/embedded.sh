#!/bin/sh
# The wheel in the Python of real servers.
#   embedded.sh stamp            the wheel in .cache/wheel was built from the sources as they are now
#   embedded.sh current          is it still?
#   embedded.sh install NAME...  put it into the environments .cache/venv/NAME
. "$(dirname "$0")/lib.sh"

# Every file that the wheel is made of.
sources() {
    cd "$root"
    git ls-files --cached --others --exclude-standard Cargo.toml Cargo.lock core/src core/Cargo.toml \
        examples/standalone/src examples/standalone/Cargo.toml python \
        | sort | while read -r file; do if [ -f "$file" ]; then cksum "$file"; fi; done | cksum
}

command=$1
shift
case $command in
stamp) sources > "$cache/wheel/.sources" ;;
current) [ -f "$cache/wheel/.sources" ] && [ "$(sources)" = "$(cat "$cache/wheel/.sources")" ] ;;
install)
    for name; do
        # Its version does not change while it is worked on.
        "$cache/venv/$name/bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall \
            "$cache"/wheel/*.whl
    done
    ;;
*) die "$command: use stamp, current or install" ;;
esac
