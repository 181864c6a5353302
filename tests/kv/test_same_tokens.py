"""With the cache a model says what it says without."""

from __future__ import annotations

import os
import random

import pytest
from anyclaude.kv import PrefixCache
from small_models import KINDS, VOCABULARY, Model, conversation, load

TOKENS = int(os.environ.get("KV_TOKENS", "12"))
"""Tokens of each answer; `make soak` asks for 200."""


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> Model:
    return load(request.param)


def answer(model: Model, cache: PrefixCache, prompt: list[int], breakpoints: list[int]) -> tuple[list[int], int]:
    """As a server does it: goes on from what is there, keeps checkpoints on the way and the state at the end."""
    found = cache.fetch("model", prompt)
    state, reused = (found.state, found.tokens) if found else (model.new_state(), 0)
    read = reused
    for end in cache.checkpoints("model", prompt, breakpoints, reused):
        if end < len(prompt):
            model.read(prompt[read:end], state)
            read = end
            kept = copy_of(state)
            cache.store("model", prompt[:end], kept, pinned=end == breakpoints[0])
    said = model.greedy(prompt[read:], state, TOKENS)
    cache.store("model", [*prompt, *said], state)
    return said, reused


def copy_of(state: list) -> list:
    """What a server hands over while it goes on with its own."""
    import copy

    return copy.deepcopy(state)


def test_conversations(model: Model) -> None:
    """Some conversations side by side, which begin alike, some of them with their last turn asked anew."""
    cache, shared, order = PrefixCache(max_bytes=1 << 30), 0, random.Random(3)
    running = [(list(conversation(seed, 4)), []) for seed in range(4)]
    read = 0
    while any(turns for turns, _ in running):
        turns, prompt = order.choice([one for one in running if one[0]])
        prompt += turns.pop(0)
        breakpoints = [90, len(prompt) - 5, len(prompt)]
        other = [*prompt[:-3], *(order.randrange(VOCABULARY) for _ in range(9))]
        for asked in (prompt, prompt, other):
            said, reused = answer(model, cache, asked, breakpoints)
            assert said == model.greedy(asked, model.new_state(), TOKENS), (model.kind, len(asked), reused)
            shared += reused
            read += len(asked)
        prompt += model.greedy(prompt, model.new_state(), TOKENS)
    stats = cache.stats()
    assert stats["failed"] == stats["mismatched"] == stats["unknown"] == 0
    assert shared == stats["reused_tokens"] > 0.7 * read, (shared, read)


def test_a_wrong_reuse_would_show(model: Model) -> None:
    """The same, with a state that belongs to other tokens: the model's answers depend on it."""
    prompts = [next(iter(conversation(seed, 1))) for seed in (1, 2)]
    state = model.new_state()
    model.read(prompts[0][:-1], state)
    wrong = model.greedy(prompts[1][-1:], state, TOKENS)
    assert wrong != model.greedy(prompts[1], model.new_state(), TOKENS)


def test_the_budget_holds(model: Model) -> None:
    state = model.new_state()
    prompt = next(iter(conversation(0, 1)))
    model.read(prompt, state)
    cache = PrefixCache(max_bytes=1 << 40)
    assert cache.store("model", prompt, state)
    one = cache.nbytes
    assert one > 0
    cache = PrefixCache(max_bytes=3 * one)
    for seed in range(9):
        state, prompt = model.new_state(), next(iter(conversation(seed, 1)))
        model.read(prompt, state)
        assert cache.store("model", prompt, state)
        assert 0 < cache.nbytes <= 3 * one
    assert len(cache) == 3 and cache.stats()["evicted"] == 6
    found = cache.fetch("model", prompt)
    # What cannot be cut has no state for a prompt of which one token must be computed.
    assert (found is None) == (model.kind in {"rotating", "hybrid", "together", "chunks"})
