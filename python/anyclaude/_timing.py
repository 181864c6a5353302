"""The times that doors inside of a server keep, and what counts as a sign of life."""

from __future__ import annotations

import math
from typing import NamedTuple

from ._native import MAX_BODY_BYTES
from .errors import ConfigError


# What the last bytes of a stream have that ends in an error; in a model's own words the line break is escaped.
ERROR_EVENT = b"event: error\n"


class Timing(NamedTuple):
    """Checked settings of a door; ``AnthropicMiddleware`` tells what each means."""

    commit_after: float
    ping_interval: float
    stall_timeout: float | None
    max_body_bytes: int


def checked(commit_after: float, ping_interval: float, stall_timeout: float | None, max_body_bytes: int) -> Timing:
    """Looks at what a user has set.

    Raises ``ConfigError`` that names the setting.
    """
    _check_seconds("commit_after", commit_after, may_be_zero=True)
    _check_seconds("ping_interval", ping_interval)
    if stall_timeout is not None:
        _check_seconds("stall_timeout", stall_timeout, hint=", or None for never")
    _check_bytes("max_body_bytes", max_body_bytes)
    return Timing(commit_after, ping_interval, stall_timeout, min(max_body_bytes, MAX_BODY_BYTES))


def _check_seconds(name: str, value: object, may_be_zero: bool = False, hint: str = "") -> None:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not (0 < number < math.inf or (may_be_zero and number == 0)):
        least = "from 0 on" if may_be_zero else "above 0"
        raise ConfigError(f"{name}: expected a number of seconds {least}{hint}, not {value!r:.40}", "config")


def _check_bytes(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name}: expected a number of bytes above 0, not {value!r:.40}", "config")


def has_news(data: bytes) -> bool:
    """Whether a piece of an event stream has more than comments, which servers send while they read a prompt."""
    if not data.startswith(b":"):
        return bool(data.strip())
    return any(line.strip() and not line.startswith(b":") for line in data.splitlines())
