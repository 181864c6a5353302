"""The prefix cache in vllm-mlx: what both of its engines share, and what cannot go together with it."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from .._host import check_shape, load
from ..errors import ConfigError
from . import vllm_batching, vllm_simple
from .cache import PrefixCache
from .fingerprint import scope
from .handle import PrefixCacheHandle
from .memory import total

logger = logging.getLogger("anyclaude.kv")

PACKAGE = "vllm-mlx"

FIX = "leave it out, or leave the cache to vllm-mlx with --anyclaude-cache off"

SHARE = 0.2
"""What ``--cache-memory-percent`` is if nobody has set it."""

# The flags of what is refused below, of which the default mode says nothing.
_REFUSED_FLAGS: Mapping[str, str] = {
    "ssd_cache_dir": "--ssd-cache-dir",
    "use_paged_cache": "--use-paged-cache",
    "kv_cache_quantization": "--kv-cache-quantization",
    "disable_prefix_cache": "--disable-prefix-cache",
    "no_memory_aware_cache": "--no-memory-aware-cache",
}

# What of a scheduler's settings would keep a second cache, or have states of another form than the model's own.
_REFUSED: Mapping[str, tuple[object, str]] = {
    "use_paged_cache": (True, "--use-paged-cache"),
    "kv_cache_quantization": (True, "--kv-cache-quantization"),
    "enable_prefix_cache": (False, "--disable-prefix-cache"),
    "use_memory_aware_cache": (False, "--no-memory-aware-cache"),
}


class Host:
    """The cache, and the vllm-mlx that it is in."""

    def __init__(self, handle: PrefixCacheHandle, tested: str) -> None:
        self.handle = handle
        self._tested = tested
        self._told: set[str] = set()

    @property
    def cache(self) -> PrefixCache | None:
        """The cache while the server runs. After its end late requests do without; they do not open it again."""
        return self.handle.current()

    def open(self) -> None:
        """Makes the cache, if it is not there: what is wrong with its folder shows as the server starts."""
        self.handle.opened()

    def module(self, name: str, *used: str) -> Any:
        """A module of the server, with everything that is used of it.

        Raises ``ConfigError``.
        """
        module = load(name, PACKAGE, self._tested)
        check_shape(module, PACKAGE, self._tested, used)
        return module

    def shape(self, thing: Any, *used: str) -> None:
        """Raises ``ConfigError`` if a class lacks something that is used."""
        check_shape(thing, PACKAGE, self._tested, used)

    def scope(self, path: str, tokenizer: Any, empty: Sequence[Any]) -> str:
        """That of a loaded model, whose new states are like ``empty``."""
        return scope(path, tokenizer=tokenizer, cache=empty)

    def tell(self, message: str) -> None:
        """Says once why something is not cached."""
        if message not in self._told:
            self._told.add(message)
            logger.warning("not cached: %s", message)

    def stats(self) -> dict[str, Any]:
        """As vllm-mlx's routes and metrics have them, with all of the cache's own under ``anyclaude``."""
        own = self.handle.stats()
        size, most, looked = own.get("bytes", 0), own.get("max_bytes", 0), own.get("lookups", 0)
        hits = own.get("hits", 0)
        return {
            "hits": hits,
            "misses": looked - hits,
            "hit_rate": round(hits / looked, 4) if looked else 0.0,
            "evictions": own.get("evicted", 0),
            "tokens_saved": own.get("reused_tokens", 0),
            "current_memory_mb": round(size / MB, 2),
            "max_memory_mb": round(most / MB, 2),
            "memory_utilization": round(size / most, 4) if most else 0.0,
            "entry_count": own.get("entries", 0),
            "anyclaude": own,
        }


MB = 1 << 20
"""As vllm-mlx counts them."""


def prepare(server: Any, handle: PrefixCacheHandle, tested: str) -> Callable[[], None]:
    """Looks whether the cache can go into vllm-mlx; what is given back puts it there.

    Where the user has not set its memory, the cache takes what ``--cache-memory-mb`` or ``--cache-memory-percent`` say.

    Raises ``ConfigError`` that names what is missing. Nothing has changed then.
    """
    host = Host(handle, tested)
    loading = ("load_model", "load_model_registry")
    check_shape(server, PACKAGE, tested, loading)
    changes = [
        *vllm_simple.prepare(host),
        *vllm_batching.prepare(host),
        *(change(server, name, guarded(getattr(server, name), handle)) for name in loading),
    ]

    def put() -> None:
        for do in changes:
            do()

    return put


def change(module: Any, name: str, new: Any) -> Callable[[], None]:
    """Puts something in a module's place for a name, when called; and wherever it was imported by that name."""

    def do() -> None:
        old = getattr(module, name)
        for place in [found for key, found in sys.modules.items() if key.partition(".")[0] in ("vllm_mlx", "mlx_lm")]:
            if place.__dict__.get(name) is old:
                setattr(place, name, new)

    return do


def guarded(load_model: Callable[..., Any], handle: PrefixCacheHandle) -> Callable[..., Any]:
    """Asks before a model is loaded whether its settings go together with the cache."""

    @functools.wraps(load_model)
    def load_cached(*args: Any, **kwargs: Any) -> Any:
        defaults: Any = kwargs.get("defaults")
        given = kwargs if defaults is None else cast("dict[str, Any]", vars(defaults))
        refuse(given)
        take_memory(given.get("scheduler_config"), handle)
        return load_model(*args, **kwargs)

    return load_cached


def checked(serve: Callable[[Any], Any], handle: PrefixCacheHandle) -> Callable[[Any], Any]:
    """The command ``serve``: in its default mode it takes the flags of a scheduler, and has none that they reach."""

    @functools.wraps(serve)
    def serve_checked(arguments: Any) -> Any:
        flag = next((flag for name, flag in _REFUSED_FLAGS.items() if getattr(arguments, name, None)), None)
        if flag is not None:
            raise ConfigError(f"{flag} and anyclaude's cache do not go together: {FIX}", "config")
        take_memory(arguments, handle)
        return serve(arguments)

    return serve_checked


def take_memory(config: Any, handle: PrefixCacheHandle) -> None:
    """Takes the server's own budget for a cache, where it was set and ours was not.

    Raises ``ConfigError`` for one that makes no sense.
    """
    megabytes: object = getattr(config, "cache_memory_mb", None)
    share: object = getattr(config, "cache_memory_percent", None)
    if handle.settings.has_own_memory:
        return
    if isinstance(megabytes, int) and megabytes:
        name, most = "--cache-memory-mb", megabytes * MB
    elif isinstance(share, float) and share != SHARE:
        name, most = "--cache-memory-percent", int(share * total()) if 0 < share <= 1 else 0
    else:
        return
    if most <= 0:
        raise ConfigError(f"{name}: expected a size above 0 (a share at most 1)", "config")
    # Also for a cache that is opened later.
    handle.settings = replace(handle.settings, memory=most)
    cache = handle.current()
    if cache is not None:
        cache.set_max_bytes(most)


def refuse(given: Mapping[str, Any]) -> None:
    """Raises ``ConfigError`` for settings that would keep a second cache, or fight this one."""
    if given.get("prefix_trie_cache") and not given.get("use_batching") and not given.get("continuous_batching"):
        raise ConfigError(f"--prefix-trie-cache and anyclaude's cache do not go together: {FIX}", "config")
    config = given.get("scheduler_config")
    if config is not None and (flag := refused(config)):
        raise ConfigError(f"{flag} and anyclaude's cache do not go together: {FIX}", "config")


def refused(config: Any) -> str | None:
    """The flag of a scheduler's settings that does not go together with the cache."""
    if getattr(config, "ssd_cache_dir", None) is not None:
        return "--ssd-cache-dir"
    return next((flag for name, (value, flag) in _REFUSED.items() if getattr(config, name, None) is value), None)
