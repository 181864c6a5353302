"""The prefix cache in the place of mlx-lm's own, inside of ``mlx_lm.server``."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .cache import PrefixCache, Reused
from .fingerprint import scope
from .handle import PrefixCacheHandle
from .segments import Renders, Systems, cut, opening_tokens, turn_starts
from .tickets import Ticket, Tickets

logger = logging.getLogger("anyclaude.kv")

USED = ("ResponseGenerator", "LRUPromptCache", "make_prompt_cache")
"""What is looked up in the server's module."""

USED_OF_GENERATOR = ("__init__", "_tokenize", "_run_generate", "generate")
"""What is gone before in its generator."""

USED_OF_HANDLER = ("completion_usage_response", "generate_response")
"""What is gone before in its handler."""

LEAST_NEW = 256
"""A prompt's state that can be cut is kept before its answer is there if so many tokens are new: what a client that
leaves in the middle would have computed for nothing. With fewer the copy costs more than that."""

LEAST_PINNED = 256
"""System prompts with fewer tokens are computed faster than they are looked for on disk."""

STORE_SECONDS = 5.0
"""How long an answer's usage waits for its state to be stored, which takes milliseconds."""

# mlx-lm's own default of --prompt-cache-size, which nobody has asked for.
_DEFAULT_SIZE = 10
_SIZE_FLAG = "--prompt-cache-size"

_ALWAYS_CUT = frozenset({"KVCache", "QuantizedKVCache", "ConcatenateKVCache"})


class ServerCache:
    """What the server takes for its ``LRUPromptCache``. Its methods are called on the thread that runs the model.

    Whatever fails here is a miss; the server never sees it.
    """

    def __init__(self, handle: PrefixCacheHandle, max_size: int | None) -> None:
        self._cache: PrefixCache = handle.opened()
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

    def serve(self, provider: Any) -> None:
        """The server's models are those of ``provider``; its flag for the size goes before our default."""
        self._provider = provider
        most = getattr(provider.cli_args, "prompt_cache_bytes", None)
        if most is not None:
            self._cache.set_max_bytes(most)

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
            self._scope = scope(
                path, adapter=adapter, draft=draft, tokenizer=provider.tokenizer,
                template_args=arguments.chat_template_args, cache=empty, quantisation=quantised if bits else None,
            )  # fmt: skip
            self.can_be_cut = _can_be_cut(empty)
            self.opening = opening_tokens(provider.tokenizer)
            self._model = weakref.ref(model)
        return self._scope

    def begin(self, ticket: Ticket | None, tokens: list[int]) -> None:
        """The prompt that is looked up next is this request's."""
        self._asking, self._fetched = ticket, None
        if ticket is not None:
            ticket.prompt = tokens
            self.tickets.open(ticket)

    def fetch_ahead(self, tokens: list[int]) -> int:
        """Looks a prompt up; the server's own look-up, which comes next, gets what was found. Gives its length."""
        found = self._cache.fetch(self.scope(), tokens)
        self._fetched = tokens, found
        return 0 if found is None else found.tokens

    def checkpoints(self, tokens: list[int], points: Sequence[int], reused: int) -> list[int]:
        """Where a state that cannot be cut is worth a copy."""
        return self._cache.checkpoints(self.scope(), tokens, points, reused)

    def fetch_nearest_cache(self, model: Any, tokens: list[int]) -> tuple[list[Any] | None, list[int]]:
        """A state that holds the beginning of a prompt, and the rest of the prompt, at least one token."""
        (fetched, ticket), self._fetched, self._asking = (self._fetched, self._asking), None, None
        try:
            if fetched is None or fetched[0] != tokens:
                found = self._cache.fetch(self.scope(), tokens)
            else:
                found = fetched[1]
        except Exception as error:
            _failed("look a prompt up", error)
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
        ticket = self.tickets.answered(tokens) if cache_type == "assistant" else None
        try:
            scope = self.scope()
            is_pinned = cache_type == "system" and len(tokens) >= LEAST_PINNED
            is_whole = ticket is not None or is_pinned or not self.can_be_cut
            if is_whole or len(tokens) - self._cache.held(scope, tokens) >= LEAST_NEW:
                self._cache.store(scope, tokens, prompt_cache, pinned=is_pinned)
            if ticket is not None:
                ticket.held = self._cache.held(scope, ticket.prompt)
            if self._max_size is not None:
                self.trim_to(n_sequences=self._max_size)
        except Exception as error:
            _failed("keep a state", error)
        finally:
            if ticket is not None:
                ticket.stored.set()

    def trim_to(self, *, n_sequences: int | None = None, n_bytes: int | None = None) -> None:
        """Drops states until there are no more than so many, or so many bytes."""
        if n_bytes is not None and (surplus := self._cache.nbytes - max(0, n_bytes)) > 0:
            self._cache.free(surplus)
        while n_sequences is not None and (count := len(self._cache)) > max(0, n_sequences):
            self._cache.free(1)
            if len(self._cache) >= count:
                return  # the rest is in use

    def stats_by_type(self) -> dict[str, dict[str, int]]:
        """For the server's log."""
        return {"anyclaude": {"n_sequences": len(self._cache), "n_bytes": self._cache.nbytes}}

    @property
    def nbytes(self) -> int:
        """What the states hold."""
        return self._cache.nbytes

    def __len__(self) -> int:
        return len(self._cache)


class CachedGenerator:
    """What goes before the server's ``ResponseGenerator``."""

    anyclaude_handle: PrefixCacheHandle
    plain: Any
    """The server's own class."""
    prompt_cache: Any
    model_provider: Any

    def __init__(self, model_provider: Any, prompt_cache: Any) -> None:
        self._anyclaude_systems = Systems()
        self._anyclaude_here = threading.local()
        self._anyclaude_on = isinstance(prompt_cache, ServerCache)
        if isinstance(prompt_cache, ServerCache):
            prompt_cache.serve(model_provider)
        # Starts the thread that runs the model.
        self.plain.__init__(self, model_provider, prompt_cache)

    def _run_generate(self) -> None:
        try:
            self.plain._run_generate(self)
        finally:
            # On the thread that made the states.
            self.anyclaude_handle.close()

    def generate(self, request: Any, *arguments: Any, **named: Any) -> Any:
        """As the server's own. The answer ends when its state is stored, so that its usage can say so."""
        if not self._anyclaude_on:
            return self.plain.generate(self, request, *arguments, **named)
        ticket = request.anyclaude_ticket = self._anyclaude_here.ticket = Ticket()
        context, tokens = self.plain.generate(self, request, *arguments, **named)
        return context, _until_stored(tokens, ticket)

    def anyclaude_ticket(self) -> Ticket | None:
        """That of the request which this thread has asked last."""
        ticket: Ticket | None = getattr(self._anyclaude_here, "ticket", None)
        return ticket

    def _tokenize(self, tokenizer: Any, request: Any, args: Any) -> Any:
        """As the server's own, with the pieces cut where their states are worth keeping."""
        cache = self.prompt_cache
        if not isinstance(cache, ServerCache):
            return self.plain._tokenize(self, tokenizer, request, args)
        renders = Renders(tokenizer, self._anyclaude_systems)
        result = self.plain._tokenize(self, renders, request, args)
        try:
            return self._in_pieces(cache, renders, request, result)
        except Exception as error:
            _failed("cut a prompt", error)
            return result

    def _in_pieces(self, cache: ServerCache, renders: Renders, request: Any, result: Any) -> Any:
        prompt, segments, kinds, state, vision = result
        prompt = list(prompt)
        # Images are looked up by what tells them apart, and are read in one piece.
        cache.begin(getattr(request, "anyclaude_ticket", None), prompt if vision is None else list(vision.cache_key))
        if vision is not None:
            return result
        reused = cache.fetch_ahead(prompt)
        ends: dict[int, str] = {}
        place = 0
        for segment, kind in zip(segments[:-1], kinds[:-1], strict=True):
            place += len(segment)
            ends[place] = kind
        system = next((end for end, kind in ends.items() if kind == "system"), 0)
        if not system and renders.prompt is not None:
            # The server looks for it only where the last message is the user's and there is a system message.
            system = renders.system_end(request.messages)
        if not cache.can_be_cut:
            points = sorted({*ends, system, *turn_starts(prompt, cache.opening)} - {0})
            ends = dict.fromkeys(cache.checkpoints(prompt, points, reused), "user")
        if system:
            ends[system] = "system"
        pieces = cut(prompt, ends, kinds[-1])
        return prompt, pieces.segments, pieces.kinds, state, vision


class UsageHandler:
    """What goes before the server's handler: usage that tells what is in the cache now."""

    plain_usage: Any
    """The server's own handler class."""
    response_generator: Any

    def completion_usage_response(self, *arguments: Any, **named: Any) -> Any:
        """As the server's own."""
        return self._with_written(self.plain_usage.completion_usage_response(self, *arguments, **named))

    def generate_response(self, *arguments: Any, **named: Any) -> Any:
        """As the server's own."""
        return self._with_written(self.plain_usage.generate_response(self, *arguments, **named))

    def _with_written(self, response: Any) -> Any:
        usage = response.get("usage")
        details = usage.get("prompt_tokens_details") if usage else None
        ticket_of = getattr(self.response_generator, "anyclaude_ticket", None)
        ticket = ticket_of() if ticket_of is not None else None
        if details is not None and ticket is not None:
            details["cache_write_tokens"] = ticket.written
        return response


def put_in(module: Any, handle: PrefixCacheHandle) -> None:
    """Puts the cache into the server's module, for servers that are started from now on."""
    plain_cache, plain = module.LRUPromptCache, module.ResponseGenerator

    def make_cache(max_size: int = _DEFAULT_SIZE, *arguments: Any, **named: Any) -> Any:
        mlx: Any = importlib.import_module("mlx.core")
        if mlx.distributed.init().size() > 1:
            # All processes must find the same, and each has a memory of its own.
            logger.warning("the prefix cache is off: this server is one of several that run a model together")
            return plain_cache(max_size, *arguments, **named)
        is_asked = max_size != _DEFAULT_SIZE or any(word.split("=")[0] == _SIZE_FLAG for word in sys.argv)
        return ServerCache(handle, max_size if is_asked else None)

    module.LRUPromptCache = functools.update_wrapper(make_cache, plain_cache, updated=())
    own = {"anyclaude_handle": handle, "plain": plain}
    module.ResponseGenerator = type(plain.__name__, (CachedGenerator, plain), own)


def _until_stored(tokens: Iterator[Any], ticket: Ticket) -> Iterator[Any]:
    yield from tokens
    if ticket.is_open:
        ticket.stored.wait(STORE_SECONDS)


def _can_be_cut(state: Sequence[Any]) -> bool:
    """Whether states of these classes can be cut at any length."""
    for layer in state:
        inner = getattr(layer, "caches", None)
        if not (_can_be_cut(inner) if inner is not None else type(layer).__name__ in _ALWAYS_CUT):
            return False
    return True


_told: set[str] = set()


def _failed(what: str, error: Exception) -> None:
    """Says what went wrong, once for each kind. The message of an error may hold a prompt."""
    kind = f"{what} ({type(error).__name__})"
    if kind not in _told:
        _told.add(kind)
        logger.warning("the prefix cache could not %s: the server goes on without it", kind, exc_info=None)
