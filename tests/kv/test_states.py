"""States: what is counted, cut and refused."""

from __future__ import annotations

import copy

import mlx.core as mx
import pytest
from anyclaude.kv import PrefixCache, states
from mlx_lm.models.cache import ArraysCache, KVCache, RotatingKVCache
from small_models import KINDS, WINDOW, Model, load

PROMPT = [(7 * at) % 500 for at in range(300)]


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> Model:
    return load(request.param)


@pytest.fixture
def state(model: Model) -> list:
    made = model.new_state()
    model.read(PROMPT, made)
    return made


def values(state: list) -> list:
    return [array.tolist() for array in states._arrays(state)]  # pyright: ignore[reportPrivateUsage]


def test_length_and_bytes(model: Model, state: list) -> None:
    assert states.length(model.new_state()) is None
    assert states.length(state) == 300
    assert states.trimmable(state) == (model.kind in {"full", "quantised", "chunked"})
    before = states.nbytes(state)
    assert states.settled(state) is state and states.length(state) == 300
    # Room for 512 tokens becomes room for at most 300 and a step.
    assert 0 < states.nbytes(state) <= before


def test_copies_are_their_own(model: Model, state: list) -> None:
    before = values(state)
    own = states.prefix_copy(state, 300)
    assert own is not None
    model.read([1, 2, 3], own)
    assert states.length(own) == 303 and states.length(state) == 300
    assert values(state) == before
    after = values(own)
    model.read([4, 5], state)
    assert values(own) == after


def test_cuts(model: Model, state: list) -> None:
    cut = states.prefix_copy(state, 200)
    if not states.trimmable(state):
        assert cut is None
        return
    assert cut is not None and states.length(cut) == 200 and states.length(state) == 300
    anew = model.new_state()
    model.read(PROMPT[:200], anew)
    assert model.greedy([9], cut, 5) == model.greedy([9], anew, 5)


def test_no_such_length(state: list) -> None:
    for tokens in (0, -1, 301, 1 << 40):
        assert states.prefix_copy(state, tokens) is None


def test_layers_that_disagree(state: list) -> None:
    counting = [layer for layer in states._layers(state) if hasattr(layer, "offset")]  # pyright: ignore[reportPrivateUsage]
    counting[0].offset -= 1
    assert states.length(state) is None and states.prefix_copy(state, 10) is None


def test_fewer_tokens_than_are_told() -> None:
    layer = KVCache()
    layer.update_and_fetch(mx.zeros((1, 1, 10, 4)), mx.zeros((1, 1, 10, 4)))
    layer.offset = 10_000
    assert states.length([layer]) is None
    windowed = RotatingKVCache(max_size=WINDOW)
    windowed.update_and_fetch(mx.zeros((1, 1, 10, 4)), mx.zeros((1, 1, 10, 4)))
    windowed.offset = 20
    assert states.length([windowed]) is None


class Own(KVCache):
    """Of a class that nobody here knows, whatever it is made of."""


class Foreign:
    offset = 3


def test_unknown_classes_are_not_kept() -> None:
    own = Own()
    own.update_and_fetch(mx.zeros((1, 1, 3, 4)), mx.zeros((1, 1, 3, 4)))
    recurrent = ArraysCache(1)
    recurrent[0] = mx.zeros((1, 4))
    cache = PrefixCache(max_bytes=1 << 20)
    # Recurrent layers alone cannot tell how many tokens they have seen.
    for state in ([own], [Foreign()], [recurrent], []):
        assert states.length(state) is None
        assert not cache.store("model", [1, 2, 3], state)
        assert cache.fetch("model", [1, 2, 3, 4]) is None
    assert cache.stats()["unknown"] == 4 and len(cache) == 0


def test_a_state_that_changed_behind_the_cache(model: Model, state: list) -> None:
    """Nothing is reused that is not what was stored."""
    cache = PrefixCache(max_bytes=1 << 30)
    assert cache.store("model", PROMPT, state)
    model.read([1], state)
    for layer in states._layers(state):  # pyright: ignore[reportPrivateUsage]
        if hasattr(layer, "offset"):
            layer.offset += 1000
    assert cache.fetch("model", [*PROMPT, 1]) is None
    assert cache.stats()["mismatched"] == 1 and len(cache) == 0


def test_states_of_more_or_fewer_tokens_than_told(model: Model, state: list) -> None:
    cache = PrefixCache(max_bytes=1 << 30)
    fewer = copy.deepcopy(state)
    assert cache.store("model", PROMPT[:290], state) == states.trimmable(state)
    # The last token of an answer has not been read when it is given out.
    assert cache.store("model", [*PROMPT, 5], fewer)
    found = cache.fetch("model", [*PROMPT, 5, 6])
    assert found is not None and found.tokens == 300 and states.length(found.state) == 300
    assert cache.held("model", [*PROMPT, 5, 6]) == 300 and cache.held("another", PROMPT) == 0


@pytest.mark.parametrize("heads", [1, 2])
def test_a_view_does_not_hold_a_batch(heads: int) -> None:
    before = mx.get_active_memory()
    batch = mx.zeros((4, heads, 10_000, 8))
    layer = KVCache()
    layer.keys = layer.values = batch[1:2, :, :10]
    layer.offset = 10
    mx.eval(batch, layer.keys)
    [settled] = states.settled([layer])
    del batch, layer
    assert mx.get_active_memory() - before < 64_000
    assert settled.keys.shape == (1, heads, 10, 8)
