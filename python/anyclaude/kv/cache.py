"""The prefix cache of a server: an index in Rust that knows which state begins a prompt, and the states themselves."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .._native import PrefixIndex
from . import states
from .states import State

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger("anyclaude.kv")

LOAD_GAIN = 128
"""A saved state is loaded if it spares so many tokens more than what is in memory: fewer are computed sooner than a
file is read."""


LEAST_REUSED = 16
"""Fewer tokens are computed faster than a state is copied: what all templates begin with is no reason to."""


MOST_LACKING = 1
"""A state may lack so many of its tokens: the last one of an answer is computed by whoever goes on from it."""


class Disk(Protocol):
    """Where pinned states outlive the process."""

    def find(self, scope: str, tokens: Sequence[int]) -> tuple[str, int] | None:
        """The state that spares most of a prompt: its key, and how many tokens of the prompt it begins with.

        Reads nothing.
        """
        ...

    def load(self, key: str) -> tuple[list[int], State] | None:
        """The tokens and the state of a key; ``None`` if it is damaged or gone."""
        ...

    def save(self, scope: str, tokens: Sequence[int], state: State) -> None:
        """Saves a state, now or soon."""
        ...

    def close(self) -> None:
        """Ends what is going on."""
        ...


class Reused(NamedTuple):
    """A state to go on from."""

    state: State
    """An own copy."""
    tokens: int
    """So many tokens of the prompt are in it."""


class PrefixCache:
    """Keeps KV states, and finds the one that holds the longest beginning of a prompt.

    Any thread may call it. ``fetch`` and ``store`` touch MLX's arrays and belong on the thread that runs the model.
    Whatever goes wrong is a miss and is counted: no answer fails for it.
    """

    def __init__(self, *, max_bytes: int, disk: Disk | None = None) -> None:
        self._index = PrefixIndex(max_bytes)
        self._disk = disk
        self._states: dict[int, State] = {}
        # Slots that were pinned, the one that was used last at the end. The index may have let some go since.
        self._pinned: dict[int, None] = {}
        self._scopes: dict[int, str] = {}
        # Index and states change together.
        self._lock = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._warned: set[str] = set()

    def fetch(self, scope: str, tokens: Sequence[int]) -> Reused | None:
        """The state with the longest beginning of a prompt, at least one token of which is left to be computed."""
        asked = list(tokens[:-1])
        try:
            with self._lock:
                return self._from_disk(scope, asked) or self._from_memory(scope, asked)
        except Exception as error:
            self._failed("fetch", error)
            return None

    def _from_memory(self, scope: str, tokens: list[int]) -> Reused | None:
        match = self._index.lookup(tokens, scope=scope)
        if match is None:
            return None
        slot = match["slot"]
        if slot in self._pinned:
            self._pinned[slot] = self._pinned.pop(slot)
        if match["reused"] < LEAST_REUSED:
            self._index.release(slot)
            return None
        try:
            own = states.prefix_copy(self._states[slot], match["reused"])
        finally:
            self._index.release(slot)
        if own is None:
            # It is not what was stored. Nothing is ever reused of it.
            self._counts["mismatched"] += 1
            self._drop([slot] if self._index.remove(slot) else [])
            return None
        return Reused(own, match["reused"])

    def _from_disk(self, scope: str, tokens: list[int]) -> Reused | None:
        """From a saved state, where it holds more than any in memory."""
        found = self._disk.find(scope, tokens) if self._disk else None
        if self._disk is None or found is None:
            return None
        key, length = found
        loaded = self._disk.load(key) if length >= self._held(scope, tokens) + LOAD_GAIN else None
        if loaded is None:
            return None
        saved, state = loaded
        own = states.prefix_copy(state, length) if saved[:length] == tokens[:length] else None
        if own is None:
            self._counts["mismatched"] += 1
            return None
        # As the index counts what it finds.
        self._counts["loaded"] += 1
        self._counts["prompt_tokens"] += len(tokens)
        self._counts["reused_tokens"] += length
        self._keep(scope, saved, state, pinned=True)
        return Reused(own, length)

    def store(self, scope: str, tokens: Sequence[int], state: State, *, pinned: bool = False) -> bool:
        """Keeps the state after ``tokens``, which is the cache's from now on; tells whether it was kept.

        Pinned states are saved on disk, too. A state that lacks the last token, which an answer need not compute, is kept
        without it; one that lacks more is not kept. One that holds more is cut; one that is of an unknown class or cannot
        be cut is not kept.
        """
        try:
            return self._store(scope, list(tokens), state, pinned)
        except Exception as error:
            self._failed("store", error)
            return False

    def _store(self, scope: str, tokens: list[int], state: State, pinned: bool) -> bool:
        held = states.length(state)
        if held is not None and held > len(tokens):
            cut = states.prefix_copy(state, len(tokens))
            held, state = (None, state) if cut is None else (len(tokens), cut)
        if not held:
            self._counts["unknown"] += 1
            return False
        if len(tokens) - held > MOST_LACKING:
            # Which of the tokens it was computed from, nobody knows.
            self._counts["mismatched"] += 1
            return False
        del tokens[held:]
        kept = self._keep(scope, tokens, state, pinned)
        if kept and pinned and self._disk:
            self._disk.save(scope, tokens, state)
        return kept

    def _keep(self, scope: str, tokens: list[int], state: State, pinned: bool) -> bool:
        states.settled(state)
        with self._lock:
            inserted = self._index.insert(
                tokens, states.nbytes(state), scope=scope, pinned=pinned, trimmable=states.trimmable(state)
            )
            self._drop(inserted["dropped"])
            if inserted["slot"] is None:
                return False
            self._states[inserted["slot"]], self._scopes[inserted["slot"]] = state, scope
            if pinned:
                self._pinned[inserted["slot"]] = None
            return True

    def held(self, scope: str, tokens: Sequence[int]) -> int:
        """How many tokens of a prompt are here now. Counts as no use."""
        with self._lock:
            return self._held(scope, tokens)

    def _held(self, scope: str, tokens: Sequence[int]) -> int:
        match = self._index.peek(tokens, scope=scope)
        return match["reused"] if match else 0

    def checkpoints(self, scope: str, tokens: Sequence[int], breakpoints: Sequence[int], reused: int) -> list[int]:
        """Where in a prompt a state that cannot be cut is worth a copy: lengths in tokens, rising."""
        return self._index.checkpoints(tokens, list(breakpoints), reused, scope=scope)

    def free(self, bytes: int) -> None:  # noqa: A002 - as the index has it
        """Frees the least recently used states until so many bytes are free."""
        with self._lock:
            self._drop(self._index.free(bytes))

    def limit(self, count: int) -> None:
        """Drops the least recently used states until there are no more than ``count``, of which half stay pinned at
        most: else the states of conversations would be dropped as they come. Those in use stay."""
        with self._lock:
            while self._pinned and self._index.stats()["pinned"] > count // 2:
                slot = next(iter(self._pinned))
                del self._pinned[slot]
                self._index.pin(slot, False)
            while (before := len(self._index)) > max(0, count):
                self._drop(self._index.free(1))
                if len(self._index) >= before:
                    return

    def set_max_bytes(self, max_bytes: int) -> None:
        """Another budget, in bytes."""
        with self._lock:
            self._drop(self._index.set_max_bytes(max_bytes))

    def clear(self, scope: str | None = None) -> None:
        """Drops all states in memory, or those of one scope; those on disk stay."""
        if scope is None:
            return self.free(self.nbytes)
        with self._lock:
            slots = [slot for slot, own in self._scopes.items() if own == scope]
            self._drop([slot for slot in slots if self._index.remove(slot)])

    def forget(self, scope: str, tokens: Sequence[int]) -> bool:
        """Drops the state that a prompt would go on from, as the model failed with it; counts that."""
        with self._lock:
            match = self._index.peek(tokens, scope=scope)
            if match is None:
                return False
            self._counts["failed"] += 1
            self._drop([match["slot"]] if self._index.remove(match["slot"]) else [])
            return True

    def _drop(self, slots: Iterable[int]) -> None:
        for slot in slots:
            self._states.pop(slot, None)
            self._pinned.pop(slot, None)
            self._scopes.pop(slot, None)

    @property
    def nbytes(self) -> int:
        """What the states hold in memory, in bytes."""
        return self._index.stats()["bytes"]

    def __len__(self) -> int:
        return len(self._index)

    def stats(self) -> dict[str, int]:
        """Counters since the start, and what is held now.

        Those of the index, and states ``loaded`` from disk, refused as ``unknown``, dropped as ``mismatched``, and
        calls that ``failed``.
        """
        counts = self._counts
        counted = {name: counts[name] for name in ("loaded", "unknown", "mismatched", "failed")}
        held: Any = self._index.stats()
        found = {name: held[name] + counts["loaded"] for name in ("lookups", "hits")}
        tokens = {name: held[name] + counts[name] for name in ("prompt_tokens", "reused_tokens")}
        return {**held, **found, **tokens, **counted}

    def close(self) -> None:
        """Drops all states, and ends what is still being saved."""
        self.clear()
        if self._disk:
            self._disk.close()

    def _failed(self, what: str, error: Exception) -> None:
        """Counts what went wrong, and says so once for each kind. The message of an error may hold a prompt."""
        self._counts["failed"] += 1
        kind = f"{what} ({type(error).__name__})"
        if kind not in self._warned:
            self._warned.add(kind)
            log.warning("the prefix cache failed to %s: told once; prompts are read anew", kind)
