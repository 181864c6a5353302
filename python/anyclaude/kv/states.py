"""KV states: what they hold, and how one is copied, cut and settled.

A state is the list of cache objects that mlx-lm's models write to, one a layer. Only classes that are known here are
touched: of any other one, nobody here can say what a cut does to it.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator
from typing import Any, cast

State = list[Any]
"""One cache object for each layer of the model."""

SPARE_TOKENS = 256
"""So much room for further tokens is left in a state that is kept: the step in which mlx-lm's caches grow."""

_MODULE = "mlx_lm.models.cache"

# With an offset that counts all tokens that were ever written, and arrays whose second last axis is the tokens'.
GROWING = frozenset({"KVCache", "ConcatenateKVCache", "QuantizedKVCache"})
"""The classes whose states can be cut at any length. Windows can only as long as nothing has slid out of them."""
_WINDOWED = frozenset({"RotatingKVCache", "ChunkedKVCache"})
# Sums over all tokens, of which none can be taken away. They do not know how many tokens they have seen.
_RECURRENT = frozenset({"ArraysCache"})
_TOGETHER = "CacheList"

KNOWN = GROWING | _WINDOWED | _RECURRENT | {_TOGETHER}
"""The classes of ``mlx_lm.models.cache`` that are kept."""


def length(state: State) -> int | None:
    """How many tokens a state holds, on which all layers must agree.

    ``None`` for a class that is unknown, for layers that disagree or hold less than they say, and for states that have
    nothing but recurrent layers, which cannot tell.
    """
    found: set[int] = set()
    for layer in _layers(state):
        name = _class(layer)
        if name in _RECURRENT:
            if layer.empty():
                return None
            continue
        if name not in GROWING | _WINDOWED:
            return None
        if layer.keys is None or layer.values is None:
            return None
        offset = int(layer.offset)
        if offset <= 0 or _held(layer) < _needed(layer, name, offset):
            return None
        found.add(offset)
    return found.pop() if len(found) == 1 else None


def trimmable(state: State) -> bool:
    """Whether a state can be cut to any shorter length."""
    # A chunk is attended from its first token on, which a cache of chunks that has let its beginning go may lack.
    return all(
        _class(layer) in KNOWN and layer.is_trimmable() and not getattr(layer, "start_position", 0)
        for layer in _layers(state)
    )


def can_be_cut(empty: State) -> bool:
    """Whether all states of a model can be cut at any length, of which ``empty`` is a new one."""
    return all(_class(layer) in GROWING for layer in _layers(empty))


def nbytes(state: State) -> int:
    """What a state holds in memory, in bytes, room for further tokens included."""
    return sum(array.nbytes for array in _arrays(state))


def prefix_copy(state: State, tokens: int) -> State | None:
    """An own copy of the state after the first ``tokens`` tokens; ``None`` if there is no such.

    Nothing is computed before the copy is written to. Whatever happens to it, ``state`` stays as it was.
    """
    held = length(state)
    if held is None or not 0 < tokens <= held:
        return None
    surplus = held - tokens
    if surplus and not trimmable(state):
        return None
    own = copy.deepcopy(state)
    for layer in own:
        if surplus and layer.trim(surplus) != surplus:
            return None
    for layer in _layers(own):
        if _class(layer) in GROWING:
            _slice(layer, tokens)
    return own if length(own) == tokens else None


def settled(state: State) -> State:
    """The same state computed to its end, without much room, and with arrays that belong to nothing else.

    ``state`` itself is changed, and given back.
    """
    mx: Any = importlib.import_module("mlx.core")
    for layer in _layers(state):
        if _class(layer) in GROWING and _held(layer) - layer.offset >= SPARE_TOKENS:
            _slice(layer, layer.offset)
    # A view holds on to all of the array that it shows a part of.
    for layer in _layers(state):
        _replace(layer, lambda array: mx.contiguous(array))
    mx.eval(list(_arrays(state)))
    return state


def _class(layer: Any) -> str:
    """The name of a class of mlx-lm itself; a subclass may do anything."""
    kind: type[object] = layer.__class__
    return kind.__name__ if kind.__module__ == _MODULE else ""


def _layers(state: State) -> Iterator[Any]:
    """All caches, those that stand together in one layer each by itself."""
    for layer in state:
        if _class(layer) == _TOGETHER:
            yield from _layers(list(layer.caches))
        else:
            yield layer


def _parts(value: Any) -> Iterator[Any]:
    """The arrays of a layer's keys or values, which are three if they are quantised."""
    if isinstance(value, (tuple, list)):
        yield from cast("list[Any]", value)
    elif value is not None:
        yield value


def _arrays(state: State) -> Iterator[Any]:
    for layer in _layers(state):
        if _class(layer) in _RECURRENT:
            yield from (array for array in layer.cache if array is not None)
        else:
            yield from _parts(layer.keys)
            yield from _parts(layer.values)


def _held(layer: Any) -> int:
    """The tokens for which there is room in a layer's arrays."""
    return min(int(array.shape[-2]) for array in (*_parts(layer.keys), *_parts(layer.values)))


def _needed(layer: Any, name: str, offset: int) -> int:
    """The tokens that a layer's arrays have to hold when it has seen ``offset``."""
    if name == "RotatingKVCache":
        return min(offset, int(layer.max_size))
    if name == "ChunkedKVCache":
        return offset - int(layer.start_position)
    return offset


def _slice(layer: Any, tokens: int) -> None:
    _replace(layer, lambda array: array[..., :tokens, :])


def _replace(layer: Any, change: Callable[[Any], Any]) -> None:
    """Puts other arrays in place of a layer's."""

    def changed(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            # mlx-lm writes to the arrays of a quantised cache one by one: they are a list in any case.
            return [change(array) for array in cast("list[Any]", value)]
        return None if value is None else change(value)

    if _class(layer) in _RECURRENT:
        layer.cache = [changed(array) for array in layer.cache]
    else:
        layer.keys, layer.values = changed(layer.keys), changed(layer.values)
