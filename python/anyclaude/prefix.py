"""What ``PrefixIndex`` gives: plain dicts."""

from __future__ import annotations

from typing import Literal, TypedDict


class Inserted(TypedDict):
    """What became of a new entry: its slot, if it fits, and the slots whose states are to be dropped."""

    slot: int | None
    dropped: list[int]


class Match(TypedDict):
    """The best state for a prompt.

    ``found`` tells how it fits: it is that of the whole prompt (``exact``) or of a beginning (``shorter``), it goes on
    behind the prompt's end (``longer``) or another way (``branch``); the last two are to be cut to ``reused`` tokens,
    of the ``tokens`` that are in it.
    """

    slot: int
    found: Literal["exact", "shorter", "longer", "branch"]
    reused: int
    tokens: int


class PrefixStats(TypedDict):
    """Counters since the start, and what is held now. Bytes are those of the states."""

    entries: int
    pinned: int
    in_use: int
    bytes: int
    max_bytes: int
    tokens: int
    lookups: int
    hits: int
    prompt_tokens: int
    reused_tokens: int
    inserted: int
    superseded: int
    evicted: int
    refused: int
