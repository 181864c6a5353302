#!/bin/sh
# Claude Code, each version in a folder of its own: .cache/claude/VERSION/claude
#
# The npm package `@anthropic-ai/claude-code` is a launcher that wants a recent Node; the program itself is a
# native binary in a package per platform. Installing that package alone needs npm of any version and no
# particular Node, and runs no install script.
. "$(dirname "$0")/lib.sh"

versions=${*:-$(cat "$setup/claude-versions.txt")}

platform() {
    case "$(uname -s)" in
        Linux) os=linux ;;
        Darwin) os=darwin ;;
        *) die "no Claude Code for $(uname -s)" ;;
    esac
    case "$(uname -m)" in
        x86_64 | amd64) cpu=x64 ;;
        aarch64 | arm64) cpu=arm64 ;;
        *) die "no Claude Code for $(uname -m)" ;;
    esac
    libc=
    if [ "$os" = linux ] && ls /lib/ld-musl-* > /dev/null 2>&1; then libc=-musl; fi
    printf '%s-%s%s\n' "$os" "$cpu" "$libc"
}

target=$(platform)
for version in $versions; do
    dir=$cache/claude/$version
    package=@anthropic-ai/claude-code-$target
    pin="$package@$version"
    up_to_date "$dir" "$pin" && continue
    start_afresh "$dir" "Claude Code $version ($target)"
    # --force: the platform is chosen above; npm's own opinion on engines does not matter, Node never runs it.
    npm install --prefix "$dir" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --force \
        --loglevel=error --update-notifier=false "$pin"
    ln -s "node_modules/$package/claude" "$dir/claude"
    found=$(DISABLE_AUTOUPDATER=1 "$dir/claude" --version) || die "$pin does not start"
    case $found in
        "$version "*) stamp "$dir" "$pin" ;;
        *) die "$pin calls itself '$found'" ;;
    esac
done
