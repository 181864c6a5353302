"""The prefix cache of one server: its settings, the cache while the server runs, and what is to be warmed up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from . import disk
from .cache import PrefixCache
from .disk import DiskStore
from .memory import total
from .monitor import Monitor, default_reserve
from .options import CacheSettings, default_disk
from .warm import LOOK_EVERY, Ask, LastPrompts, Progress, Prompt, Warming, bodies, read

logger = logging.getLogger("anyclaude.kv")

LATEST_SHARE = 4
"""One part in so many of the budget is filled before anybody asks, at most."""


class PrefixCacheHandle:
    """What ``install`` gives: the cache inside of the server, for whoever runs it.

    All methods may be called from any thread.
    """

    def __init__(self, settings: CacheSettings) -> None:
        """The cache is made when the server starts.

        Raises ``ConfigError`` if the folder of saved states cannot be used, or nobody knows the machine's memory.
        """
        self._reserve = default_reserve(total())
        self.settings = settings
        """What was set."""
        self._folder = _usable(settings.disk)
        self._lock = threading.Lock()
        self._cache: PrefixCache | None = None
        self._disk: DiskStore | None = None
        self._monitor: Monitor | None = None
        self._ask: Ask | None = None
        self._busy = 0
        self._idle = threading.Condition()
        self._waiting: list[Warming] = []
        # The one that began last; they go one after the other.
        self._latest: Warming | None = None
        self._users = 0
        self._last = None if self._folder is None else LastPrompts(self._folder)

    def opened(self) -> PrefixCache:
        """The cache; made and watched over from the first call on, until ``close``."""
        with self._lock:
            if self._cache is None:
                settings = self.settings
                self._disk = self._store()
                self._cache = PrefixCache(max_bytes=settings.memory, disk=self._disk)
                self._monitor = Monitor(self._cache, reserve=self._reserve)
                self._monitor.start()
            return self._cache

    def join(self) -> None:
        """A server starts beside others that this process may have: each calls ``close`` at its end."""
        with self._lock:
            self._users += 1

    def current(self) -> PrefixCache | None:
        """The cache, if it is open."""
        with self._lock:
            return self._cache

    def _store(self) -> DiskStore | None:
        if self._folder is None:
            return None
        try:
            return DiskStore(self._folder, self.settings.disk_bytes)
        except ConfigError as error:  # it could be used when it was named
            logger.warning("nothing is saved: %s", error)
            return None

    def load_latest(self, scope: str) -> None:
        """Loads the saved state that was used last: most likely the next session begins with it. For the thread that runs
        the model, once the model is there; the others are loaded when they are asked for."""
        with self._lock:
            cache, store = self._cache, self._disk
        tokens = store.latest(scope, self.settings.memory // LATEST_SHARE) if store else None
        if cache is not None and tokens:
            cache.fetch(scope, [*tokens, tokens[-1]])

    def stats(self) -> dict[str, int]:
        """Counts since the server started, and what the cache holds: plain numbers, those of the disk by ``disk_``."""
        with self._lock:
            cache, store, monitor = self._cache, self._disk, self._monitor
        if cache is None:
            return {}
        saved = {} if store is None else {f"disk_{name}": value for name, value in store.stats().items()}
        return {**cache.stats(), **saved, "freed_for_memory": 0 if monitor is None else monitor.freed}

    def clear(self) -> None:
        """Drops all states in memory; those on disk stay."""
        with self._lock:
            cache = self._cache
        if cache is not None:
            cache.clear()

    def close(self) -> None:
        """A server ends; with the last one the cache does. Another may start with this handle."""
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
            self._users = 0
            cache, monitor = self._cache, self._monitor
            self._cache = self._disk = self._monitor = None
            self._ask = None
            warmings, self._waiting = self._waiting, []
        for warming in warmings:
            warming.stop()
        with self._idle:
            self._idle.notify_all()
        if self._last is not None:
            self._last.close()
        if monitor is not None:
            monitor.close()
        if cache is not None:
            cache.close()

    def warm(self, prompts: Iterable[Prompt], progress: Callable[[Progress], None] | None = None) -> Warming:
        """Computes prompts before anybody asks for them, and keeps their states.

        A prompt is the body of a request for a message, of which ``system`` and ``tools`` are what counts (a dict, or
        JSON text), or a text that is taken for a system prompt. They are computed one after the other by the server's
        own way, as soon as it runs, those of several calls in their order, and give way to real requests. ``progress``
        is called in another thread after each; it must not wait for another warm-up.

        Raises ``ConfigError`` for what is no prompt.
        """
        warming = Warming(bodies(prompts), progress)
        with self._lock:
            self._waiting = [other for other in self._waiting if not other.done] + [warming]
            ask = self._ask
        if ask is not None:
            self._begin(warming, ask)
        return warming

    def serves(self, ask: Ask) -> None:
        """The server runs, and answers what ``ask`` asks. Begins to warm up."""
        with self._lock:
            self._ask = ask
            waiting = list(self._waiting)
        for warming in waiting:
            self._begin(warming, ask)
        if self.settings.warm is not None:
            found = read(self.settings.warm, self._last)
            if found:
                self.warm(found)

    def _begin(self, warming: Warming, ask: Ask) -> None:
        with self._lock:
            if not warming.begun:
                after, self._latest = self._latest, warming
                warming.start(ask, self.wait_until_idle, lambda: self._busy > 0, after)

    def note(self, body: bytes) -> None:
        """A request for a message has been answered; its system prompt and tools are those of the last session."""
        if self._last is not None:
            self._last.note(body)

    @contextmanager
    def request(self) -> Generator[None]:
        """Around each real request."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def wait_until_idle(self, is_over: Callable[[], bool]) -> None:
        """Returns when the server has nothing to answer, or as soon as ``is_over``."""
        with self._idle:
            while self._busy and not is_over():
                # Whoever ends the waiting may not know of this condition.
                self._idle.wait(LOOK_EVERY)

    def __repr__(self) -> str:
        numbers: dict[str, Any] = self.stats()
        return f"<{type(self).__name__} {'open' if numbers else 'closed'} entries={numbers.get('entries', 0)}>"


def _usable(folder: Path | None) -> Path | None:
    """The folder, made where it was not there. Where the default one cannot be used, the cache does without a disk.

    Raises ``ConfigError`` for one that somebody has named.
    """
    if folder is None:
        return None
    try:
        disk.prepare(folder)
    except ConfigError as error:
        if folder != default_disk():
            raise
        logger.warning("nothing is saved: %s", error)
        return None
    return folder
