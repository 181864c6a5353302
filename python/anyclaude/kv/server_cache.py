"""What mlx-lm's server takes for its own prompt cache, with the prefix cache behind it."""

from __future__ import annotations

import importlib
import logging
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from . import states
from .cache import PrefixCache, Reused
from .fingerprint import scope
from .handle import PrefixCacheHandle
from .segments import opening_tokens
from .tickets import Same, Ticket, Tickets

logger = logging.getLogger("anyclaude.kv")

LEAST_NEW = 256
"""A prompt's state that can be cut is kept before its answer is there if so many tokens are new: what a client that
leaves in the middle would have computed for nothing. With fewer the copy costs more than that."""

LEAST_PINNED = 256
"""System prompts with fewer tokens are computed faster than they are looked for on disk."""

_QUANTISED = "QuantizedKVCache"


class ServerCache:
    """What the server takes for its ``LRUPromptCache``. Its methods are called on the thread that runs the model.

    Whatever fails here is a miss; the server never sees it.
    """

    def __init__(self, handle: PrefixCacheHandle, max_size: int | None) -> None:
        self._cache: PrefixCache = handle.opened()
        self._memory, self._has_own_memory = handle.settings.memory, handle.settings.has_own_memory
        self._max_size = max_size
        self._provider: Any = None
        self._scope = ""
        self._model: Callable[[], Any] = lambda: None
        self._fetched: tuple[list[int], Reused | None] | None = None
        self._asking: Ticket | None = None
        self.tickets = Tickets()
        """Of the requests that are being answered."""
        self.can_be_cut = True
        """Any state of the model can be cut anywhere."""
        self.opening: frozenset[int] = frozenset()
        """The tokens that open turns."""
        self._has_draft = False
        self._quantised_from = 0

    def serve(self, provider: Any) -> None:
        """The server's models are those of ``provider``; its flag for the size goes before our default."""
        self._provider = provider
        most: int | None = getattr(provider.cli_args, "prompt_cache_bytes", None)
        if most is not None:
            self._cache.set_max_bytes(min(most, self._memory) if self._has_own_memory else most)

    def scope(self) -> str:
        """The scope of the model that is loaded."""
        provider = self._provider
        if self._model() is not provider.model:
            arguments, model = provider.cli_args, provider.model
            path, adapter, draft = provider.model_key
            make: Any = importlib.import_module("mlx_lm.models.cache").make_prompt_cache
            empty = [layer for part in (model, provider.draft_model) if part is not None for layer in make(part)]
            bits = getattr(arguments, "kv_bits", None)
            quantised = {
                name: getattr(arguments, name, None) for name in ("kv_bits", "kv_group_size", "quantized_kv_start")
            }
            self._quantised_from = int(getattr(arguments, "quantized_kv_start", None) or 0) if bits else 0
            self._has_draft = provider.draft_model is not None
            self._scope = scope(
                path, adapter=adapter, draft=draft, tokenizer=provider.tokenizer,
                template_args=arguments.chat_template_args, cache=empty, quantisation=quantised if bits else None,
            )  # fmt: skip
            self.can_be_cut = states.can_be_cut(empty)
            self.opening = opening_tokens(provider.tokenizer)
            self._model = weakref.ref(model)
        return self._scope

    def begin(self, ticket: Ticket | None, tokens: list[int]) -> None:
        """The prompt that is looked up next is this request's."""
        self._asking, self._fetched = ticket, None
        if ticket is not None:
            self.tickets.open(ticket, tokens)

    def system_ends(self, ticket: Ticket | None, place: int) -> None:
        """System prompt and tools of a request's prompt end there; 0 where that is not known."""
        if ticket is not None and ticket.same is not None:
            ticket.same.system = place

    def fetch_ahead(self, tokens: list[int]) -> int:
        """Looks a prompt up; the server's own look-up, which comes next, gets what was found. Gives its length."""
        found = self._fetch(tokens)
        self._fetched = tokens, found
        return 0 if found is None else found.tokens

    def _fetch(self, tokens: list[int]) -> Reused | None:
        """What the cache has of a prompt."""
        found = self._cache.fetch(self.scope(), tokens)
        return None if found is None or self._is_too_rounded(found.state, found.tokens) else found

    def _is_too_rounded(self, state: Sequence[Any], tokens: int) -> bool:
        """Whether a beginning of so many tokens would not be quantised if it were computed alone: the server begins
        with that at a length that its user sets."""
        return tokens < self._quantised_from and any(type(layer).__name__ == _QUANTISED for layer in state)

    def checkpoints(self, tokens: list[int], points: Sequence[int], reused: int) -> list[int]:
        """Where a state that cannot be cut is worth a copy."""
        return self._cache.checkpoints(self.scope(), tokens, points, reused)

    def fetch_nearest_cache(self, model: Any, tokens: list[int]) -> tuple[list[Any] | None, list[int]]:
        """A state that holds the beginning of a prompt, and the rest of the prompt, at least one token."""
        (fetched, ticket), self._fetched, self._asking = (self._fetched, self._asking), None, None
        if _has_images(tokens):
            return None, tokens
        try:
            if fetched is None or fetched[0] != tokens:
                found = self._fetch(tokens)
            else:
                found = fetched[1]
        except Exception as error:
            failed("look a prompt up", error)
            found = None
        if found is None:
            return None, tokens
        if ticket is not None:
            ticket.reused = found.tokens
        return found.state, tokens[found.tokens :]

    def insert_cache(
        self, model: Any, tokens: list[int], prompt_cache: list[Any], *, cache_type: str = "assistant"
    ) -> None:
        """Keeps a state. That of a system prompt is pinned."""
        if _has_images(tokens):
            told_once("prompts with images are computed anew each time: the prefix cache takes none")
            return
        requests = self.tickets.of(tokens) if cache_type == "assistant" else []
        try:
            scope = self.scope()
            if self._has_draft:
                _level(prompt_cache)
            self._keep_system(scope, requests, prompt_cache)
            is_pinned = cache_type == "system" and len(tokens) >= LEAST_PINNED
            is_whole = bool(requests) or is_pinned or not self.can_be_cut
            if is_whole or len(tokens) - self._cache.held(scope, tokens) >= LEAST_NEW:
                self._cache.store(scope, tokens, prompt_cache, pinned=is_pinned)
            for same in requests:
                same.held = self._cache.held(scope, same.prompt)
            if self._max_size is not None:
                self.trim_to(n_sequences=self._max_size)
        except Exception as error:
            failed("keep a state", error)
        finally:
            self.tickets.stored(requests)

    def _keep_system(self, scope: str, requests: Sequence[Same], state: list[Any]) -> None:
        """Keeps a system prompt that came in no piece of its own: where the server reads one prompt at a time."""
        for same in requests:
            end = same.system
            if end < LEAST_PINNED or not states.trimmable(state) or self._is_too_rounded(state, end):
                continue
            if end in self._cache.checkpoints(scope, same.prompt, [end], 0):
                own = states.prefix_copy(state, end)
                if own is not None:
                    self._cache.store(scope, same.prompt[:end], own, pinned=True)

    def trim_to(self, *, n_sequences: int | None = None, n_bytes: int | None = None) -> None:
        """Drops states until there are no more than so many, or so many bytes."""
        if n_bytes is not None and (surplus := self._cache.nbytes - max(0, n_bytes)) > 0:
            self._cache.free(surplus)
        if n_sequences is not None:
            self._cache.limit(n_sequences)

    def stats_by_type(self) -> dict[str, dict[str, int]]:
        """For the server's log."""
        return {"anyclaude": {"n_sequences": len(self._cache), "n_bytes": self._cache.nbytes}}

    @property
    def nbytes(self) -> int:
        """What the states hold."""
        return self._cache.nbytes

    def __len__(self) -> int:
        return len(self._cache)


def _has_images(tokens: Sequence[int]) -> bool:
    """Whether the server calls for a prompt with images, by numbers that are no tokens."""
    return min(tokens, default=0) < 0


def _level(state: Sequence[Any]) -> None:
    """Cuts layers to the shortest of them: of a model and the one that drafts for it, one is a token ahead."""
    lengths = [int(layer.offset) for layer in state if hasattr(layer, "offset")]
    for layer in state:
        surplus = int(getattr(layer, "offset", 0)) - min(lengths, default=0)
        if surplus > 0 and layer.is_trimmable():
            layer.trim(surplus)


_told: set[str] = set()


def told_once(message: str) -> None:
    """A warning for what will come again and again."""
    if message not in _told:
        _told.add(message)
        logger.warning("%s", message)


def failed(what: str, error: Exception) -> None:
    """Says what went wrong, once for each kind. The message of an error may hold a prompt."""
    told_once(f"the prefix cache could not {what} ({type(error).__name__}): the server goes on without it")
