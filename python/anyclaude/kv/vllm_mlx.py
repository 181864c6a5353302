"""The prefix cache in vllm-mlx: what both of its engines share, and what cannot go together with it."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from .._host import check_shape, load
from ..errors import ConfigError
from . import vllm_batching, vllm_simple
from .cache import PrefixCache
from .fingerprint import scope

logger = logging.getLogger("anyclaude.kv")

PACKAGE = "vllm-mlx"

FIX = "leave it out, or leave the cache to vllm-mlx with --anyclaude-cache off"

# What of a scheduler's settings would keep a second cache, or have states of another form than the model's own.
_REFUSED: Mapping[str, tuple[object, str]] = {
    "use_paged_cache": (True, "--use-paged-cache"),
    "kv_cache_quantization": (True, "--kv-cache-quantization"),
    "enable_prefix_cache": (False, "--disable-prefix-cache"),
    "use_memory_aware_cache": (False, "--no-memory-aware-cache"),
}


class Host:
    """The cache, and the vllm-mlx that it is in."""

    def __init__(self, cache: PrefixCache, tested: str) -> None:
        self.cache = cache
        self._tested = tested
        self._told: set[str] = set()

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
        own = self.cache.stats()
        return {
            "hits": own["hits"],
            "misses": own["lookups"] - own["hits"],
            "hit_rate": round(own["hits"] / own["lookups"], 4) if own["lookups"] else 0.0,
            "evictions": own["evicted"],
            "tokens_saved": own["reused_tokens"],
            "current_memory_mb": round(own["bytes"] / MB, 2),
            "max_memory_mb": round(own["max_bytes"] / MB, 2),
            "memory_utilization": round(own["bytes"] / own["max_bytes"], 4) if own["max_bytes"] else 0.0,
            "entry_count": own["entries"],
            "anyclaude": own,
        }


MB = 1 << 20
"""As vllm-mlx counts them."""


def prepare(server: Any, cache: PrefixCache, tested: str, *, has_own_memory: bool = False) -> Callable[[], None]:
    """Looks whether the cache can go into vllm-mlx; what is given back puts it there.

    Without memory of its own (``has_own_memory``) the cache takes what ``--cache-memory-mb`` says.

    Raises ``ConfigError`` that names what is missing. Nothing has changed then.
    """
    host = Host(cache, tested)
    check_shape(server, PACKAGE, tested, ("load_model", "load_model_registry"))
    take = None if has_own_memory else cache.set_max_bytes
    changes = [
        *vllm_simple.prepare(host),
        *vllm_batching.prepare(host),
        *(change(server, name, guarded(getattr(server, name), take)) for name in ("load_model", "load_model_registry")),
    ]

    def put() -> None:
        for do in changes:
            do()

    return put


def change(module: Any, name: str, new: Any) -> Callable[[], None]:
    """Puts something in a module's place for a name, when called; and wherever vllm-mlx has imported it by that name."""

    def do() -> None:
        old = getattr(module, name)
        for place in [found for key, found in sys.modules.items() if key.partition(".")[0] in ("vllm_mlx", "mlx_lm")]:
            if place.__dict__.get(name) is old:
                setattr(place, name, new)

    return do


def guarded(load_model: Callable[..., Any], set_max_bytes: Callable[[int], None] | None) -> Callable[..., Any]:
    """Asks before a model is loaded whether its settings go together with the cache."""

    @functools.wraps(load_model)
    def load_cached(*args: Any, **kwargs: Any) -> Any:
        defaults: Any = kwargs.get("defaults")
        given = kwargs if defaults is None else cast("dict[str, Any]", vars(defaults))
        refuse(given)
        megabytes = getattr(given.get("scheduler_config"), "cache_memory_mb", None)
        if set_max_bytes is not None and megabytes:
            set_max_bytes(megabytes * MB)
        return load_model(*args, **kwargs)

    return load_cached


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
