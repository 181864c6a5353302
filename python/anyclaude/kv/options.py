"""What users may set of the prefix cache: in Python, and as flags of the two commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypedDict, cast

from ..errors import ConfigError
from .memory import budget, size

MEMORY = "25%"
"""The cache's share of the machine's memory, unless told otherwise: a model and its other states fit beside it."""

DISK_BYTES = "10GB"
"""What saved states may take: some eight prefixes of 8,000 tokens of a model of 8 billion parameters."""

PREFIX = "--anyclaude-"
"""How all flags of the cache begin. A server's own never do."""


class CacheOptions(TypedDict, total=False):
    """Settings of the prefix cache."""

    memory: str | int
    """The most bytes of KV states in memory: a share of the machine's (``25%``, the default), a size (``8GB``) or a
    number of bytes."""
    disk: str | os.PathLike[str]
    """The folder of saved states, or ``off``. By default ``anyclaude/kv`` in the user's folder of caches."""
    disk_bytes: str | int
    """The most bytes of saved states (``10GB`` by default)."""
    warm: str | os.PathLike[str]
    """What is computed before anybody asks: a file of requests (JSON, or JSON lines), or ``last`` for the system prompt
    and tools of the last session."""


Cache = CacheOptions | Literal["off"] | None
"""What ``install`` takes: settings, ``off``, or nothing for the defaults."""


@dataclass(frozen=True)
class CacheSettings:
    """Checked settings of the prefix cache."""

    memory: int
    """Bytes."""
    disk: Path | None
    """The folder; ``None`` without a disk."""
    disk_bytes: int
    warm: Path | Literal["last"] | None
    has_own_memory: bool
    """The user has set ``memory``, which then goes before a server's own flag."""


def settings(cache: object) -> CacheSettings | None:
    """Checks settings; ``None`` if the cache is off.

    Raises ``ConfigError`` that names the setting.
    """
    if isinstance(cache, str) and cache == "off":
        return None
    if cache is None:
        cache = {}
    if not isinstance(cache, Mapping):
        raise ConfigError(f"cache: expected a dict of settings or 'off', not {cache!r:.40}", "config")
    given = cast("Mapping[str, Any]", cache)
    known = CacheOptions.__annotations__
    for name in given:
        if name not in known:
            raise ConfigError(f"cache: {name!r:.40} is no setting; there are {', '.join(known)}", "config")
    disk, warm = _disk(given.get("disk")), _warm(given.get("warm"))
    if warm == "last" and disk is None:
        raise ConfigError("cache.warm: the last session is kept on disk, which is off", "config")
    return CacheSettings(
        memory=budget(given.get("memory", MEMORY), "cache.memory"),
        disk=disk,
        disk_bytes=size(given.get("disk_bytes", DISK_BYTES), "cache.disk_bytes"),
        warm=warm,
        has_own_memory="memory" in given,
    )


def default_disk() -> Path:
    """``anyclaude/kv`` in the user's folder of caches."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):  # the specification: others are to be ignored
        return Path(named) / "anyclaude" / "kv"
    caches = Path("~/Library/Caches") if sys.platform == "darwin" else Path("~/.cache")
    return caches.expanduser() / "anyclaude" / "kv"


def _disk(value: object) -> Path | None:
    if value is None:
        try:
            return default_disk()
        except RuntimeError as error:  # a user without a home
            raise ConfigError(f"cache.disk: name a folder, or 'off': {error}", "config") from error
    if isinstance(value, str) and value == "off":
        return None
    return _path(value, "cache.disk", "a folder or 'off'")


def _warm(value: object) -> Path | Literal["last"] | None:
    if value is None:
        return None
    if value == "last":
        return "last"
    path = _path(value, "cache.warm", "a file or 'last'")
    if not path.is_file():
        raise ConfigError(f"cache.warm: there is no file {str(path)!r:.200}", "config")
    return path


def _path(value: object, name: str, expected: str) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not (text := os.fspath(cast("str | os.PathLike[str]", value))):
        raise ConfigError(f"{name}: expected {expected}, not {value!r:.40}", "config")
    if "\0" in text:
        raise ConfigError(f"{name}: a path has no NUL in it", "config")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError(f"{name}: {error}", "config") from error


def take_flags(arguments: Sequence[str]) -> tuple[Cache, list[str]]:
    """Takes the cache's flags out of a command line; what is left is the server's.

    Raises ``ConfigError`` for a flag that is unknown or has no value.
    """
    own: list[str] = []
    rest: list[str] = []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--":
            rest += [word, *left]
            break
        if not word.startswith(PREFIX):
            rest.append(word)
            continue
        own.append(word)
        if "=" not in word and left and not left[0].startswith("--"):
            own.append(left.pop(0))
    found = vars(flags().parse_args(own))
    if found.pop("cache") == "off":
        if found:
            named = ", ".join(_FLAG[name] for name in found)
            raise ConfigError(f"--anyclaude-cache off leaves nothing to set with {named}", "config")
        return "off", rest
    return cast(CacheOptions, found), rest


_FLAG = {
    "memory": "--anyclaude-cache-memory",
    "disk": "--anyclaude-cache-disk",
    "disk_bytes": "--anyclaude-cache-disk-size",
    "warm": "--anyclaude-warm",
}


class _Flags(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        known = ", ".join(["--anyclaude-cache", *_FLAG.values()])
        raise ConfigError(f"{message} (flags of the cache: {known})", "config")


def flags() -> argparse.ArgumentParser:
    """The parser of the cache's flags, for its help."""
    parser = _Flags(
        prog="", usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
    group = parser.add_argument_group("the prefix cache (anyclaude)")
    group.add_argument(
        "--anyclaude-cache", dest="cache", choices=("on", "off"), default="on",
        help="off leaves the server's own cache as it is (default: on)",
    )  # fmt: skip
    group.add_argument(
        _FLAG["memory"], dest="memory", metavar="SIZE",
        help=f"the most memory for KV states, a share of the machine's or a size such as 8GB (default: {MEMORY}%)",
    )  # fmt: skip
    group.add_argument(
        _FLAG["disk"], dest="disk", metavar="DIR",
        help="where system prompts and tools are saved, or off (default: anyclaude/kv in the user's folder of caches)",
    )  # fmt: skip
    group.add_argument(
        _FLAG["disk_bytes"], dest="disk_bytes", metavar="SIZE",
        help=f"the most that may be saved there (default: {DISK_BYTES})",
    )  # fmt: skip
    group.add_argument(
        _FLAG["warm"], dest="warm", metavar="FILE|last",
        help="compute these requests before anybody asks: a file (JSON or JSON lines), or the last session's",
    )  # fmt: skip
    return parser
