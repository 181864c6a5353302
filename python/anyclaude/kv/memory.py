"""How much memory there is, how much of it the cache may have, and a watch over it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from ..errors import ConfigError

SIZES = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
}  # fmt: skip

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)")
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]*)?)\s*%")

# No number of bytes is that large; Python would multiply it all the same.
_MOST_BYTES = 1 << 62

# A size of hundreds of digits is not read at all.
_MOST_CHARACTERS = 40


def size(value: str | int, name: str) -> int:
    """A number of bytes: ``8GB``, ``512 MiB``, ``1000000`` or an ``int``, above 0.

    Raises ``ConfigError`` with ``name``.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return _in_range(value, value, name, "")
    if isinstance(value, str) and len(value) <= _MOST_CHARACTERS:
        found = _SIZE.fullmatch(value.strip())
        unit = SIZES.get(found[2].upper()) if found else None
        if found and unit is not None:
            return _in_range(int(float(found[1]) * unit), value, name, "")
    raise ConfigError(f"{name}: expected a size such as 8GB or a number of bytes, not {value!r:.40}", "config")


def budget(value: str | int, name: str = "memory") -> int:
    """A number of bytes from a size, or from a share of the machine's memory such as ``25%``.

    Raises ``ConfigError`` with ``name``.
    """
    if isinstance(value, str) and len(value) <= _MOST_CHARACTERS and (found := _SHARE.fullmatch(value.strip())):
        share = float(found[1])
        if not 0 < share <= 100:
            raise ConfigError(f"{name}: expected a share above 0% up to 100%, not {value!r:.40}", "config")
        return max(1, int(total() * share / 100))
    try:
        return size(value, name)
    except ConfigError as error:
        if "expected a size" not in str(error):
            raise
        message = f"{name}: expected a share such as 25% or a size such as 8GB, not {value!r:.40}"
        raise ConfigError(message, "config") from None


def total() -> int:
    """The bytes of memory that this process may use at most: the machine's, or a container's, or what Metal leaves to
    models where that is less.

    Raises ``ConfigError`` without psutil, which comes with anyclaude.
    """
    machine = int(_psutil().virtual_memory().total)
    return min(limit for limit in (machine, container_limit(), metal_limit()) if limit is not None)


def available() -> int:
    """The bytes that could be had now without another program losing any.

    Raises ``ConfigError`` as ``total`` does.
    """
    machine = int(_psutil().virtual_memory().available)
    left = container_left()
    return machine if left is None else min(machine, left)


def _psutil() -> Any:
    try:
        return importlib.import_module("psutil")
    except ImportError:
        message = "psutil, which tells the machine's memory, is not there: pip install psutil"
        raise ConfigError(message, "config") from None


def container_limit() -> int | None:
    """The least limit of the control groups that this process is in (Linux)."""
    return min((limit for limit, _ in _groups()), default=None)


def container_left() -> int | None:
    """What those groups leave."""
    return min((max(0, limit - used) for limit, used in _groups()), default=None)


def metal_limit() -> int | None:
    """What a GPU of Apple can work on without paging; ``None`` elsewhere."""
    try:
        mlx: Any = importlib.import_module("mlx.core")
        tell: Any = getattr(mlx, "device_info", None) or mlx.metal.device_info
        limit: Any = tell().get("max_recommended_working_set_size")
    except Exception:  # no mlx, or one that does not tell
        return None
    return limit if isinstance(limit, int) and limit > 0 else None


def _groups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> list[tuple[int, int]]:
    """Limit and use of every control group above this process that has a limit, in both versions of the interface."""
    found: list[tuple[int, int]] = []
    try:
        lines = own.read_text().splitlines()
    except (OSError, ValueError):
        return found
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":
            base, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # Inside of a container the path is the host's and the group itself is mounted at the root.
        place = base.joinpath(*Path(path).parts[1:])
        for folder in [place, *place.parents]:
            if folder != base and base not in folder.parents:
                break
            limit, used = _number(folder / names[0]), _number(folder / names[1])
            # "No limit" of the older interface is a number of pages near 2**63.
            if limit is not None and used is not None and 0 < limit < _MOST_BYTES:
                found.append((limit, max(0, used - _statistic(folder / "memory.stat", names[2]))))
    return found


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isascii() and text.isdigit() else None


def _statistic(path: Path, name: str) -> int:
    """Of the use, what the kernel gives back when asked: files that it has read."""
    try:
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    except (OSError, ValueError):
        pass
    return 0


def _in_range(number: int, value: object, name: str, hint: str) -> int:
    if not 0 < number <= _MOST_BYTES:
        raise ConfigError(f"{name}: expected a number of bytes above 0{hint}, not {value!r:.40}", "config")
    return number
