"""KV states kept inside of MLX servers: found by the longest prefix, shared by all sessions, saved over restarts."""

from .cache import PrefixCache, Reused
from .states import KNOWN, State

__all__ = ["KNOWN", "PrefixCache", "Reused", "State"]
