#!/bin/sh
# Swift 6. The one on the path, or else Debian 13's in a root of its own, .cache/swift (3 GB, some five minutes):
# distributions as old as Debian 12 have none. tests/swift runs either.
. "$(dirname "$0")/lib.sh"

if "$root/tests/swift" --on-path; then exit 0; fi

suite=trixie
packages="swiftlang libc6-dev libstdc++-14-dev"
dir=$cache/swift
pin="$suite $packages"
up_to_date "$dir" "$pin" && exit 0

how="install Swift 6 (swift.org/install) so that \`swift\` is on the path"
[ "$(uname -s)" = Linux ] || die "$how"
[ "$(id -u)" = 0 ] || die "$how, or run this as root, which installs Debian's"
command -v debootstrap > /dev/null || die "$how, or install debootstrap"

# Where this machine gets its packages of Debian from; it knows of mirrors that we do not.
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        grep -v security | head -n 1
}
mirror=${DEBIAN_MIRROR:-$(debian_mirror)}
# A machine that is new has not asked its mirrors yet what they are.
if [ -z "$mirror" ]; then apt-get update -q && mirror=$(debian_mirror); fi
[ -n "$mirror" ] || die "apt has no mirror of Debian; name one in DEBIAN_MIRROR, or $how"
eval "$(apt-config shell proxy Acquire::http::Proxy)"
if [ -n "${proxy:-}" ]; then export http_proxy="$proxy"; fi

if grep -q " $dir/" /proc/mounts; then die "something is mounted below $dir; unmount it first"; fi
start_afresh "$dir" "Swift, in a root of Debian $suite"
log=$cache/swift.log
# In a mount namespace of its own, where there may be one, so that no mount outlives this script.
in_private() {
    if unshare --mount true 2> /dev/null; then unshare --mount "$@"; else "$@"; fi
}
export suite dir mirror packages
in_private sh -euc "$(cat << 'SCRIPT'
debootstrap --variant=minbase "$suite" "$dir" "$mirror"
trap 'umount "$dir/proc" 2> /dev/null || true' EXIT
mount -t proc proc "$dir/proc" || echo "no /proc inside: going on without"
# shellcheck disable=SC2086  # a list of words
DEBIAN_FRONTEND=noninteractive chroot "$dir" apt-get install -q -y --no-install-recommends $packages
chroot "$dir" apt-get clean
rm -rf "$dir/var/lib/apt/lists" "$dir/usr/share/doc"
SCRIPT
)" > "$log" 2>&1 || { tail -n 30 "$log" >&2; die "see $log"; }
stamp "$dir" "$pin"
