"""One prompt on its way through a model: what of it is reused, where its state is kept, and what that came to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from . import states
from .cache import PrefixCache, Reused
from .note import Note
from .states import State

logger = logging.getLogger("anyclaude.kv")

MIN_PIN = 64
"""The shortest beginning that is kept for itself, in tokens: shorter ones are computed faster than they are found."""

# Those of some sessions and their subagents, with their tokens a megabyte each.
_TEXTS = 16


class Prompt:
    """Belongs to one request, and to the thread that runs the model. It raises nothing: an answer needs no cache."""

    def __init__(
        self,
        cache: PrefixCache,
        scope: str,
        tokens: Sequence[int],
        *,
        pin: int = 0,
        breakpoints: Sequence[int] = (),
        note: Note | None = None,
    ) -> None:
        """``pin`` is where system prompt and tools end, ``breakpoints`` are ends of turns, all in tokens."""
        self.tokens = list(tokens)
        self.reused = 0
        self._cache = cache
        self._scope = scope
        self._pin = pin if MIN_PIN <= pin < len(self.tokens) else 0
        self._breakpoints = [place for place in breakpoints if 0 < place < len(self.tokens)]
        self._note = note
        self._is_over = False

    def fetch(self) -> Reused | None:
        """What the cache has of the prompt."""
        found = self._cache.fetch(self._scope, self.tokens)
        self.took(0 if found is None else found.tokens)
        return found

    def failed(self) -> None:
        """The model failed with what was fetched: nobody gets that again, and the prompt is computed anew."""
        with never_breaking("drop a state"):
            self._cache.forget(self._scope, self.tokens[: self.reused])
        if not _warned & {"failed"}:
            _warned.add("failed")
            logger.warning("a kept state was of no use and is dropped; the prompt is read anew (told once)")
        self.took(0)

    def took(self, reused: int) -> None:
        """So many tokens of the prompt are not computed for it."""
        self.reused = reused
        if self._note is not None:
            self._note.cached = reused

    def stops(self, empty: State) -> list[int]:
        """Where computing has to halt for ``keep``: lengths in tokens, rising. ``empty`` is a new state of the model.

        States that can be cut need none but the whole.
        """
        if states.can_be_cut(empty):
            return []
        places = {self._pin, *self._breakpoints, len(self.tokens) - 1} - {0}
        with never_breaking("look where to halt"):
            found = self._cache.checkpoints(self._scope, self.tokens, sorted(places), self.reused)
            return [place for place in found if self.reused < place < len(self.tokens)]
        return []

    def segments(self, stops: Sequence[int]) -> Iterator[list[int]]:
        """What is left to be computed, cut at ``stops``."""
        at = self.reused
        for stop in (*stops, len(self.tokens)):
            yield self.tokens[at:stop]
            at = stop

    def keep(self, state: State, tokens: int) -> None:
        """Keeps a copy of the state at one of the stops; goes on with its own."""
        with never_breaking("copy a state"):
            own = states.prefix_copy(state, tokens)
            if own is not None:
                self._cache.store(self._scope, self.tokens[:tokens], own, pinned=tokens == self._pin)

    def end(self, state: State, tokens: Sequence[int]) -> None:
        """Gives the state after ``tokens``, the answer's with them, to the cache. Only the first call counts."""
        if self._is_over:
            return
        self._is_over = True
        with never_breaking("keep a state"):
            if self._pin and self._pin in self._cache.checkpoints(self._scope, self.tokens, [self._pin], 0):
                self.keep(state, self._pin)
            self._cache.store(self._scope, tokens, state)
            if self._note is not None:
                # The last token is computed for every prompt anew, it is never taken from here.
                held = self._cache.held(self._scope, self.tokens[:-1])
                self._note.written = max(0, held - self.reused)


def remembering(tokenize: Callable[[str], Sequence[int]]) -> Callable[[str], Sequence[int]]:
    """The same for texts that come with each request of a session: system prompts and tools."""
    return lru_cache(_TEXTS)(tokenize)


def prefix_length(tokenize: Callable[[str], Sequence[int]], note: Note | None, tokens: Sequence[int]) -> int:
    """Where the text of system prompt and tools ends in a prompt, in tokens; 0 if that is not known."""
    if note is None or not note.prefix:
        return 0
    with never_breaking("look for the end of the system prompt"):
        return common(tokens, tokenize(note.prefix))
    return 0


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two prompts begin with together."""
    for at, (left, right) in enumerate(zip(one, other)):
        if left != right:
            return at
    return min(len(one), len(other))


@contextmanager
def never_breaking(what: str) -> Generator[None, None, None]:
    """Says once what went wrong; the prompt is read anew then."""
    try:
        yield
    except Exception as error:
        kind = f"{what}: {type(error).__name__}"
        if kind not in _warned:
            _warned.add(kind)
            logger.warning("the prefix cache could not %s: %s (told once)", what, type(error).__name__)


# By this process; each kind of trouble once.
_warned: set[str] = set()
