"""The cache in vllm-mlx's two engines, on real KV states of every kind: with it a model says what it says without."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyclaude.vllm_mlx
import mlx.core as mx
import mlx_lm
import mlx_lm.utils
import pytest
import vllm_mlx.engine.simple
import vllm_mlx.scheduler
import vllm_mlx.server
from anyclaude.errors import ConfigError
from anyclaude.kv import vllm_batching
from anyclaude.kv import vllm_mlx as inside
from anyclaude.kv.handle import PrefixCacheHandle
from anyclaude.kv.memory import total
from anyclaude.kv.note import NOTE, CountedUsage, Note
from anyclaude.kv.prompt import _warned
from anyclaude.kv.vllm_warm import asking
from small_models import KINDS, Model, conversation, load

TOKENS = int(os.environ.get("KV_TOKENS", "12"))
"""Tokens of each answer; `make soak` asks for 200."""

# What it reads and writes is not looked at: only which tokens end an answer.
TOKENIZER = Path(os.environ.get("TINY_MODEL", Path(__file__).parents[2] / ".cache/model/tiny"))

PIN = 90
"""Where the beginning ends that all conversations share."""

# As a user's script does it: everything below is what the server itself would make.
HANDLE: Any = anyclaude.vllm_mlx.install(vllm_mlx.server, cache={"memory": "1GB", "disk": "off"})
Scheduler: Any = vllm_mlx.scheduler.Scheduler
SimpleEngine: Any = vllm_mlx.engine.simple.SimpleEngine
CACHE = HANDLE.opened()


@pytest.fixture(scope="module", params=[kind for kind in KINDS if kind not in ("quantised", "chunks")])
def model(request: pytest.FixtureRequest) -> Model:
    """vllm-mlx has no quantised states but in a cache of its own, which is refused; and mlx-lm 0.31.3 does not read
    prompts in pieces that are larger than a model's chunks."""
    return load(request.param)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return mlx_lm.utils.load_tokenizer(TOKENIZER)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    CACHE.clear()
    yield
    counts = CACHE.stats()
    assert counts["failed"] == counts["mismatched"] == counts["unknown"] == counts["in_use"] == 0, counts


@pytest.fixture(scope="module", params=[kind for kind in KINDS if kind not in ("quantised", "chunked", "chunks")])
def batched(request: pytest.FixtureRequest) -> Model:
    """mlx-lm 0.31.3 has no batches of states in chunks, with a cache or without."""
    return load(request.param)


class Batching:
    """One scheduler, with the cache or without."""

    def __init__(self, model: Model, tokenizer: Any, cached: bool) -> None:
        config = vllm_mlx.scheduler.SchedulerConfig(prefill_step_size=64, max_num_seqs=4, enable_prefix_cache=cached)
        token = vllm_batching.LOADING.set("a small model" if cached else None)
        self.scheduler = Scheduler(model.model, tokenizer, config)
        vllm_batching.LOADING.reset(token)
        self.count = 0

    def add(self, prompt: list[int], told: Note, **params: Any) -> str:
        self.count += 1
        token = NOTE.set(told)
        sampling = vllm_mlx.request.SamplingParams(max_tokens=TOKENS, temperature=0.0, **params)
        request = vllm_mlx.engine_core.Request(f"request-{self.count}", list(prompt), sampling, prefix_boundary=PIN)
        NOTE.reset(token)
        self.scheduler.add_request(request)
        return request.request_id

    def answer(self, prompts: Iterable[tuple[list[int], Note]], **params: Any) -> list[list[int]]:
        """All at once."""
        found: dict[str, list[int]] = {self.add(prompt, told, **params): [] for prompt, told in prompts}
        while self.scheduler.has_requests():
            for output in self.scheduler.step().outputs:
                assert output.finish_reason in (None, "length", "stop"), output
                found[output.request_id] += output.new_token_ids
        return list(found.values())


TIE = 1e-4
"""Of two logits this near, none is the greater: that depends on how many tokens were read at once."""


def assert_same(model: Model, prompt: list[int], said: list[int], plain: list[int]) -> None:
    """Up to a place where two tokens are equally likely, which comes once in thousands."""
    at = next((at for at, (one, other) in enumerate(zip(said, plain)) if one != other), None)
    if at is None:
        assert len(said) == len(plain)
        return
    logits = model.read([*prompt, *plain[:at]], model.new_state())
    near = abs(float(logits[said[at]] - logits[plain[at]]))
    assert near < TIE, (model.kind, len(prompt), at, near, said[at:][:5], plain[at:][:5])


def conversations() -> Iterator[list[list[int]]]:
    """Prompts, some at a time, of conversations that go on, repeat themselves and are asked anew."""
    order = random.Random(3)
    running = [(list(conversation(seed, 4)), list[int]()) for seed in range(4)]
    while any(turns for turns, _ in running):
        chosen = [one for one in running if one[0]][: order.randrange(1, 4)]
        for turns, prompt in chosen:
            prompt += turns.pop(0)
        prompts = [list(prompt) for _, prompt in chosen]
        yield prompts
        yield prompts
        yield [[*prompt[:-3], *(order.randrange(512) for _ in range(9))] for prompt in prompts]
        order.shuffle(running)


@pytest.mark.parametrize("params", [{}, {"repetition_penalty": 1.3}], ids=["plain", "penalty"])
def test_batching_says_the_same(batched: Model, tokenizer: Any, params: dict[str, Any]) -> None:
    """Many at a time; with a penalty for repetition, for which all tokens of a prompt count."""
    plain, cached = (Batching(batched, tokenizer, with_cache) for with_cache in (False, True))
    read = reused = 0
    groups = conversations()
    if batched.kind == "together":
        # mlx-lm 0.31.3 itself has other answers for this model (falcon_h1) when prompts of several lengths are read
        # together, without any cache.
        groups = ([prompt] for prompts in conversations() for prompt in prompts)
    for prompts in groups:
        notes = [Note() for _ in prompts]
        said = cached.answer(zip(prompts, notes), **params)
        without = plain.answer(((prompt, Note()) for prompt in prompts), **params)
        for prompt, told, one, other in zip(prompts, notes, said, without):
            assert_same(batched, prompt, one, other)
            assert told.cached is not None and 0 <= told.cached + told.written <= len(prompt)
            read, reused = read + len(prompt), reused + told.cached
    assert reused > 0.5 * read, (batched.kind, reused, read)


def test_batching_an_exact_repeat_computes_one_token(batched: Model, tokenizer: Any) -> None:
    cached = Batching(batched, tokenizer, True)
    prompt = next(conversation(5, 1))
    first, second = Note(), Note()
    assert cached.answer([(prompt, first)]) == cached.answer([(prompt, second)])
    assert (first.cached, second.cached) == (0, len(prompt) - 1)
    assert (first.written, second.written) == (len(prompt) - 1, 0)
    # The same behind a prompt of which a part was reused.
    longer = [*prompt, *range(40)]
    cached.answer([(longer, third := Note())])
    assert third.cached is not None and third.cached >= len(prompt) - 1
    cached.answer([(longer, fourth := Note())])
    assert (fourth.cached, fourth.written) == (len(longer) - 1, 0)


def test_batching_keeps_what_an_abandoned_request_has_computed(batched: Model, tokenizer: Any) -> None:
    cached = Batching(batched, tokenizer, True)
    prompt = next(conversation(6, 1)) * 3
    name = cached.add(prompt, Note())
    while not cached.scheduler.step().outputs:
        pass
    cached.scheduler.abort_request(name)
    cached.scheduler.step()
    assert not cached.scheduler.has_requests()
    told = Note()
    cached.answer([(prompt, told)])
    assert told.cached == len(prompt) - 1


def test_an_answer_that_the_scheduler_begins_anew_is_kept_for_its_own_tokens(tokenizer: Any) -> None:
    """It does so after some errors, and keeps what it has said before."""
    model = load("full")
    cached = Batching(model, tokenizer, True)
    prompt = next(conversation(12, 1))
    token = NOTE.set(Note())
    sampling = vllm_mlx.request.SamplingParams(max_tokens=TOKENS, temperature=1.5)
    request = vllm_mlx.engine_core.Request("sampled", list(prompt), sampling)
    NOTE.reset(token)
    scheduler = cached.scheduler
    scheduler.add_request(request)
    while len(request.output_token_ids) < 5:
        scheduler.step()

    def fail() -> None:
        raise TypeError("'NoneType' object is not subscriptable")

    scheduler.batch_generator.next = fail
    while scheduler.has_requests():
        scheduler.step()
    said = list(request.output_token_ids)
    assert len(said) > 5
    for answer in (said, said[5:]):
        found = CACHE.fetch(scheduler._scope, [*prompt, *answer, 0])
        assert found is not None
        state = model.new_state()
        model.read([*prompt, *answer][: found.tokens], state)
        for layer, own in zip(state, found.state):
            assert mx.allclose(layer.state[0], own.state[0], atol=1e-4), found.tokens


def test_batching_reads_anew_when_a_state_is_of_no_use(tokenizer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nor do those fail that are read beside it."""
    model = load("full")
    cached = Batching(model, tokenizer, True)
    scope, prompt, other = cached.scheduler._scope, next(conversation(13, 1)), next(conversation(14, 1))[::-1]
    keep_useless(model, scope, prompt)
    said = cached.answer([([*prompt, 5], told := Note()), (other, Note())])
    assert said == Batching(model, tokenizer, False).answer([([*prompt, 5], Note()), (other, Note())])
    assert told.cached == 0 and "read anew" in caplog.text
    cached.answer([([*prompt, 5, 6], told := Note())])
    assert told.cached == len(prompt) + 1, "what has failed is still there"
    CACHE._counts["failed"] -= 1


def keep_useless(model: Model, scope: str, prompt: list[int]) -> None:
    """A state with fewer heads than the model has."""
    state = model.new_state()
    model.read(prompt, state)
    for layer in state:
        layer.keys, layer.values = layer.keys[..., :8], layer.values[..., :8]
    _warned.clear()
    assert CACHE.store(scope, prompt, state)


def test_one_models_states_are_cleared_without_the_others(tokenizer: Any) -> None:
    schedulers = [Batching(load(kind), tokenizer, True) for kind in ("full", "hybrid")]
    for cached in schedulers:
        cached.answer([(next(conversation(15, 1)), Note())])
    left = len(CACHE)
    schedulers[0].scheduler.reset()
    assert 0 < len(CACHE) < left
    assert CACHE.held(schedulers[0].scheduler._scope, next(conversation(15, 1))) == 0


class Simple:
    """An engine that has its model already."""

    def __init__(self, model: Model, tokenizer: Any, **settings: Any) -> None:
        self.engine = SimpleEngine("a small model", prefill_step_size=64)
        wrapper = vllm_mlx.models.llm.MLXLanguageModel("a small model")
        wrapper.model, wrapper.tokenizer, wrapper._loaded = model.model, tokenizer, True
        self.engine._model = wrapper
        for name, value in settings.items():
            setattr(self.engine, name, value)
        SimpleEngine.anyclaude.add(self.engine)

    def pieces(self, prompt: list[int], told: Note, **params: Any) -> Iterator[Any]:
        token = NOTE.set(told)
        try:
            yield from self.engine._model.stream_generate(prompt, max_tokens=TOKENS, temperature=0.0, **params)
        finally:
            NOTE.reset(token)

    def answer(self, prompt: list[int], told: Note, **params: Any) -> list[int]:
        return [piece.token for piece in self.pieces(prompt, told, **params)]

    def plain_answer(self, prompt: list[int], **params: Any) -> list[int]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mlx_lm, "stream_generate", mlx_lm.stream_generate.__wrapped__)
            return self.answer(prompt, Note(), **params)


@pytest.fixture
def simple(model: Model, tokenizer: Any) -> Iterator[Simple]:
    made = Simple(model, tokenizer)
    yield made
    SimpleEngine.anyclaude.remove(made.engine._model.model)


@pytest.mark.parametrize("params", [{}, {"repetition_penalty": 1.3}], ids=["plain", "penalty"])
def test_simple_says_the_same(model: Model, simple: Simple, params: dict[str, Any]) -> None:
    read = reused = 0
    for prompt in (prompt for prompts in conversations() for prompt in prompts):
        told = Note()
        said = simple.answer(prompt, told, **params)
        assert_same(model, prompt, said, simple.plain_answer(prompt, **params))
        assert told.cached is not None
        read, reused = read + len(prompt), reused + told.cached
    assert reused > 0.4 * read, (model.kind, reused, read)


def test_simple_an_exact_repeat_computes_one_token(simple: Simple) -> None:
    prompt = next(conversation(5, 1))
    for asked in (prompt, [*prompt, *range(40)]):
        simple.answer(asked, Note())
        simple.answer(asked, told := Note())
        assert (told.cached, told.written) == (len(asked) - 1, 0)


def test_simple_says_what_was_kept_before_its_answer_ends(simple: Simple) -> None:
    prompt = next(conversation(6, 1))
    told = Note()
    ends = [told.written for _ in simple.pieces(prompt, told)]
    assert len(ends) > 1 and ends[-1] == len(prompt) - 1, ends


def test_simple_keeps_what_an_abandoned_answer_has_computed(simple: Simple) -> None:
    prompt = next(conversation(8, 1))
    pieces = simple.pieces(prompt, Note())
    next(pieces), next(pieces)
    pieces.close()
    simple.answer(prompt, told := Note())
    assert told.cached == len(prompt) - 1


class Leaving(Note):
    """Of a client that leaves while its prompt is read."""

    looks = 0

    @property
    def is_gone(self) -> bool:
        self.looks += 1
        return self.looks > 2

    @is_gone.setter
    def is_gone(self, value: bool) -> None:
        pass


def test_simple_reads_no_further_for_who_has_gone(simple: Simple) -> None:
    """And keeps what it has read."""
    prompt = next(conversation(11, 1)) * 3
    assert simple.answer(prompt, Leaving()) == []
    said = simple.answer(prompt, told := Note())
    assert told.cached is not None and 64 <= told.cached < len(prompt) - 1
    assert said == simple.plain_answer(prompt)


def test_simple_reads_anew_when_a_state_is_of_no_use(tokenizer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An answer needs no cache."""
    other = load("rotating")
    prompt = next(conversation(7, 1))
    state = other.new_state()
    _warned.clear()
    other.read(prompt[:60], state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside.Host, "scope", lambda *_: "mixed up")
        simple = Simple(load("full"), tokenizer)
    assert CACHE.store("mixed up", prompt[:60], state)
    assert simple.answer(prompt, told := Note()) == simple.plain_answer(prompt)
    assert told.cached == 0
    assert "read anew" in caplog.text
    assert CACHE.held("mixed up", prompt[:-1]) == len(prompt) - 1, "what has failed is dropped, and another kept"
    CACHE._counts["failed"] -= 1
    SimpleEngine.anyclaude.remove(simple.engine._model.model)


def test_simple_ends_for_who_has_gone_also_when_nothing_is_looked_up(tokenizer: Any) -> None:
    simple = Simple(load("full"), tokenizer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside.Host, "cache", None)
        assert simple.answer(next(conversation(16, 1)) * 3, Leaving()) == []
    SimpleEngine.anyclaude.remove(simple.engine._model.model)


def test_a_state_is_kept_for_what_it_holds_only() -> None:
    model, prompt = load("full"), next(conversation(17, 1))
    state = model.new_state()
    model.read(prompt[:50], state)
    assert not CACHE.store("short", prompt, state)
    CACHE._counts["mismatched"] -= 1


def test_a_late_request_does_not_open_the_cache_again() -> None:
    handle: Any = PrefixCacheHandle(HANDLE.settings)
    host = inside.Host(handle, "0.6.0")
    host.open()
    assert host.cache is not None
    handle.close()
    assert host.cache is None
    host.open()
    assert host.cache is not None
    handle.close()


@pytest.mark.parametrize(
    ("given", "most"), [({"cache_memory_mb": 300}, 300 << 20), ({"cache_memory_percent": 0.1}, total() // 10)]
)
def test_the_servers_own_budget_is_taken(given: dict[str, Any], most: int) -> None:
    handle: Any = PrefixCacheHandle(replace(HANDLE.settings, has_own_memory=False))
    for _ in range(2):
        inside.take_memory(vllm_mlx.scheduler.SchedulerConfig(**given), handle)
        assert abs(handle.opened().stats()["max_bytes"] - most) < 1 << 20
        handle.close()  # the next start has it, too


@pytest.mark.parametrize(
    ("why", "has"),
    [
        ("images", {"_is_mllm": True}),
        ("--specprefill", {"_draft_model": object()}),
        ("--max-kv-size", {"_max_kv_size": 64}),
    ],
)
def test_what_is_not_cached_is_told_once(why: str, has: dict[str, Any], tokenizer: Any, caplog: Any) -> None:
    for _ in range(2):
        simple = Simple(load("full"), tokenizer, **has)
        simple.answer(next(conversation(9, 1)), told := Note())
        assert told.cached is None
    assert [why in record.message for record in caplog.records] == [True], caplog.text


def test_an_unloaded_models_states_go_with_it(tokenizer: Any) -> None:
    simple = Simple(load("full"), tokenizer)
    simple.answer(next(conversation(10, 1)), Note())
    assert len(CACHE) == 1
    SimpleEngine.anyclaude.remove(simple.engine._model.model)
    assert len(CACHE) == 0 and CACHE.nbytes == 0


def test_work_on_the_models_thread_knows_its_request(tokenizer: Any) -> None:
    engine = SimpleEngine("a small model")

    async def ask() -> Note | None:
        NOTE.set(told)
        worker = engine._generation_worker()
        found: Note | None = await engine._submit_to_generation_worker(worker, NOTE.get)
        return found

    told = Note()
    assert asyncio.run(ask()) is told
    engine._generation_worker().shutdown()


@pytest.mark.parametrize(
    ("flag", "settings"),
    [
        ("--use-paged-cache", {"use_paged_cache": True}),
        ("--ssd-cache-dir", {"ssd_cache_dir": "/somewhere"}),
        ("--kv-cache-quantization", {"kv_cache_quantization": True}),
        ("--disable-prefix-cache", {"enable_prefix_cache": False}),
        ("--no-memory-aware-cache", {"use_memory_aware_cache": False}),
    ],
)
def test_refused_settings(flag: str, settings: dict[str, Any]) -> None:
    config = vllm_mlx.scheduler.SchedulerConfig(**settings)
    with pytest.raises(ConfigError, match=f"{flag} .*--anyclaude-cache off"):
        vllm_mlx.server.load_model("a model", use_batching=True, scheduler_config=config)
    defaults = SimpleNamespace(scheduler_config=config, continuous_batching=True, prefix_trie_cache=False)
    with pytest.raises(ConfigError, match=flag):
        vllm_mlx.server.load_model_registry({}, defaults=defaults, memory_budget_gb=1)


@pytest.mark.parametrize(
    ("flag", "given"),
    [
        ("--use-paged-cache", {"use_paged_cache": True}),
        ("--ssd-cache-dir", {"ssd_cache_dir": "/somewhere"}),
        ("--kv-cache-quantization", {"kv_cache_quantization": True}),
        ("--disable-prefix-cache", {"disable_prefix_cache": True}),
        ("--no-memory-aware-cache", {"no_memory_aware_cache": True}),
    ],
)
def test_flags_are_refused_where_the_server_says_nothing_of_them(flag: str, given: dict[str, Any]) -> None:
    """Its default mode takes them all."""
    serve = inside.checked(lambda arguments: arguments, HANDLE)
    with pytest.raises(ConfigError, match=f"{flag} .*--anyclaude-cache off"):
        serve(SimpleNamespace(**given))
    assert serve(plain := SimpleNamespace(use_paged_cache=False, ssd_cache_dir=None)) is plain


def test_flags_of_the_cache_belong_to_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert anyclaude.vllm_mlx.main(["bench", "a model", "--anyclaude-cache-memory", "1GB"]) == 2
    assert "serve" in capsys.readouterr().err


def test_states_of_an_unloaded_model_are_kept_by_nobody(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server waits for what is under way."""
    simple = Simple(load("full"), tokenizer)
    pieces = simple.pieces(next(conversation(18, 1)), Note())
    next(pieces)

    async def stop(engine: Any) -> None:
        simple.answer(next(conversation(19, 1)), Note())
        assert len(CACHE) == 1
        engine._model = None

    monkeypatch.setattr(SimpleEngine.plain, "stop", stop)
    asyncio.run(simple.engine.stop())
    list(pieces)  # of a thread that the server has detached
    assert len(CACHE) == 0


def test_a_server_that_raises_a_timeout_is_no_reason_to_wait() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def app(*_: Any) -> None:
        raise TimeoutError("inner")

    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        assert len(checks) < 100

    try:
        ask = asking(app, "/v1/messages", lambda: None, lambda: "a model", loop)
        with pytest.raises((TimeoutError, FutureTimeoutError)):
            ask(b"{}", check)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.parametrize(
    ("module", "name"),
    [(vllm_mlx.engine.simple, "build_system_prompt_cache_prefix"), (vllm_mlx.server, "load_model_registry")],
)
def test_another_shape_of_the_server_is_a_clear_error(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = vllm_mlx.scheduler.Scheduler, vllm_mlx.engine.simple.SimpleEngine
    monkeypatch.delattr(module, name)
    with pytest.raises(ConfigError, match=f"has no {name} in {module.__name__}; .*tried with vllm-mlx 0.6.0"):
        inside.prepare(vllm_mlx.server, HANDLE, "0.6.0")
    assert classes == (vllm_mlx.scheduler.Scheduler, vllm_mlx.engine.simple.SimpleEngine)


def test_the_tries_flag_is_refused_where_it_has_a_meaning() -> None:
    with pytest.raises(ConfigError, match="--prefix-trie-cache"):
        vllm_mlx.server.load_model("a model", prefix_trie_cache=True)


def test_batching_without_the_models_path_is_as_it_was(tokenizer: Any) -> None:
    """Users of the scheduler itself: of what model its states are, nobody knows."""
    scheduler = Scheduler(load("full").model, tokenizer, vllm_mlx.scheduler.SchedulerConfig())
    assert type(scheduler.memory_aware_cache).__name__ == "MemoryAwarePrefixCache"


def through(app: Any, path: str = "/v1/chat/completions") -> list[dict[str, Any]]:
    """What a client of an app gets."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(CountedUsage(app, "/v1/chat/completions")({"type": "http", "path": path}, None, send))
    return sent


USAGE = b'"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}'
COUNTED = USAGE[:-1] + b',"prompt_tokens_details":{"cached_tokens":6,"cache_write_tokens":4}}'


def answering(pieces: list[bytes], length: int | None, note: bool = True) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        told = NOTE.get()
        if note and told is not None:
            told.cached, told.written = 6, 7
        headers = [] if length is None else [(b"Content-Length", str(length).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


@pytest.mark.parametrize("cut", [0, 1, 30])
def test_usage_of_a_whole_answer(cut: int) -> None:
    """A text that looks like it is no usage: there the quotes have backslashes."""
    before = b'{"content":"' + USAGE.replace(b'"', b'\\"') + b'",'
    body = before + USAGE + b"}"
    start, *bodies = through(answering([body[:cut], body[cut:]], len(body)))
    found = b"".join(message["body"] for message in bodies)
    assert found == before + COUNTED + b"}"
    assert start["headers"] == [(b"content-length", str(len(found)).encode())]
    assert [message.get("more_body", False) for message in bodies][-1] is False


def test_usage_of_a_stream_goes_on_piece_by_piece() -> None:
    pieces = [b'data: {"a":1}\n\n', b"data: {" + USAGE + b"}\n\n"]
    _, *bodies = through(answering(pieces, None))
    assert [message["body"] for message in bodies] == [pieces[0], b"data: {" + COUNTED + b"}\n\n", b""]


def test_usage_is_left_alone_where_nobody_has_looked() -> None:
    body = b"{" + USAGE + b"}"
    for path, noted in (("/v1/other", True), ("/v1/chat/completions", False)):
        _, *bodies = through(answering([body], len(body), noted), path)
        assert b"".join(message["body"] for message in bodies) == body


def test_whatever_thread_clears_the_cache(batched: Model, tokenizer: Any) -> None:
    """`DELETE /v1/cache` comes while prompts are read."""
    cached = Batching(batched, tokenizer, True)
    with ThreadPoolExecutor(1) as pool:
        for prompts in conversations():
            clearing = pool.submit(CACHE.clear)
            assert all(len(said) == TOKENS for said in cached.answer((prompt, Note()) for prompt in prompts))
            clearing.result()
