"""A long run under load: no growth of memory, files or threads, and every answer right. `make soak`."""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import messages
from support.replies import Answer, Steps, delta_frame, error

SECONDS = float(os.environ.get("SOAK_SECONDS", 600))
CLIENTS = 16

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 120)]

LONG = "word " * 2000
REPLIES = [
    lambda: Answer("Short."),
    lambda: Answer(LONG, thinking="Hm. " * 200, pieces=400),
    lambda: Answer(tools=[("Bash", {"command": "echo " + LONG})], pieces=200),
    lambda: Answer("Slow.", first_byte_after=0.5),
    lambda: Steps([delta_frame({"content": "Half"}), "reset"]),
    lambda: error(503, "loading"),
]


def test_soak(backend, proxy):
    replies = random.Random(0)
    backend.script(lambda *_: replies.choice(REPLIES)())
    deadline = time.monotonic() + SECONDS
    warm = time.monotonic() + SECONDS / 5
    process = Path(f"/proc/{proxy.process.pid}")
    counts = {"ended": 0, "failed": 0}

    def client(seed: int) -> None:
        choice = random.Random(seed)
        while time.monotonic() < deadline:
            body = messages.request(LONG * choice.randint(1, 20), tools=[messages.BASH])
            reply = messages.post(proxy.url, body, stream=choice.random() < 0.8)
            counts["ended" if reply.ended else "failed"] += 1
            backend.exchanges.clear()  # the recording would grow, not the proxy

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, seed) for seed in range(CLIENTS)]
        time.sleep(max(0, warm - time.monotonic()))
        before = figures(process)
        for one in clients:
            one.result()
    time.sleep(6)  # idle connections are closed after a moment
    after = figures(process)
    print(f"{counts}, warm {before}, at the end {after}")
    assert counts["ended"] > 2 * counts["failed"] > 0, counts
    assert after["memory"] < 1.3 * before["memory"] + 20_000, (before, after)
    assert after["files"] < 30, "connections were left open"
    assert after["threads"] <= before["threads"] + 2


def figures(process: Path) -> dict[str, int]:
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
    return {
        "memory": int(status["VmRSS"].split()[0]),
        "files": len(list((process / "fd").iterdir())),
        "threads": int(status["Threads"]),
    }
