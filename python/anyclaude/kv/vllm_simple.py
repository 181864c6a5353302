"""The prefix cache in vllm-mlx's ``SimpleEngine``, which reads one prompt at a time.

All its ways to an answer, with tools and without, streamed and whole, with stop words, penalties and constraints, end
in ``mlx_lm.stream_generate``: that is where prompts are looked up. The engine's own caches, which know system prompts
only, are left empty.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import states
from .note import NOTE, Note
from .prompt import Prompt, never_breaking, prefix_length, remembering
from .segments import turn_starts
from .segments import opening_tokens
from .vllm_prefix import RENDER, NotesPrefix

if TYPE_CHECKING:
    from .vllm_mlx import Host

_ENGINE = "vllm_mlx.engine.simple"

_USED_OF_ENGINE = (
    "start", "stop", "chat", "stream_chat", RENDER, "_submit_to_generation_worker", "get_stats", "get_cache_stats",
    "clear_runtime_caches",
)  # fmt: skip

# Arguments of generation with which a state is not one that the model alone has made.
_FOREIGN = ("prompt_cache", "draft_model", "input_embeddings", "max_kv_size", "kv_bits")


class _Unusable(Exception):
    """A state from the cache, with which the model failed."""


class _Gone(Exception):
    """Nobody waits for the answer any more."""


class _Model(NamedTuple):
    """A model whose prompts are cached."""

    scope: str
    tokenizer: Any
    tokenize: Callable[[str], Sequence[int]]
    """Of system prompts."""
    step: int
    """The most tokens that are read at once."""
    opening: frozenset[int]
    """The tokens with which turns begin, where states cannot be cut."""


def prepare(host: Host) -> list[Callable[[], None]]:
    """What puts the cache into the engine. Raises ``ConfigError``."""
    from .vllm_mlx import change

    engine = host.module(_ENGINE, "SimpleEngine", "build_system_prompt_cache_prefix", "convert_tools_for_template")
    host.shape(engine.SimpleEngine, *_USED_OF_ENGINE)
    generate = host.module("mlx_lm.generate", "stream_generate", "generate_step")
    host.module("mlx_lm.models.cache", "make_prompt_cache")
    cached = Simple(host, generate)
    own = {
        "anyclaude": cached, "plain": engine.SimpleEngine,
        "tools_for_template": staticmethod(engine.convert_tools_for_template),
    }  # fmt: skip
    return [
        change(generate, "stream_generate", cached.stream_generate_of(generate.stream_generate)),
        # Within the engine only: the batching one wants its own answer.
        functools.partial(_put_prefix, engine, cached),
        change(engine, "SimpleEngine", type("SimpleEngine", (CachedEngine, engine.SimpleEngine), own)),
    ]


def _put_prefix(engine: Any, cached: Simple) -> None:
    engine.build_system_prompt_cache_prefix = cached.prefix_of(engine.build_system_prompt_cache_prefix)


class Simple:
    """The cache as the engines of this kind use it."""

    def __init__(self, host: Host, generate: Any) -> None:
        self.host = host
        self._generate = generate
        self._make: Any = host.module("mlx_lm.models.cache").make_prompt_cache
        # By identity: models are not hashable. An engine takes its own out before it lets go of it.
        self._models: dict[int, _Model] = {}

    def add(self, engine: Any) -> None:
        """An engine has loaded its model."""
        wrapper = engine._model
        if engine._is_mllm or wrapper is None:
            return self.host.tell(f"{engine._model_name}: prompts with images go through other code")
        if engine._draft_model is not None:
            return self.host.tell(f"{engine._model_name}: --specprefill reads parts of prompts only")
        if engine._max_kv_size:
            return self.host.tell(f"{engine._model_name}: with --max-kv-size beginnings of prompts are forgotten")
        model, tokenizer = wrapper.model, wrapper.tokenizer
        self.host.open()
        empty = self._make(model)
        name = self.host.scope(engine._model_path, tokenizer, empty)
        tokenize = remembering(functools.partial(_tokens, tokenizer))
        opening = frozenset[int]() if states.can_be_cut(empty) else opening_tokens(tokenizer)
        self._models[id(model)] = _Model(name, tokenizer, tokenize, engine._prefill_step_size, opening)

    def has(self, engine: Any) -> bool:
        """The prompts of an engine's model are cached."""
        return id(getattr(engine._model, "model", None)) in self._models

    def remove(self, model: Any) -> None:
        """An engine lets go of its model: of what is still read with it, nothing is kept."""
        known = self._models.pop(id(model), None)
        cache = self.host.cache
        if known is not None and cache is not None and known.scope not in [other.scope for other in self._all()]:
            # Who unloads a model wants its memory.
            cache.clear(known.scope)

    def _all(self) -> list[_Model]:
        """Other engines may come and go meanwhile."""
        return list(self._models.values())

    def prefix_of(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        """The engine asks for the text of system prompt and tools, to cache that: it is told that there is none.

        ``note_prefix`` has found it before, also for requests for which the engine does not ask.
        """

        @functools.wraps(plain)
        def prefix(tokenizer: Any, *args: Any, **kwargs: Any) -> Any:
            if any(known.tokenizer is tokenizer for known in self._all()):
                return None
            return plain(tokenizer, *args, **kwargs)

        return prefix

    def stream_generate_of(self, plain: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """mlx-lm's generation, which begins where an earlier prompt has left off."""

        @functools.wraps(plain)
        def stream_generate(
            model: Any, tokenizer: Any, prompt: Any, max_tokens: int = 256, **kwargs: Any
        ) -> Iterator[Any]:
            known = self._models.get(id(model))
            if known is None or any(kwargs.get(name) is not None for name in _FOREIGN):
                yield from plain(model, tokenizer, prompt, max_tokens, **kwargs)
                return
            kwargs.setdefault("prefill_step_size", known.step)
            kwargs.setdefault("prompt_progress_callback", _looking_at(NOTE.get()))
            yield from self._answer(plain, known, model, tokenizer, prompt, max_tokens, kwargs)

        return stream_generate

    def _answer(
        self, plain: Any, known: _Model, model: Any, tokenizer: Any, given: Any, max_tokens: int, kwargs: dict[str, Any]
    ) -> Iterator[Any]:
        tokens = _tokens(tokenizer, given)
        prompt = self._prompt(known, tokens)
        # For who has gone while a prompt is read there is no answer, which is no error.
        with contextlib.suppress(_Gone):
            if prompt is None:
                yield from plain(model, tokenizer, self._array(tokens), max_tokens, **kwargs)
                return
            try:
                yield from self._go_on(plain, model, tokenizer, prompt, max_tokens, kwargs)
            except _Unusable:
                prompt.failed()
                yield from self._go_on(plain, model, tokenizer, prompt, max_tokens, kwargs, is_anew=True)

    def _prompt(self, known: _Model, tokens: list[int]) -> Prompt | None:
        with never_breaking("look a prompt up"):
            note, cache = NOTE.get(), self.host.cache
            if cache is None:
                return None
            pin = prefix_length(known.tokenize, note, tokens)
            starts = turn_starts(tokens, known.opening) if known.opening else []
            return Prompt(cache, known.scope, tokens, pin=pin, breakpoints=starts, note=note)
        return None

    def _go_on(
        self,
        plain: Any,
        model: Any,
        tokenizer: Any,
        prompt: Prompt,
        max_tokens: int,
        kwargs: dict[str, Any],
        is_anew: bool = False,
    ) -> Iterator[Any]:
        """Reads what is left of a prompt, and answers.

        Raises ``_Unusable`` if that went wrong with a state from the cache, before the answer's first token.
        """
        found = None if is_anew else prompt.fetch()
        state = self._make(model) if found is None else found.state
        answer: list[int] = []
        try:
            rest = self._read(model, prompt, state, kwargs)
            done = len(prompt.tokens) - len(rest)
            for piece in plain(model, tokenizer, self._array(rest), max_tokens, prompt_cache=state, **kwargs):
                answer.append(int(piece.token))
                piece.prompt_tokens += done
                if piece.finish_reason is not None:
                    # Before the answer's end is sent, which says what the cache has got.
                    self._end(model, prompt, state, prompt.tokens + answer)
                yield piece
        except _Gone:
            # Who comes back with it finds what has been read so far.
            self._end(model, prompt, state, prompt.tokens[: states.length(state) or 0])
        except Exception as error:
            if answer or found is None:
                raise
            raise _Unusable(type(error).__name__) from error
        finally:
            if answer:
                self._end(model, prompt, state, prompt.tokens + answer)

    def _end(self, model: Any, prompt: Prompt, state: Any, tokens: list[int]) -> None:
        if id(model) in self._models:  # unless it was unloaded meanwhile
            prompt.end(state, tokens)

    def _read(self, model: Any, prompt: Prompt, state: Any, kwargs: dict[str, Any]) -> list[int]:
        """Reads a prompt up to the last place where its state is kept; gives the rest."""
        stops = prompt.stops(self._make(model))
        *heads, rest = prompt.segments(stops)
        reading = {name: kwargs[name] for name in ("prefill_step_size", "prompt_progress_callback")}
        for head, stop in zip(heads, stops):
            # For no token, it computes nothing but the state.
            array = self._array(head)
            for _ in self._generate.generate_step(array, model, max_tokens=0, prompt_cache=state, **reading):
                pass
            prompt.keep(state, stop)
        return rest

    def _array(self, tokens: list[int]) -> Any:
        return self._generate.mx.array(tokens)


def _looking_at(note: Note | None) -> Callable[[int, int], None]:
    """What mlx-lm calls after each piece of a prompt. Alone, the engine reads prompts to their end, whoever asked."""

    def look(read: int, total: int) -> None:
        if note is not None and note.is_gone and read > 0:
            raise _Gone

    return look


def _tokens(tokenizer: Any, prompt: Any) -> list[int]:
    """As mlx-lm reads a prompt."""
    if not isinstance(prompt, str):
        return list(prompt.tolist() if hasattr(prompt, "tolist") else prompt)
    bos: str | None = tokenizer.bos_token
    return list(tokenizer.encode(prompt, add_special_tokens=bos is None or not prompt.startswith(bos)))


class CachedEngine(NotesPrefix):
    """What goes before the server's engine."""

    anyclaude: Simple
    plain: Any
    """The server's own class."""

    async def start(self) -> None:
        await self.plain.start(self)
        self.anyclaude.add(self)

    async def stop(self) -> None:
        engine: Any = self
        model = getattr(engine._model, "model", None)
        try:
            await self.plain.stop(self)
        finally:
            # Not before: what is under way ends by keeping its state.
            self.anyclaude.remove(model)

    def _is_cached(self) -> bool:
        return self.anyclaude.has(self)

    async def _submit_to_generation_worker(self, worker: Any, fn: Any, *args: Any, **kwargs: Any) -> Any:
        """On the thread that runs the model, too, the request is known."""
        run = contextvars.copy_context().run
        return await self.plain._submit_to_generation_worker(self, worker, run, fn, *args, **kwargs)

    def get_stats(self) -> dict[str, Any]:
        return {**self.plain.get_stats(self), "memory_aware_cache": self.anyclaude.host.stats()}

    def get_cache_stats(self) -> dict[str, Any]:
        return {**(self.plain.get_cache_stats(self) or {}), "memory_aware_cache": self.anyclaude.host.stats()}

    def clear_runtime_caches(self) -> dict[str, Any]:
        self.clear_prefix_cache()
        return {**(self.plain.clear_runtime_caches(self) or {}), "memory_aware_cache": True}

    def clear_prefix_cache(self) -> None:
        """What ``DELETE /v1/cache/prefix`` asks for."""
        self.anyclaude.host.handle.clear()
