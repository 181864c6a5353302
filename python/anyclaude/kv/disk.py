"""Saved KV states: what is there is known from the start, each is loaded when it is asked for."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import stat
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from . import files, states
from .files import Damaged, Manifest
from .fingerprint import VOLATILE

logger = logging.getLogger("anyclaude.kv")

STALE_AFTER = 30 * 24 * 3600.0
"""Seconds after which a state that nobody asked for is removed: its model, template or prompt is no longer used."""

MAX_ENTRIES = 256
"""More states than a disk budget holds of any but the smallest models. Their tokens are in memory, some 70 KB each."""

WAITING = 2
"""States that wait for their turn to be saved. They are held in memory meanwhile, beside the cache's budget."""

FREE_BYTES = 1 << 30
"""What saving leaves free on the volume: filling it up would hurt more than a prompt that is computed again."""

CLOSE_SECONDS = 10.0
"""How long the end of a server waits for a save under way."""


class DiskStore:
    """A folder of saved states, for any number of processes at the same time.

    ``save`` is done by a thread of its own. All methods may be called from any thread, ``load`` from the one that runs
    the model.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Opens a folder and makes it if it is not there; what is damaged, stale or too much in it is removed.

        Raises ``ConfigError`` if it cannot be used.
        """
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries: dict[str, Manifest] = {}
        # Keys of states that were asked for, also where a copy in memory spared their loading.
        self._used: set[str] = set()
        # The inode of each manifest that has been read: a manifest is replaced, it is never written to.
        self._read: dict[str, tuple[int, Manifest]] = {}
        counted = ("saves", "saves_skipped", "save_failures", "loads", "damaged", "removed")
        self._counts: dict[str, int] = dict.fromkeys(counted, 0)
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(WAITING)
        self._closing = False
        self._writer: threading.Thread | None = None
        prepare(folder)
        self._tidy()

    @property
    def folder(self) -> Path:
        """Where the states are."""
        return self._folder

    def find(self, scope: str, tokens: Sequence[int]) -> tuple[str, int] | None:
        """The state that spares most of a prompt: its key, and how many of the prompt's tokens it begins with.

        A state that cannot be cut counts only if all of it is the beginning of the prompt.
        """
        try:
            prompt = files.packed(tokens)
        except (TypeError, OverflowError):
            return None
        best: tuple[str, int] | None = None
        with self._lock:
            entries = list(self._entries.items())
        least = prompt[:8]
        for key, entry in entries:
            # One comparison tells most of those that cannot be better.
            if entry.scope != scope or not entry.tokens.startswith(least):
                continue
            length = files.common(prompt, entry.tokens)
            if length and (entry.trimmable or length == entry.length):
                best = key, length
                least = prompt[: 8 * (length + 1)]
                if len(least) <= 8 * length:
                    break  # all of the prompt
        if best is not None:
            with self._lock:
                self._used.add(best[0])
        return best

    def latest(self, scope: str, most_bytes: int) -> list[int] | None:
        """The tokens of the state that was used last before the start, if it holds no more than ``most_bytes``."""
        with self._lock:
            # The latest come first, as they were found; what has been saved since comes after them.
            found = next((entry for entry in self._entries.values() if entry.scope == scope), None)
        return files.unpacked(found.tokens) if found and found.nbytes <= most_bytes else None

    def load(self, key: str) -> tuple[list[int], list[Any]] | None:
        """Tokens and state; ``None`` when it has gone, or is damaged, which is told and removed."""
        with self._lock:
            entry = self._entries.get(key)
        if entry is None:
            return None
        try:
            state = files.read_state(self._folder, entry)
            if states.length(state) != entry.length:
                raise Damaged("it holds another number of tokens")
        except FileNotFoundError:  # another server has made room
            self._forget(key)
            return None
        except Damaged as error:
            self._damaged(key, self._inode(key, entry), entry.state, error)
            return None
        except (OSError, files.Unreadable) as error:  # its bytes are what they were: the next start may read it
            why = _why(error) if isinstance(error, OSError) else error
            logger.warning("a saved state could not be read (%s): it is computed again", why)
            self._forget(key)
            return None
        with self._lock:
            self._counts["loads"] += 1
        self._note_use()
        return files.unpacked(entry.tokens), state

    def save(self, scope: str, tokens: Sequence[int], state: list[Any]) -> None:
        """Saves a state of exactly these tokens, later. Its arrays have been computed, and nobody changes them.

        Nothing is saved that is there already, that no other process could use, or while too much is waiting.
        """
        if self._closing or scope.startswith(VOLATILE):
            return
        trimmable, nbytes = states.trimmable(state), states.nbytes(state)
        try:
            packed = files.packed(tokens)
        except (TypeError, OverflowError):
            return
        key = files.key(scope, packed)
        with self._lock:
            is_there = key in self._entries or any(
                entry.trimmable and entry.scope == scope and entry.tokens.startswith(packed)
                for entry in self._entries.values()
            )
        if is_there:
            return
        if nbytes > self._max_bytes:
            return self._count("saves_skipped")
        kept = list(tokens)
        self._later(lambda: self._save(key, scope, kept, state, trimmable, nbytes))

    def _later(self, job: Callable[[], None]) -> None:
        """Has the thread do a small job among its own; it may come to nothing."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return self._count("saves_skipped")
        self._start()

    def flush(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Waits until what waits now is saved; false if that takes longer than ``timeout`` seconds."""
        done = threading.Event()
        try:
            self._jobs.put(done.set, timeout=timeout)
        except queue.Full:
            return False
        self._start()
        return done.wait(timeout)

    def _start(self) -> None:
        with self._lock:
            if self._writer is None and not self._closing:
                self._writer = threading.Thread(target=self._run, name="anyclaude-kv-disk", daemon=True)
                self._writer.start()

    def stats(self) -> dict[str, int]:
        """Counts since the start, and what is there now."""
        with self._lock:
            size = sum(entry.size for entry in self._entries.values())
            return {**self._counts, "entries": len(self._entries), "bytes": size}

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Ends the thread when it has done its work, in ``timeout`` seconds at most. A save that is cut off leaves
        nothing behind."""
        self._closing = True
        self._note_use()
        writer = self._writer
        if writer is None:
            return
        with suppress(queue.Full):
            self._jobs.put(None, timeout=timeout)
        writer.join(timeout)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # whatever it was: the next one is saved
                self._count("save_failures")
                logger.warning("a state could not be saved (%s)", _why(error))

    def _save(self, key: str, scope: str, tokens: list[int], state: list[Any], trimmable: bool, nbytes: int) -> None:
        with self._lock:
            if key in self._entries:
                return
        if shutil.disk_usage(self._folder).free < nbytes + FREE_BYTES:
            self._count("saves_skipped")
            logger.warning("the volume of the saved states has too little room for more")
            return
        manifest = files.write(self._folder, scope, tokens, state, trimmable, nbytes)
        with self._lock:
            self._entries[key] = manifest
            self._counts["saves"] += 1
        self._tidy()

    def _note_use(self) -> None:
        """A manifest's time is that of its last use, for all servers."""
        with self._lock:
            used, self._used = self._used, set()
        for key in used:
            with suppress(OSError):
                os.utime(self._folder / f"{key}.json")

    def _tidy(self) -> None:
        """Makes the index what the folder is, and the folder what it should be."""
        self._note_use()
        manifests: list[tuple[float, str]] = []
        others: list[str] = []
        for name in _names(self._folder):
            if files.MANIFEST.fullmatch(name):
                with suppress(OSError):
                    status = os.lstat(self._folder / name)
                    if stat.S_ISREG(status.st_mode):
                        manifests.append((status.st_mtime, name))
            elif files.STATE.fullmatch(name) or files.UNFINISHED.fullmatch(name):
                others.append(name)
        entries: dict[str, Manifest] = {}
        room, now = self._max_bytes, time.time()
        for used, name in sorted(manifests, reverse=True):
            entry = self._look(name)
            if entry is None:
                continue
            room -= entry.size
            if room < 0 or len(entries) >= MAX_ENTRIES or now - used > STALE_AFTER:
                self._remove(name, entry.state)
            else:
                entries[entry.key] = entry
        kept = {entry.state for entry in entries.values()}
        for name in others:
            # Files of a save that was killed, and states that lost to another process' of the same name. One that was
            # under way a moment ago may have got its manifest since.
            if name not in kept:
                files.remove_unless(self._folder / name, partial(self._is_named, name))
        with self._lock:
            self._entries = entries
        self._read = {key: read for key, read in self._read.items() if key in entries}

    def _look(self, name: str) -> Manifest | None:
        """A manifest whose state is there; anything else is removed."""
        key, inode = name.removesuffix(".json"), None
        try:
            inode = os.lstat(self._folder / name).st_ino
            known = self._read.get(key)
            entry = known[1] if known and known[0] == inode else files.read_manifest(self._folder / name)
            if os.lstat(self._folder / entry.state).st_size != entry.size:
                raise Damaged("the state has another size")
            self._read[key] = inode, entry
            return entry
        except FileNotFoundError:
            # Its state has gone, or all of it, by another process that tidies up.
            self._unlink_manifest(name, inode)
        except Damaged as error:
            self._damaged(key, inode, None, error)
        except files.Outdated:
            self._unlink_manifest(name, inode)
            self._count("removed")
        except OSError as error:
            logger.warning("the manifest of a saved state cannot be read (%s)", _why(error))
        return None

    def _is_named(self, state: str) -> bool:
        """Whether a manifest names this state."""
        if not files.STATE.fullmatch(state):
            return False
        try:
            return files.read_manifest(self._folder / f"{state[:32]}.json").state == state
        except (OSError, Damaged, files.Outdated):
            return False

    def _damaged(self, key: str, inode: int | None, state: str | None, error: Damaged) -> None:
        logger.warning("a saved state is damaged (%s): it is removed, and computed again", error)
        with self._lock:
            self._entries.pop(key, None)
            self._counts["damaged"] += 1
        self._unlink_manifest(f"{key}.json", inode)
        if state is not None:
            with suppress(OSError):
                (self._folder / state).unlink()

    def _unlink_manifest(self, name: str, inode: int | None) -> None:
        """Removes a manifest that has been read, unless another process has put a new one in its place since."""
        with suppress(OSError):
            if os.lstat(self._folder / name).st_ino == inode:
                (self._folder / name).unlink()

    def _remove(self, manifest: str, state: str) -> None:
        """The manifest first: without it the state is nobody's."""
        for name in (manifest, state):
            with suppress(OSError):
                (self._folder / name).unlink()
        self._count("removed")

    def _inode(self, key: str, entry: Manifest) -> int | None:
        """That of the manifest that an entry was read from; ``None`` if another one has its name now."""
        with suppress(OSError, Damaged, files.Outdated):
            inode = os.lstat(self._folder / f"{key}.json").st_ino
            if files.read_manifest(self._folder / f"{key}.json") == entry:
                return inode
        return None

    def _forget(self, key: str) -> None:
        with self._lock:
            self._entries.pop(key, None)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


def prepare(folder: Path) -> None:
    """Makes the folder, for its owner alone.

    Raises ``ConfigError`` if it cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        probe = os.access(folder, os.R_OK | os.W_OK | os.X_OK)
    except OSError as error:
        raise ConfigError(f"cache.disk: {str(folder)!r:.200} cannot be used: {_why(error)}", "config") from error
    if not probe:
        raise ConfigError(f"cache.disk: {str(folder)!r:.200} can be read or written by others only", "config")
    # Who can write there can put states under our models' names.
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        message = f"cache.disk: {str(folder)!r:.200} can be written by other users: name another, or chmod 700"
        raise ConfigError(message, "config")


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        logger.warning("the folder of saved states cannot be read (%s)", _why(error))
        return []


def _why(error: Exception) -> str:
    """A reason without anything of a prompt in it."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
