"""A KV state in two files: the engine's own safetensors, and a manifest that says whose it is and what it must be."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib
import json
import os
import re
import secrets
from array import array
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from .states import KNOWN

FORMAT = 1
"""Of manifests. Files of another are of no use and are removed."""

MANIFEST = re.compile(r"[0-9a-f]{32}\.json")
STATE = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}\.safetensors")
UNFINISHED = re.compile(r"\.unfinished-[0-9a-f]{16}\.(json|safetensors)")

# The tokens of the longest contexts that there are take a hundredth of it.
MAX_MANIFEST_BYTES = 64 << 20

# A file's checksums are taken by pieces, so that several cores can look at a large one together.
PIECE_BYTES = 4 << 20
READ_BYTES = 1 << 20
READERS = min(4, os.cpu_count() or 1)


NEW_FILES = 10
"""Attempts to make a file that nobody removes before it is locked. The first one is enough but for an unlucky moment."""


class Damaged(Exception):
    """A file is not what was written, or not one of ours."""


class Unreadable(Exception):
    """The engine could not load a file that is whole: it may have had no memory for it."""


class Outdated(Exception):
    """A manifest was written by another version."""


@dataclass(frozen=True)
class Manifest:
    """What is known of a saved state."""

    scope: str
    tokens: bytes
    """As ``packed``."""
    state: str
    """The name of the file."""
    size: int
    """Its bytes."""
    digests: list[str]
    """Of its pieces."""
    classes: list[str]
    trimmable: bool
    """Any prefix of the tokens can be had of it."""
    nbytes: int
    """Of the state, once it is loaded."""

    @property
    def key(self) -> str:
        """What it is called on disk: equal for equal scope and tokens."""
        return key(self.scope, self.tokens)

    @property
    def length(self) -> int:
        """In tokens."""
        return len(self.tokens) // 8


def packed(tokens: Iterable[int]) -> bytes:
    """Tokens as bytes that are compared in no time. Eight each: what servers take for tokens may be more than that.

    Raises ``TypeError`` or ``OverflowError`` for what is no token.
    """
    return array("q", tokens).tobytes()


def unpacked(tokens: bytes) -> list[int]:
    """The opposite."""
    return array("q", tokens).tolist()


def common(one: bytes, other: bytes) -> int:
    """How many tokens two prompts begin with alike."""
    low, high = 0, min(len(one), len(other)) // 8
    while low < high:
        middle = (low + high + 1) // 2
        if one[low * 8 : middle * 8] == other[low * 8 : middle * 8]:
            low = middle
        else:
            high = middle - 1
    return low


def key(scope: str, tokens: bytes) -> str:
    """The name of a state."""
    return hashlib.sha256(scope.encode("utf-8", "surrogatepass") + b"\0" + tokens).hexdigest()[:32]


def write(
    folder: Path, scope: str, tokens: Sequence[int], state: Sequence[Any], trimmable: bool, nbytes: int
) -> Manifest:
    """Saves a state whose arrays have been computed. May be called from any thread.

    The manifest comes last: until it has its name there is no such state, and after a kill there is none.
    Raises ``OSError`` and what the engine raises.
    """
    engine: Any = importlib.import_module("mlx_lm.models.cache")
    packed_tokens = packed(tokens)
    name = key(scope, packed_tokens)
    with _unfinished(folder, ".safetensors") as (path, descriptor):
        engine.save_prompt_cache(str(path), list(state))
        # The engine opens it by its name, and makes it anew for all to read if somebody has removed it.
        if not _is_at(path, descriptor):
            raise FileNotFoundError(errno.ENOENT, "the file was removed while it was written")
        os.fchmod(descriptor, 0o600)
        os.fsync(descriptor)
        size = os.stat(path).st_size
        final = folder / f"{name}-{secrets.token_hex(8)}.safetensors"
        sums, classes = digests(path, size), _classes(state)
        manifest = Manifest(scope, packed_tokens, final.name, size, sums, classes, trimmable, nbytes)
        os.rename(path, final)
        try:
            # Its lock is still ours: nobody takes it for one that lost its manifest.
            with _unfinished(folder, ".json") as (path, descriptor):
                with open(descriptor, "wb", closefd=False) as file:
                    file.write(_text(manifest))
                os.fsync(descriptor)
                os.rename(path, folder / f"{name}.json")
        except BaseException:
            with suppress(OSError):
                final.unlink()
            raise
    sync(folder)
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest.

    Raises ``FileNotFoundError`` if it has gone, other ``OSError``, ``Outdated`` and ``Damaged``.
    """
    with _opened(path) as file:
        if os.fstat(file.fileno()).st_size > MAX_MANIFEST_BYTES:
            raise Damaged("the manifest is too large")
        data = file.read(MAX_MANIFEST_BYTES)
    digest, _, text = data.partition(b"\n")
    if hashlib.sha256(text).hexdigest().encode() != digest:
        raise Damaged("the manifest's checksum is another")
    try:
        found: dict[str, Any] = json.loads(text)
        if found.pop("format") != FORMAT:
            raise Outdated
        found["tokens"] = packed(found["tokens"])
        manifest = Manifest(**found)
        is_ours = (
            path.name == f"{manifest.key}.json"
            and STATE.fullmatch(manifest.state)
            and set(manifest.classes) <= KNOWN
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise Damaged(f"the manifest says nothing ({type(error).__name__})") from None
    if not is_ours or not manifest.length:
        raise Damaged("the manifest is of another state")
    return manifest


def read_state(folder: Path, manifest: Manifest) -> list[Any]:
    """Loads a state; its arrays are there when it returns. To be called on the thread that runs the model.

    Raises ``FileNotFoundError`` if it has gone, other ``OSError``, ``Damaged``, and ``Unreadable``.
    """
    path = folder / manifest.state
    with _opened(path) as file:
        # The engine's reader is written for files that are whole: it sees none before this.
        if os.fstat(file.fileno()).st_size != manifest.size or digests(path, manifest.size) != manifest.digests:
            raise Damaged("its checksum is another")
    mlx: Any = importlib.import_module("mlx.core")
    engine: Any = importlib.import_module("mlx_lm.models.cache")
    try:
        state = cast("list[Any]", engine.load_prompt_cache(str(path)))
        mlx.eval([layer.state for layer in state])
    except Exception as error:  # the engine's readers raise what they meet, of a file that has gone, too
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "the state has gone") from error
        raise Unreadable(f"the engine cannot load it ({type(error).__name__})") from error
    if _classes(state) != manifest.classes:
        raise Damaged("its classes are others")
    return state


def _classes(state: Sequence[Any]) -> list[str]:
    return sorted({str(type(layer).__name__) for layer in state})


def digests(path: Path, size: int) -> list[str]:
    """Checksums of a file's pieces."""
    starts = range(0, size, PIECE_BYTES)
    with _opened(path) as file:
        number = file.fileno()
        if len(starts) < 2:
            return [_digest(number, start) for start in starts]
        with ThreadPoolExecutor(READERS, "anyclaude-kv-read") as readers:
            return list(readers.map(_digest, [number] * len(starts), starts))


def _digest(file: int, start: int) -> str:
    digest = hashlib.sha256()
    for place in range(start, start + PIECE_BYTES, READ_BYTES):
        data = os.pread(file, READ_BYTES, place)
        if not data:
            break
        digest.update(data)
    return digest.hexdigest()


def remove_unless(path: Path, is_wanted: Callable[[], bool]) -> None:
    """Removes a file that a killed process has left, unless it turns out to be wanted.

    The lock of a file is its writer's, and goes with the writer. It is held here while the file is removed, so that a
    writer which waits for it sees that it has to begin anew. What cannot be locked stays.
    """
    with suppress(OSError), _opened(path) as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_wanted():
            path.unlink()


def sync(folder: Path) -> None:
    """Makes names last, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_private(path: Path, data: bytes) -> None:
    """Replaces a file as a whole; nobody else can read it.

    Raises ``OSError``.
    """
    with _unfinished(path.parent, ".json") as (unfinished, descriptor):
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        os.fsync(descriptor)
        os.rename(unfinished, path)


def _text(manifest: Manifest) -> bytes:
    text = json.dumps({"format": FORMAT, **asdict(manifest), "tokens": unpacked(manifest.tokens)}).encode()
    return hashlib.sha256(text).hexdigest().encode() + b"\n" + text


@contextmanager
def _unfinished(folder: Path, suffix: str) -> Generator[tuple[Path, int]]:
    """A new locked file that is removed unless it got another name."""
    path, descriptor = _new_locked(folder, suffix)
    try:
        yield path, descriptor
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _new_locked(folder: Path, suffix: str) -> tuple[Path, int]:
    """A new file, private and locked."""
    for _ in range(NEW_FILES):
        path = folder / f".unfinished-{secrets.token_hex(8)}{suffix}"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(path, descriptor):
                return path, descriptor
        except BaseException:
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)
            raise
        # Another process has tidied up before the lock was there.
        os.close(descriptor)
    raise FileNotFoundError(errno.ENOENT, "each new file is removed at once by another process")


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def _opened(path: Path) -> Generator[BinaryIO]:
    """A regular file of the folder itself; a link may lead anywhere."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)
