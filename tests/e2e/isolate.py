#!/usr/bin/env python3
"""isolate.py COMMAND...: run a command where only the loopback interface exists.

Real clients take part in these tests. In a network namespace of their own they cannot reach anything but the
test's servers, whatever they try. Where the system does not allow that, proxy variables that lead nowhere
are the second best.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
DEAD_END = "http://127.0.0.1:9"


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if enter_empty_network():
        os.environ["ANYCLAUDE_E2E_NETWORK"] = "loopback"
    else:
        print("isolate: no network namespace here, using dead proxy variables", file=sys.stderr)
        os.environ["ANYCLAUDE_E2E_NETWORK"] = "host"
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            os.environ[name] = os.environ[name.upper()] = DEAD_END
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    os.execvp(sys.argv[1], sys.argv[1:])


def enter_empty_network() -> bool:
    """Linux only; as root directly, otherwise by way of a user namespace that maps us to root."""
    if not sys.platform.startswith("linux"):
        return False
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if user == 0 and libc.unshare(CLONE_NEWNET) == 0:
        raise_loopback()
        return True
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return False
    for path, line in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{path}", "w") as file:
            file.write(line)
    raise_loopback()
    return True


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


main()
