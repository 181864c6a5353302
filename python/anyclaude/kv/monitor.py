"""Gives memory back before the machine runs out of it."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

from .memory import available, total

logger = logging.getLogger("anyclaude.kv")

RESERVE_SHARE = 20
"""The reserve is one part in so many of the machine's memory: below that, systems begin to swap or to end programs."""

LEAST_RESERVE = 512 << 20
"""The least reserve in bytes, but never more than a quarter of the machine."""

LOOK_EVERY = 1.0
"""Seconds between two looks. Reading a prompt takes hundreds of megabytes a second at most."""


class Holder(Protocol):
    """What holds memory: the prefix cache."""

    @property
    def nbytes(self) -> int:
        """What could be freed, in bytes."""
        ...

    def free(self, bytes: int, /) -> None:
        """Frees so many, the least useful first."""
        ...


class Monitor:
    """Looks at the machine's free memory, and has the cache free what is missing to the reserve."""

    def __init__(
        self,
        cache: Holder,
        *,
        reserve: int | None = None,
        free_memory: Callable[[], int] = available,
        give_back: Callable[[], None] | None = None,
        every: float = LOOK_EVERY,
    ) -> None:
        """``reserve`` is in bytes, by default a share of the machine; ``free_memory`` tells what there is, and
        ``give_back`` hands freed memory to the system. ``start`` begins to look."""
        self._cache = cache
        self._reserve = reserve if reserve is not None else default_reserve(total())
        self._free_memory = free_memory
        self._give_back = give_back or give_back_buffers
        self._every = every
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_short = False
        self.freed = 0
        """The bytes freed so far."""

    def start(self) -> None:
        """Looks from now on, in a thread of its own."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="anyclaude-kv-memory", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Looks no more. Returns when the thread has ended."""
        self._over.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def look(self) -> int:
        """Looks once, and gives the number of bytes that were freed."""
        missing = self._reserve - self._free_memory()
        if missing <= 0:
            self._is_short = False
            return 0
        # Buffers that nobody uses come first: giving them back costs no prompt.
        self._give_back()
        missing = self._reserve - self._free_memory()
        held = self._cache.nbytes
        if missing <= 0 or not held:
            return 0
        self._cache.free(min(missing, held))
        self._give_back()
        freed = max(0, held - self._cache.nbytes)
        self.freed += freed
        if not self._is_short:
            self._is_short = True
            logger.warning("memory runs short: KV states of %.1f MB were dropped", freed / 1e6)
        return freed

    def _run(self) -> None:
        while not self._over.wait(self._every):
            try:
                self.look()
            except Exception as error:  # a system that does not tell its memory, for one
                logger.warning("free memory is no longer watched (%s)", type(error).__name__)
                return


def default_reserve(machine: int) -> int:
    """The reserve of a machine with so many bytes of memory."""
    return min(max(machine // RESERVE_SHARE, LEAST_RESERVE), machine // 4)


def give_back_buffers() -> None:
    """MLX keeps freed buffers for itself, until they are asked for."""
    mlx: Any = sys.modules.get("mlx.core")
    if mlx is not None:
        mlx.clear_cache()
