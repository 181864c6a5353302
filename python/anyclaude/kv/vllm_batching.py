"""The prefix cache in vllm-mlx's ``--continuous-batching``, in place of its ``MemoryAwarePrefixCache``.

That one has a state stop at the prompt's and answer's end and prefills an exact repeat from its first token, as no
token would be left to be computed. Here prompts are looked up as they are about to be computed, on the thread that
runs the model, and states are kept at the end of an answer, of an abandoned request, and at the places where states
that cannot be cut are worth it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any

from . import states, vllm_generator
from .note import NOTE, Note
from .prompt import Prompt, never_breaking, prefix_length, remembering
from .segments import turn_starts
from .vllm_generator import CachedGenerator, Tokens
from .segments import opening_tokens
from .vllm_prefix import RENDER, NotesPrefix

if TYPE_CHECKING:
    from .vllm_mlx import Host

_USED_OF_SCHEDULER = (
    "add_request", "_schedule_waiting", "_cleanup_finished", "_do_abort_request", "_prompt_output_entry_is_useless",
    "_store_prompt_only_cache", "_make_prompt_cache_save_callback", "_create_batch_generator", "_bounded_kv_size",
    "_reference_cache_topology", "_recover_from_generation_error", "_reschedule_running_requests",
)  # fmt: skip
_USED_OF_ENGINE = (
    "_start_llm", "_start_mllm", "chat", "stream_chat", RENDER, "_compute_prefix_boundary",
    "_clear_prefix_cache_on_owner",
)  # fmt: skip

# The model that a scheduler is being made for: its path is not handed down to it.
LOADING: ContextVar[str | None] = ContextVar("anyclaude_loading", default=None)


def prepare(host: Host) -> list[Callable[[], None]]:
    """What puts the cache into the engine. Raises ``ConfigError``."""
    from .vllm_mlx import change

    scheduler = host.module("vllm_mlx.scheduler", "Scheduler", "BatchGenerator")
    host.shape(scheduler.Scheduler, *_USED_OF_SCHEDULER)
    host.shape(scheduler.BatchGenerator, *vllm_generator.USED)
    batched = host.module("vllm_mlx.engine.batched", "BatchedEngine", "convert_tools_for_template")
    host.shape(batched.BatchedEngine, *_USED_OF_ENGINE)
    core = host.module("vllm_mlx.engine_core", "Request", "Scheduler")
    mx = host.module("mlx.core")

    generator = type("BatchGenerator", (CachedGenerator, scheduler.BatchGenerator), {
        "plain": scheduler.BatchGenerator, "mx": mx,
    })  # fmt: skip
    cached_scheduler = type("Scheduler", (CachedScheduler, scheduler.Scheduler), {
        "plain": scheduler.Scheduler, "host": host,
    })  # fmt: skip
    engine = type("BatchedEngine", (CachedBatchedEngine, batched.BatchedEngine), {
        "plain": batched.BatchedEngine, "host": host,
        "tools_for_template": staticmethod(batched.convert_tools_for_template),
    })  # fmt: skip
    request = type("Request", (NotedRequest, core.Request), {"plain": core.Request})

    def put_in_scheduler() -> None:
        # Other users of mlx-lm's class have nothing of this.
        scheduler.BatchGenerator = generator
        core.Request = request

    return [
        put_in_scheduler,
        change(scheduler, "Scheduler", cached_scheduler),
        change(batched, "BatchedEngine", engine),
    ]


class NotedRequest:
    """A request of the scheduler's, which remembers the one of HTTP that it was made for."""

    plain: Any
    note: Note | None
    prompt_run: Prompt | None
    said_before: int
    """Tokens of an answer that the scheduler has begun anew after a failure: they come before those of this run."""
    is_retried: bool
    """The model has failed with a state from the cache."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.note = NOTE.get()
        self.prompt_run = None
        self.said_before = 0
        self.is_retried = False
        self.plain.__init__(self, *args, **kwargs)


class CachedBatchedEngine(NotesPrefix):
    """What goes before the server's engine."""

    plain: Any
    host: Host

    async def _start_llm(self) -> None:
        engine: Any = self
        token = LOADING.set(engine._model_path)
        try:
            await self.plain._start_llm(self)
        finally:
            LOADING.reset(token)

    async def _start_mllm(self) -> None:
        engine: Any = self
        self.host.tell(f"{engine._model_name}: prompts with images go through other code")
        await self.plain._start_mllm(self)

    def _compute_prefix_boundary(
        self, messages: Any, tools: Any = None, chat_template_kwargs: dict[str, Any] | None = None
    ) -> int:
        """Where the last message begins: turns are found in the tokens here, which spares two more renderings."""
        if self._is_cached():
            return 0
        boundary: int = self.plain._compute_prefix_boundary(self, messages, tools, chat_template_kwargs)
        return boundary

    def _is_cached(self) -> bool:
        engine: Any = self
        scheduler = getattr(getattr(engine._engine, "engine", None), "scheduler", None)
        return getattr(scheduler, "_scope", None) is not None

    async def _clear_prefix_cache_on_owner(self) -> None:
        """What ``DELETE /v1/cache/prefix`` asks for; the server's own way there ends before the scheduler."""
        self.host.handle.clear()
        await self.plain._clear_prefix_cache_on_owner(self)


class CachedScheduler:
    """What goes before the server's scheduler. All but ``__init__`` is called on the thread that runs the model."""

    plain: Any
    host: Host
    config: Any
    waiting: Any
    running: dict[str, Any]
    memory_aware_cache: Any

    def __init__(self, model: Any, tokenizer: Any, config: Any = None) -> None:
        from .vllm_mlx import refused

        self.plain.__init__(self, model, tokenizer, config)
        self._scope: str | None = None
        path = LOADING.get()
        if path is None:
            return
        flag = refused(self.config)
        if flag is None and self.config.enable_mtp:
            flag = "--enable-mtp"
        if flag is not None:
            return self.host.tell(f"{path}: {flag} and anyclaude's cache do not go together")
        scheduler: Any = self
        self._empty: list[Any] = self._new_state()
        self.host.open()
        self._scope = self.host.scope(path, scheduler._actual_tokenizer, self._empty)
        self._tokenize = remembering(scheduler._actual_tokenizer.encode)
        # Where states cannot be cut.
        self._opening = frozenset[int]() if states.can_be_cut(self._empty) else opening_tokens(scheduler._actual_tokenizer)
        self.memory_aware_cache = InPlace(self.host, self._scope)

    def _new_state(self) -> list[Any]:
        scheduler: Any = self
        return list(scheduler._reference_cache_topology() or [])

    def _make_prompt_cache_save_callback(self) -> Any:
        """Of use with other versions of mlx-lm only; without it the server warns."""
        return self.plain._make_prompt_cache_save_callback(self) if self._scope is None else None

    def add_request(self, request: Any) -> None:
        """Without a look into the cache yet: until the prompt is computed, there may be more in it."""
        cache = self.memory_aware_cache
        if self._scope is not None:
            self.memory_aware_cache = None
        try:
            self.plain.add_request(self, request)
        finally:
            self.memory_aware_cache = cache

    def _schedule_waiting(self) -> Any:
        if self._scope is not None:
            room = max(0, self.config.max_num_seqs - len(self.running))
            for request in islice(list(self.waiting), room):
                if request.prompt_cache is None and request.prompt_token_ids:
                    with never_breaking("look a prompt up"):
                        self._look_up(request, self._scope)
        return self.plain._schedule_waiting(self)

    def _look_up(self, request: Any, scope: str) -> None:
        """Takes what there is of a prompt's state, as the scheduler's own cache would have done on its arrival."""
        tokens = list(request.prompt_token_ids)
        note: Note | None = getattr(request, "note", None)
        cache = self.host.cache
        request.prompt_run, request.said_before = None, len(request.output_token_ids)
        if cache is None:
            return
        pin = prefix_length(self._tokenize, note, tokens)
        breakpoints = [request.prefix_boundary] if request.prefix_boundary else []
        if self._opening:
            breakpoints += turn_starts(tokens, self._opening)
        prompt = Prompt(cache, scope, tokens, pin=pin, breakpoints=breakpoints, note=note)
        request.prompt_run = prompt
        request.prompt_token_ids = Tokens(tokens)
        request.prompt_token_ids.prompt = prompt
        request.remaining_tokens = request.prompt_token_ids
        found = None if request.is_retried else prompt.fetch()
        if found is None:
            return prompt.took(0)
        request.cache_hit_type = "prefix"
        request.prompt_cache = found.state
        request.cached_tokens = found.tokens
        request.remaining_tokens = Tokens(tokens[found.tokens :])
        request.remaining_tokens.prompt = prompt

    def _create_batch_generator(self, sampling_params: Any) -> Any:
        generator = self.plain._create_batch_generator(self, sampling_params)
        if self._scope is not None and isinstance(generator, CachedGenerator):
            generator.empty = self._empty
        return generator

    @staticmethod
    def _prompt_output_entry_is_useless(cache: Any) -> bool:
        """The next turn begins with all of it."""
        return False

    def _store_prompt_only_cache(self, request: Any, response: Any) -> None:
        if self._scope is None:
            self.plain._store_prompt_only_cache(self, request, response)

    def _cleanup_finished(self, finished_ids: set[str]) -> None:
        for request in [self.running[name] for name in finished_ids if name in self.running]:
            state = getattr(request, "_extracted_cache", None)
            if state and getattr(request, "prompt_run", None) is not None:
                request._extracted_cache = None
                answer = request.output_token_ids[request.said_before :]
                request.prompt_run.end(state, [*request.prompt_token_ids, *answer])
        self.plain._cleanup_finished(self, finished_ids)

    def _recover_from_generation_error(self) -> set[str]:
        """Requests that had got no answer when the model failed with a state from the cache are read anew, once."""
        waiting = [request for request in self.running.values() if not request.output_token_ids and self._is_new(request)]
        failed = [request for request in waiting if request.prompt_run is not None and request.prompt_run.reused]
        if not failed:
            aborted: set[str] = self.plain._recover_from_generation_error(self)
            return aborted
        for request in failed:
            request.prompt_run.failed()
        for request in waiting:
            request.is_retried = True
            del self.running[request.request_id]
        aborted = self.plain._recover_from_generation_error(self)
        others = self.running
        self.running = {request.request_id: request for request in waiting}
        scheduler: Any = self
        scheduler._reschedule_running_requests()
        self.running = others
        return aborted

    @staticmethod
    def _is_new(request: Any) -> bool:
        return not getattr(request, "is_retried", True)

    def _do_abort_request(self, request_id: str) -> bool:
        """What was computed for who has gone is there when they come back."""
        scheduler: Any = self
        request = self.running.get(request_id)
        uid = scheduler.request_id_to_uid.get(request_id)
        generator = scheduler.batch_generator
        if request is not None and getattr(request, "prompt_run", None) is not None and generator is not None:
            generator.abandon(uid, request.prompt_run)
        done: bool = self.plain._do_abort_request(self, request_id)
        return done


class InPlace:
    """What the scheduler has in place of its own cache: everything it still asks for by itself."""

    def __init__(self, host: Host, scope: str) -> None:
        self._host = host
        self._scope = scope

    def store(self, *args: Any, **kwargs: Any) -> bool:
        """Nothing: states are kept before the scheduler comes to it."""
        return False

    def remove(self, tokens: Sequence[int], **kwargs: Any) -> bool:
        """A state that the scheduler cannot use."""
        cache = self._host.cache
        return cache is not None and cache.forget(self._scope, tokens)

    def clear(self) -> None:
        """Those of the scheduler's own model."""
        cache = self._host.cache
        if cache is not None:
            cache.clear(self._scope)

    def get_stats(self) -> dict[str, Any]:
        return self._host.stats()

    def save_to_disk(self, folder: str) -> bool:
        """What is worth it has been saved already."""
        return False

    def load_from_disk(self, folder: str) -> int:
        """States are loaded when a prompt begins with them."""
        return 0

    @property
    def _entries(self) -> Any:
        return range(self._host.stats()["entry_count"])

    @property
    def _current_memory(self) -> int:
        held: int = self._host.stats()["anyclaude"].get("bytes", 0)
        return held

    @property
    def memory_limit_mb(self) -> float:
        limit: float = self._host.stats()["max_memory_mb"]
        return limit
