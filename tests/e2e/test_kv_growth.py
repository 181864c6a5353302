"""A real server with a small budget and many sessions: what the cache counts stays within it, the process stays flat."""

import os
import re
from pathlib import Path

import pytest

from support import messages
from support.real import RealBackend

SESSIONS = int(os.environ.get("KV_SESSIONS", "200"))
"""`make soak` asks for 10,000."""

pytestmark = pytest.mark.timeout(300 + SESSIONS)

MEGABYTES = 64
# The tiny model keeps 2 KB a token: sessions of 500 tokens fill the budget within the first half of 200.
WORDS = 90

SLACK = 16 << 20
"""What the process may grow by while its cache is full: allocators keep some of what is given back."""


def resident(process) -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("flags", [(), ("--continuous-batching",)], ids=["mlx-lm", "vllm-mlx-batching"])
def test_sessions(flags, tmp_path):
    kind = "vllm-mlx embedded" if flags else "mlx-lm embedded"
    own = ("--anyclaude-cache-memory", f"{MEGABYTES}MB", "--anyclaude-cache-disk", "off")
    server = RealBackend(kind, tmp_path / "server.log", flags=(*flags, *own))
    try:
        sizes, shares = [], []
        for session in range(SESSIONS):
            words = " ".join(f"s{session}w{number}" for number in range(WORDS))
            reply = messages.post(server.root, messages.request(words, system="Be brief. " * 60))
            assert reply.ended, reply
            usage = reply.message["usage"]
            shares.append(usage["cache_read_input_tokens"])
            sizes.append(resident(server.process()))
    finally:
        server.stop()
    half = SESSIONS // 2
    print(kind, *(size >> 20 for size in sizes[:: SESSIONS // 20]))
    # The beginning that all share is never pushed out.
    assert min(shares[1:]) > 100, shares
    assert max(sizes[half:]) - max(sizes[:half]) < SLACK, [size >> 20 for size in sizes[:: SESSIONS // 20]]
    if kind == "mlx-lm embedded":
        counted = [float(number) for number in re.findall(r"Prompt Cache: \d+ sequences, ([\d.]+) GB", server.log())]
        assert len(counted) == SESSIONS and 0.05 < max(counted) <= 0.07, (len(counted), max(counted))
