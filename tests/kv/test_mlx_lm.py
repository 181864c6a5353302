"""The prefix cache in mlx-lm's own server: the same tokens, most of each prompt reused, and what is told of it."""

from __future__ import annotations

import logging
import random
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from anyclaude._turn import ClientGone, Watched
from anyclaude.kv import options, server_cache
from anyclaude.kv.cache import LEAST_REUSED
from anyclaude.kv.monitor import give_back_buffers
from anyclaude.kv.segments import Systems
from anyclaude.kv.warm import GivesWay
from anyclaude.mlx_lm import Nobody
from serving import TINY, Answer, Serving, model_folder

KINDS = ["full", "rotating", "hybrid", "together", "chunked"]
IN_MEMORY: options.Cache = {"disk": "off", "memory": "200MB"}

pytestmark = pytest.mark.timeout(300)


def words(seed: int, count: int) -> str:
    order = random.Random(seed)
    return " ".join(order.choice(["read", "write", "file", "path"]) + str(order.randrange(99)) for _ in range(count))


SYSTEM = {"role": "system", "content": words(1, 120)}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": words(2, 20), "parameters": {}}}
    for name in ("Bash", "Read")
]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


CALL = {
    "role": "assistant", "content": "",
    "tool_calls": [{"type": "function", "id": "1", "function": {"name": "Bash", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "1", "content": words(6, 30)}


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(request.param, tmp_path_factory.mktemp("models") / request.param)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder("full", tmp_path_factory.mktemp("models") / "full")


def conversation(seed: int) -> list[list[dict[str, Any]]]:
    """The prompts of a session: turns, a call and its result, another last message, a title in between."""
    first = [SYSTEM, user(words(seed, 40))]
    second = [*first, {"role": "assistant", "content": words(seed + 1, 5)}, user(words(seed + 2, 20))]
    called = [*second, CALL, RESULT]
    title = [{"role": "system", "content": "Write a title."}, user(words(seed, 10))]
    return [first, first, second, title, called, [*called, CALL, RESULT], second, [SYSTEM, user(words(seed + 5, 30))]]


def test_the_same_tokens(folder: Path) -> None:
    """A whole session and a second one, with tools, against a server that computes all of each prompt."""
    prompts = [*conversation(10), *conversation(20)]
    with Serving(folder, "off", prompt_cache_size=0) as plain:
        expected = [plain.ask(prompt, TOOLS) for prompt in prompts]
    assert not any(answer.reused for answer in expected)
    with Serving(folder, IN_MEMORY) as serving:
        found = [serving.ask(prompt, TOOLS) for prompt in prompts]
        assert serving.stats()["failed"] == serving.stats()["mismatched"] == 0
    assert [answer.prompt for answer in found] == [answer.prompt for answer in expected]
    assert [answer.tokens for answer in found] == [answer.tokens for answer in expected]
    told(found)
    system = found[len(prompts) // 2].reused
    assert system > 0.6 * len(found[0].prompt), "the second session has the first one's system prompt and tools"
    for number in (1, 2, 5, 6):
        assert found[number].reused > 0.75 * len(found[number].prompt), number


def told(answers: list[Answer]) -> None:
    """What is said to be read and written is at most the prompt; nothing is written that was there."""
    for answer in answers:
        assert answer.written is not None and 0 <= answer.reused < len(answer.prompt)
        assert 0 <= answer.written < len(answer.prompt) - answer.reused
    assert answers[0].reused == 0 and answers[0].written is not None
    assert answers[0].written >= 0.9 * len(answers[0].prompt)


def test_no_less_than_mlx_lms_own(folder: Path) -> None:
    """Each prompt of a session is reused at least as far as by the server's own cache, a handful of tokens aside."""
    prompts = conversation(10)
    with Serving(folder, "off") as plain:
        alone = [plain.ask(prompt, TOOLS).reused for prompt in prompts]
    with Serving(folder, IN_MEMORY) as serving:
        ours = [serving.ask(prompt, TOOLS).reused for prompt in prompts]
    assert all(one >= other or other < LEAST_REUSED for one, other in zip(ours, alone, strict=True)), (ours, alone)


def test_side_by_side(folder: Path) -> None:
    """Batched: sessions that start together get what they get alone, and are told their own numbers."""
    prompts = [conversation(10 * number)[turn] for turn in (0, 2) for number in range(1, 5)]
    with Serving(folder, "off", prompt_cache_size=0) as plain:
        expected = {number: plain.ask(prompt, TOOLS) for number, prompt in enumerate(prompts)}
    with Serving(folder, IN_MEMORY) as serving:
        found: dict[int, Answer] = {}
        for half in (range(4), range(4, 8)):
            threads = [
                threading.Thread(target=lambda one=number: found.update({one: serving.ask(prompts[one], TOOLS)}))
                for number in half
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert {number: answer.tokens for number, answer in found.items()} == {
        number: answer.tokens for number, answer in expected.items()
    }
    for number in range(4, 8):
        assert found[number].reused > 0.6 * len(found[number].prompt)
        assert found[number].written is not None


def test_a_restart(folder: Path, tmp_path: Path) -> None:
    """System prompt and tools are there for a new session of a new server."""
    settings: options.Cache = {"disk": str(tmp_path / "kv"), "memory": "200MB"}
    with Serving(folder, "off", prompt_cache_size=0) as plain:
        expected = plain.ask([SYSTEM, user("something else")], TOOLS)
    with Serving(folder, settings) as serving:
        serving.ask([SYSTEM, user(words(3, 40))], TOOLS)
    with Serving(folder, settings) as serving:
        found = serving.ask([SYSTEM, user("something else")], TOOLS)
        assert serving.stats()["loaded"] == 1, "more than the one that was used last"
    assert found.tokens == expected.tokens and found.reused > 0.9 * len(found.prompt)
    # Another setting of the template or of states is another scope.
    for flags in ({"chat_template_args": {"x": 1}}, {"kv_bits": 8}):
        with Serving(folder, settings, **flags) as serving:
            try:
                assert serving.ask([SYSTEM, user("something else")], TOOLS).reused == 0
            except NotImplementedError:  # mlx-lm cannot quantise all kinds
                assert flags == {"kv_bits": 8}


def test_one_at_a_time(full: Path) -> None:
    """What the server does not batch: seeds, states that are quantised, another model that drafts."""
    prompts = conversation(10)
    for flags, seed in (({}, 5), ({"kv_bits": 8}, None), ({"draft_model": str(TINY)}, None)):
        with Serving(full, "off", prompt_cache_size=0, **flags) as plain:
            expected = [plain.ask(prompt, TOOLS, seed=seed) for prompt in prompts]
        with Serving(full, IN_MEMORY, **flags) as serving:
            found = [serving.ask(prompt, TOOLS, seed=seed) for prompt in prompts]
            assert serving.stats()["failed"] == 0
        if "kv_bits" not in flags:  # of a quantised state, its pieces are rounded where they end
            assert [one.tokens for one in found] == [one.tokens for one in expected], flags
        told(found)
        # The draft model may be a token behind at the end of an answer.
        assert found[1].reused >= len(found[1].prompt) - 2 and found[5].reused > 0.75 * len(found[5].prompt)


@pytest.mark.parametrize("flags", [{}, {"kv_bits": 8}, {"draft_model": str(TINY)}], ids=["seed", "bits", "draft"])
def test_one_at_a_time_after_a_restart(full: Path, tmp_path: Path, flags: dict[str, Any]) -> None:
    """The system prompt is pinned and saved there, too."""
    settings: options.Cache = {"disk": str(tmp_path / "kv"), "memory": "200MB"}
    with Serving(full, settings, **flags) as serving:
        serving.ask([SYSTEM, user(words(3, 40))], TOOLS, seed=None if flags else 5)
        assert serving.stats()["pinned"] == 1
    with Serving(full, settings, **flags) as serving:
        found = serving.ask([SYSTEM, user("something else")], TOOLS, seed=None if flags else 5)
    assert found.reused > 0.9 * len(found.prompt)


def test_quantised_from_a_length_on(full: Path) -> None:
    """Of a state that is quantised, no beginning is reused that would not be if it were computed alone."""
    flags = {"kv_bits": 4, "quantized_kv_start": 1000}
    long, short = [SYSTEM, user(words(2, 600))], [[SYSTEM, user(words(10 + number, 20))] for number in range(3)]
    with Serving(full, "off", prompt_cache_size=0, **flags) as plain:
        expected = [plain.ask(prompt, tokens=40).tokens for prompt in short]
    with Serving(full, IN_MEMORY, **flags) as serving:
        assert len(serving.ask(long, tokens=5).prompt) > 1000
        found = [serving.ask(prompt, tokens=40) for prompt in short]
        again = serving.ask(long, tokens=5)
    assert [one.tokens for one in found] == expected
    assert found[0].reused == 0 < found[1].reused and again.reused == len(again.prompt) - 1


def test_the_same_prompt_twice_at_a_time(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is answered first does not wait for the other, and both are told what is held."""
    waited: list[bool] = []
    plain = threading.Condition.wait_for

    def wait_for(self: Any, predicate: Any, timeout: float | None = None) -> bool:
        waited.append(plain(self, predicate, timeout))
        return waited[-1]

    with Serving(full, IN_MEMORY) as serving:
        context, long = serving.begin(conversation(10)[0], TOOLS, tokens=3000)
        next(long)
        first = serving.generator.anyclaude_ticket()
        with monkeypatch.context() as patched:
            patched.setattr(threading.Condition, "wait_for", wait_for)
            answers: list[Answer] = []
            other = threading.Thread(target=lambda: answers.append(serving.ask(conversation(10)[0], TOOLS, tokens=3)))
            other.start()
            other.join()
            assert sum(1 for _ in long) > 1000, "the longer one was under way meanwhile"
        assert waited == [True, True]
        assert answers[0].written == len(answers[0].prompt) - answers[0].reused - 1
        assert first is not None and first.written == len(context.prompt) - 1
        assert not serving.cache.tickets._open


def test_prompts_with_images(full: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The server looks for them by numbers below 0: nothing is found, and nothing goes wrong."""
    monkeypatch.setattr(server_cache, "_told", set())
    image = [*range(300), -123456789012345678]
    with Serving(full, IN_MEMORY) as serving:
        for _ in range(2):
            assert serving.cache.fetch_nearest_cache(None, image) == (None, image)
            serving.cache.insert_cache(None, image, [])
        stats = serving.stats()
    assert stats["lookups"] == stats["failed"] == stats["unknown"] == 0
    assert [record.getMessage() for record in caplog.records if record.name == "anyclaude.kv"] == [
        "prompts with images are computed anew each time: the prefix cache takes none"
    ]


@pytest.mark.parametrize("reason", [GivesWay, ClientGone])
def test_what_nobody_waits_for_is_stopped(reason: type[Exception]) -> None:
    """A warm-up or a client that is gone before the server has begun: the server's work ends."""

    class Context:
        stopped = False

        def stop(self) -> None:
            self.stopped = True

    def gone() -> None:
        raise reason("x")

    context = Context()
    generator = SimpleNamespace(generate=lambda **named: (context, iter(())))
    turn: Any = Nobody(gone)
    with pytest.raises(reason):
        Watched(generator, turn).generate()
    assert context.stopped


def test_text_completions(full: Path) -> None:
    with Serving(full, IN_MEMORY) as serving:
        first, again = serving.ask(words(4, 50)), serving.ask(words(4, 50))
        assert first.tokens == again.tokens and again.reused == len(again.prompt) - 1
        assert first.written == len(first.prompt) - 1 and again.written == 0


def test_clients_that_leave(full: Path) -> None:
    """In the middle of a prompt, and in the middle of an answer: what is kept is right, the next one is answered."""
    long = [SYSTEM, user(words(7, 3000))]
    with Serving(full, "off", prompt_cache_size=0) as plain:
        expected = plain.ask(long, TOOLS)
    with Serving(full, IN_MEMORY) as serving:
        # Its generator is never begun, as when the client has gone before the first token.
        context, tokens = serving.begin(long, TOOLS)
        context.stop()
        del context, tokens
        context, tokens = serving.begin(conversation(1)[0], TOOLS, tokens=5000)
        next(tokens)
        context.stop()
        del tokens
        whole = serving.ask(long, TOOLS)
        assert whole.tokens == expected.tokens and whole.written == len(whole.prompt) - whole.reused - 1
        again = serving.ask(long, TOOLS)
        assert again.tokens == expected.tokens and again.reused == len(again.prompt) - 1
        assert all(one() is None for one in serving.cache.tickets._open)


def test_sizes_that_the_user_gives(full: Path) -> None:
    """The server's own flags hold."""
    prompts = [[{"role": "system", "content": words(seed, 100)}, user("x")] for seed in range(8)]
    with Serving(full, IN_MEMORY, prompt_cache_size=3) as serving:
        for prompt in prompts:
            serving.ask(prompt)
            assert len(serving.cache) <= 3
    with Serving(full, IN_MEMORY, prompt_cache_bytes=600_000) as serving:
        for prompt in prompts:
            serving.ask(prompt)
            assert serving.cache.nbytes <= 600_000
        assert len(serving.cache) > 0
    with Serving(full, {"disk": "off", "memory": 500_000}) as serving:
        for prompt in prompts:
            serving.ask(prompt)
            assert serving.cache.nbytes <= 500_000
        assert len(serving.cache) > 0


def test_many_system_prompts(full: Path) -> None:
    """Each session's next turn finds its first one, however many sessions there were, in few bytes or few states."""
    sessions = [[{"role": "system", "content": words(100 + seed, 100)}, user(words(seed, 60))] for seed in range(50)]
    limits: list[tuple[options.Cache, dict[str, Any]]] = [
        ({"disk": "off", "memory": "2MB"}, {}), (IN_MEMORY, {"prompt_cache_size": 3}),
    ]  # fmt: skip
    for settings, flags in limits:
        with Serving(full, settings, **flags) as serving:
            for session in sessions:
                first = serving.ask(session)
                again = serving.ask([*session, {"role": "assistant", "content": "x"}, user("more")])
                assert again.reused >= len(first.prompt) - 5
            stats = serving.stats()
            assert stats["evicted"] > 50 and 0 < stats["pinned"] <= stats["entries"] // 2 + 1
            found = serving.ask([sessions[-1][0], user("another session")])
            assert found.reused > 0.9 * len(found.prompt), "the last system prompt is there"


def test_a_template_is_rendered_once(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes before the first turn is rendered for the first prompt of it, not for each."""
    with Serving(full, IN_MEMORY) as serving:
        serving.ask([SYSTEM, user("one")], TOOLS)
        tokenizer = serving.generator.model_provider.tokenizer
        kind, rendered = type(tokenizer), []
        plain = kind.apply_chat_template

        def counting(self: Any, messages: Any, *arguments: Any, **named: Any) -> Any:
            rendered.append(len(messages))
            return plain(self, messages, *arguments, **named)

        monkeypatch.setattr(kind, "apply_chat_template", counting)
        for prompt in conversation(3):
            serving.ask(prompt, TOOLS)
        titles = 1
        assert len(rendered) == len(conversation(3)) + titles


@pytest.mark.parametrize("method", ["fetch", "store", "held", "checkpoints"])
def test_a_cache_that_fails_breaks_no_answer(
    folder: Path, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError("secret prompt")

    monkeypatch.setattr(server_cache, "_told", set())
    with Serving(folder, IN_MEMORY) as serving:
        monkeypatch.setattr(serving.cache._cache, method, fails)
        with caplog.at_level(logging.WARNING, "anyclaude.kv"):
            answers = [serving.ask([SYSTEM, user(words(3, 40))], TOOLS) for _ in range(3)]
        assert answers[0].tokens == answers[1].tokens == answers[2].tokens
    warnings = [record.getMessage() for record in caplog.records if record.name == "anyclaude.kv"]
    assert len(warnings) <= 2 and "secret" not in caplog.text
    assert warnings or method == "checkpoints"


def test_freed_while_it_works(full: Path, tmp_path: Path) -> None:
    """Memory runs short again and again, in other threads than the model's, while requests are answered."""
    prompts = [[{"role": "system", "content": words(number % 2, 100)}, user(words(number, 30))] for number in range(6)]
    with Serving(full, "off", prompt_cache_size=0) as plain:
        expected = [plain.ask(prompt).tokens for prompt in prompts]
    over = threading.Event()
    with Serving(full, {"disk": str(tmp_path / "kv"), "memory": "50MB"}) as serving:

        def free() -> None:
            order = random.Random(2)
            while not over.wait(0.002):
                serving.cache._cache.free(order.choice([1, 10**5, 10**9]))
                give_back_buffers()
                serving.stats()

        def ask(first: int) -> None:
            for number in range(first, first + 12):
                found.append((number % 6, serving.ask(prompts[number % 6]).tokens))

        found: list[tuple[int, list[int]]] = []
        others = [threading.Thread(target=free) for _ in range(2)]
        clients = [threading.Thread(target=ask, args=(first,)) for first in range(3)]
        for thread in (*others, *clients):
            thread.start()
        for thread in clients:
            thread.join()
        over.set()
        for thread in others:
            thread.join()
        stats = serving.stats()
    assert len(found) == 36 and all(tokens == expected[number] for number, tokens in found)
    assert stats["failed"] == stats["mismatched"] == 0 and stats["evicted"] > 0 and stats["hits"] > 0


def test_a_server_with_a_cache_that_is_not_ours(full: Path) -> None:
    """As in one of several processes that run a model together: it is the server's own."""
    with Serving(full, "off") as plain:
        expected = [plain.ask(prompt, TOOLS) for prompt in conversation(10)]
    with Serving(full, IN_MEMORY, own_cache=True) as serving:
        assert [serving.ask(prompt, TOOLS)[:3] for prompt in conversation(10)] == [one[:3] for one in expected]
        assert serving.generator.anyclaude_ticket() is None


def test_two_servers_of_one_process(full: Path) -> None:
    """They share a cache, which stays when the first of them ends."""
    with Serving(full, IN_MEMORY) as second:
        with Serving(full, IN_MEMORY, handle=second.handle) as first:
            first.ask(conversation(10)[0], TOOLS)
        found = second.ask(conversation(10)[0], TOOLS)
        assert found.reused == len(found.prompt) - 1
    assert second.stats() == {}


def test_system_prompts_are_known_by_their_checksum(full: Path) -> None:
    """A prompt that begins otherwise than the known one of the same messages is rendered anew."""
    tokenizer = SimpleNamespace(apply_chat_template=lambda *_, **__: [1, 2, 3, 9])
    systems = Systems()
    assert systems.end(tokenizer, [1, 2, 3, 4, 5], [SYSTEM], {}) == 3
    assert systems.end(tokenizer, [1, 2, 3, 7], [SYSTEM], {}) == 3
    assert systems.end(tokenizer, [1, 2], [SYSTEM], {}) == 2
    assert systems.end(tokenizer, [1, 2, 8, 7], [SYSTEM], {}) == 2


def test_the_end_of_a_server(full: Path, tmp_path: Path) -> None:
    """Nothing goes on after it; another server can follow with the same handle."""
    before = set(threading.enumerate())
    serving = Serving(full, {"disk": str(tmp_path), "memory": "50MB"})
    with serving:
        serving.ask([SYSTEM, user("x")], TOOLS)
    assert serving.handle is not None and serving.stats() == {}
    assert set(threading.enumerate()) <= before
    assert len(list(tmp_path.glob("*.safetensors"))) == 1, "the end waits for what is being saved"
