"""Memory under many requests: what is counted stays within the budget, and what the process holds stays flat."""

from __future__ import annotations

import os
import random
from pathlib import Path

import mlx.core as mx
import pytest
from anyclaude.kv import PrefixCache
from mlx_lm.utils import load
from small_models import Model

REQUESTS = int(os.environ.get("KV_REQUESTS", "200"))
"""`make soak` asks for 10,000."""

BUDGET = 64 << 20
TINY = Path(__file__).parents[2] / ".cache/model/tiny"
SLACK = 12 << 20
"""What the process may grow by while the cache is full: allocators keep some of what is given back."""


def resident() -> int:
    """What the process holds in memory, in bytes."""
    if not Path("/proc/self/statm").exists():
        return mx.get_active_memory()
    mx.clear_cache()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def prompt_of(session: int, turns: int, tokens: int = 300) -> list[int]:
    """The system prompt that all sessions share, and what was said in one."""
    shared, own = random.Random(0), random.Random(session)
    return [shared.randrange(4000) for _ in range(200)] + [own.randrange(4000) for _ in range(tokens * turns)]


@pytest.fixture(scope="module")
def tiny() -> Model:
    model, _ = load(str(TINY))  # pyright: ignore[reportAssignmentType]
    return Model("tiny", model)


def serve(model: Model, cache: PrefixCache, prompt: list[int]) -> int:
    found = cache.fetch("model", prompt)
    state, reused = (found.state, found.tokens) if found else (model.new_state(), 0)
    model.read(prompt[reused:], state)
    cache.store("model", prompt, state, pinned=len(prompt) == 200)
    stats = cache.stats()
    assert stats["bytes"] <= stats["max_bytes"]
    return reused


def test_200_sessions_in_64_megabytes(tiny: Model) -> None:
    cache = PrefixCache(max_bytes=BUDGET)
    before = mx.get_active_memory()
    serve(tiny, cache, prompt_of(0, 0))
    sizes = []
    for session in range(200):
        reused = serve(tiny, cache, prompt_of(session, 1 + session % 2))
        assert reused >= 199
        sizes.append(resident())
    assert cache.stats()["evicted"] > 50 and cache.nbytes > BUDGET // 2
    held = mx.get_active_memory() - before
    assert abs(held - cache.nbytes) < 4 << 20, (held, cache.nbytes)
    assert max(sizes[100:]) - sizes[100] < SLACK, [size >> 20 for size in sizes[::10]]


def test_many_requests(tiny: Model) -> None:
    """Sessions that come and go and come back."""
    # Full after some twenty requests.
    cache, order = PrefixCache(max_bytes=BUDGET // 16), random.Random(5)
    turns: dict[int, int] = {}
    sizes, reused, read = [], 0, 0
    for number in range(REQUESTS):
        session = order.randrange(number // 20, number // 20 + 8)
        turns[session] = turns.get(session, 0) % 6 + 1
        prompt = prompt_of(session, turns[session], 50)
        reused += serve(tiny, cache, prompt)
        read += len(prompt)
        if number % (REQUESTS // 20) == 0:
            sizes.append(resident())
    assert cache.stats()["failed"] == cache.stats()["mismatched"] == 0
    assert reused > 0.4 * read, (reused, read)
    half = len(sizes) // 2
    assert max(sizes[half:]) - max(sizes[:half]) < SLACK, [size >> 20 for size in sizes]
