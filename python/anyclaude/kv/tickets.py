"""What a request had of the cache and left in it, told to whoever answers it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence


class Ticket:
    """One request's. The thread that runs the model writes it, the one that answers reads it."""

    def __init__(self) -> None:
        self.is_open = False
        """Its prompt is known, and its state will be offered to the cache."""
        self.prompt: list[int] = []
        self.reused = 0
        """Tokens of the prompt that were taken from the cache."""
        self.held = 0
        """Tokens of the prompt that were in the cache when its state had been stored."""
        self.stored = threading.Event()
        """The request's last state has been stored, or was not worth it."""

    @property
    def written(self) -> int:
        """Tokens of the prompt that were computed now, and that the same prompt would find in the cache.

        Never its last: that one is computed each time. It also keeps the count of other tokens above 0, without which
        Claude Code takes the estimate that an answer began with for tokens beside those of the cache.
        """
        return max(0, min(self.held, len(self.prompt) - 1) - self.reused)


class Tickets:
    """Those of all requests that are being answered. A request that nobody waits for any more drops out by itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[weakref.ref[Ticket]] = []

    def open(self, ticket: Ticket) -> None:
        """The request's prompt is known."""
        with self._lock:
            self._open = [other for other in self._open if other() is not None]
            self._open.append(weakref.ref(ticket))
        ticket.is_open = True

    def answered(self, tokens: Sequence[int]) -> Ticket | None:
        """Takes out the ticket of the request whose prompt and answer these tokens are: that with most of them as its
        prompt, of several such the one that came first."""
        best: Ticket | None = None
        with self._lock:
            for ticket in [ticket for other in self._open if (ticket := other()) is not None]:
                length = len(ticket.prompt)
                if length >= len(tokens) or (best is not None and length <= len(best.prompt)):
                    continue
                if list(tokens[:length]) == ticket.prompt:
                    best = ticket
            if best is not None:
                self._open = [other for other in self._open if other() is not best]
        return best
