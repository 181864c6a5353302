"""What a request had of the cache and left in it, told to whoever answers it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence


class Same:
    """What the requests of one prompt have in common: a stored state does not tell whose of them it is."""

    def __init__(self, prompt: list[int]) -> None:
        self.prompt = prompt
        self.system = 0
        """Where system prompt and tools end in the prompt; 0 where that is not known."""
        self.held = 0
        """Tokens of the prompt that were in the cache when a state of it had been stored last."""
        self.open = 0
        """Requests that are being answered."""
        self.ended = 0
        """Answers whose end has been seen."""
        self.stored = 0
        """Answers whose state has been stored, or was not worth it."""


class Ticket:
    """One request's. The thread that runs the model writes it, the one that answers reads it."""

    def __init__(self) -> None:
        self.same: Same | None = None
        """Once the prompt is known, and its state will be offered to the cache."""
        self.reused = 0
        """Tokens of the prompt that were taken from the cache."""

    @property
    def written(self) -> int:
        """Tokens of the prompt that were computed now, and that the same prompt would find in the cache.

        Never its last: that one is computed each time. It also keeps the count of other tokens above 0, without which
        Claude Code takes the estimate that an answer began with for tokens beside those of the cache.
        """
        same = self.same
        return 0 if same is None else max(0, min(same.held, len(same.prompt) - 1) - self.reused)


class Tickets:
    """Those of all requests that are being answered. A request that nobody waits for any more drops out by itself."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: list[weakref.ref[Same]] = []

    def open(self, ticket: Ticket, prompt: list[int]) -> None:
        """The request's prompt is known."""
        with self._changed:
            self._open = [other for other in self._open if other() is not None]
            same = next((same for same in self._living() if same.prompt == prompt), None)
            if same is None:
                same = Same(prompt)
                self._open.append(weakref.ref(same))
            same.open += 1
            ticket.same = same

    def _living(self) -> list[Same]:
        return [same for other in self._open if (same := other()) is not None]

    def of(self, tokens: Sequence[int]) -> list[Same]:
        """The open requests whose prompt and answer these tokens may be: several, where one goes on after another."""
        with self._changed:
            living = self._living()
        return [
            same
            for same in living
            if len(same.prompt) < len(tokens) and list(tokens[: len(same.prompt)]) == same.prompt
        ]

    def stored(self, requests: Sequence[Same]) -> None:
        """A state of these has been stored, or was not worth it."""
        with self._changed:
            for same in requests:
                same.stored += 1
            self._changed.notify_all()

    def wait_until_stored(self, ticket: Ticket, timeout: float) -> None:
        """The request's answer has ended: returns when its state is stored.

        The server ends an answer and stores its state at once, one after the other: of so many answers of a prompt
        that have ended, so many states come.
        """
        same = ticket.same
        if same is None:
            return
        with self._changed:
            same.ended += 1
            mine = same.ended
            self._changed.wait_for(lambda: same.stored >= mine, timeout)

    def close(self, ticket: Ticket) -> None:
        """The request has its answer, or has left."""
        same = ticket.same
        if same is None:
            return
        with self._changed:
            same.open -= 1
            if same.open <= 0:
                self._open = [other for other in self._open if other() is not same]
