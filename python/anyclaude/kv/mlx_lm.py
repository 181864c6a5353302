"""The prefix cache in the place of mlx-lm's own, inside of ``mlx_lm.server``."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

from .handle import PrefixCacheHandle
from .segments import Renders, Systems, cut, turn_starts
from .server_cache import ServerCache, failed
from .tickets import Ticket, Tickets

logger = logging.getLogger("anyclaude.kv")

USED = ("ResponseGenerator", "LRUPromptCache", "make_prompt_cache")
"""What is looked up in the server's module."""

USED_OF_GENERATOR = ("__init__", "_tokenize", "_run_generate", "generate")
"""What is gone before in its generator."""

USED_OF_HANDLER = ("completion_usage_response", "generate_response")
"""What is gone before in its handler."""

STORE_SECONDS = 5.0
"""How long an answer's usage waits for its state to be stored, which takes milliseconds."""

# mlx-lm's own default of --prompt-cache-size, which nobody has asked for.
_DEFAULT_SIZE = 10
_SIZE_FLAG = "--prompt-cache-size"


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
        self.anyclaude_handle.join()
        try:
            # Starts the thread that runs the model, which leaves at its end.
            self.plain.__init__(self, model_provider, prompt_cache)
        except BaseException:
            self.anyclaude_handle.close()
            raise

    def _run_generate(self) -> None:
        try:
            if isinstance(self.prompt_cache, ServerCache):
                self._anyclaude_prepare(self.prompt_cache)
            self.plain._run_generate(self)
        finally:
            # On the thread that made the states.
            self.anyclaude_handle.close()

    def _anyclaude_prepare(self, cache: ServerCache) -> None:
        """Does before the first request what would make its answer late: the model's files are read for its scope, its
        template is compiled, and the saved state that was used last is loaded."""
        try:
            self.model_provider.load_default()
            if self.model_provider.model is not None:
                self.anyclaude_handle.load_latest(cache.scope())
                self.model_provider.tokenizer.apply_chat_template([{"role": "user", "content": "."}], tokenize=True)
        except Exception as error:  # the server tries the same, and tells what it makes of it
            logger.debug("the model is not ready (%s)", type(error).__name__)

    def generate(self, request: Any, *arguments: Any, **named: Any) -> Any:
        """As the server's own. The answer ends when its state is stored, so that its usage can say so."""
        if not self._anyclaude_on:
            return self.plain.generate(self, request, *arguments, **named)
        ticket = request.anyclaude_ticket = self._anyclaude_here.ticket = Ticket()
        context, tokens = self.plain.generate(self, request, *arguments, **named)
        return context, _until_stored(tokens, self.prompt_cache.tickets, ticket)

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
            failed("cut a prompt", error)
            return result

    def _in_pieces(self, cache: ServerCache, renders: Renders, request: Any, result: Any) -> Any:
        prompt, segments, kinds, state, vision = result
        prompt = list(prompt)
        if vision is not None:
            # The server looks it up by numbers below 0 that tell the images apart.
            cache.begin(None, [])
            return result
        ticket = getattr(request, "anyclaude_ticket", None)
        cache.begin(ticket, prompt)
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
        cache.system_ends(ticket, system)
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


def _until_stored(tokens: Iterator[Any], tickets: Tickets, ticket: Ticket) -> Iterator[Any]:
    try:
        yield from tokens
        tickets.wait_until_stored(ticket, STORE_SECONDS)
    finally:
        tickets.close(ticket)
