"""The prefix cache inside of a real vllm-mlx, in both of its modes."""

import json
import random
import subprocess
import sys
import threading
import time

import anthropic
import httpx
import pytest

from support import messages
from support.claude import Claude
from support.process import CACHE, ROOT, clean_env
from support.real import MODEL as TINY
from support.real import RealBackend

sys.path.insert(0, str(ROOT / "tests" / "setup"))
from tiny_model import TEXT, TOOL_CALL  # noqa: E402

pytestmark = pytest.mark.timeout(300)

CALL = json.loads(TOOL_CALL)
MODES = {"simple": (), "batching": ("--continuous-batching",)}


def words(count: int, seed: int = 0) -> str:
    """A text of so many words, each of which is a token."""
    order = random.Random(seed)
    return " ".join(order.choice(("import", "file", "return", "class", "value", "self", "the")) for _ in range(count))


SYSTEM = words(1200)
TOOLS = [
    {"name": name, "description": words(60, seed), "input_schema": {"type": "object", "properties": {}}}
    for seed, name in enumerate(("Bash", "Edit", "Read", "Write"))
]


@pytest.fixture(scope="module", params=MODES)
def mode(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def real(mode, tmp_path_factory):
    server = start(mode, tmp_path_factory.mktemp("kv"), "--anyclaude-cache-disk", "off")
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def empty(request):
    """No test finds what another one has left."""
    if "real" in request.fixturenames:
        assert delete(request.getfixturevalue("real"), "/v1/cache/prefix")["status"] == "cleared"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict:
    """Models whose states can be cut anywhere, and one where they cannot: a sliding window."""
    folder = tmp_path_factory.mktemp("models") / "rotating"
    script = ROOT / "tests/kv/small_models.py"
    command = [str(CACHE / "venv/vllm-mlx/bin/python"), str(script), "rotating", str(folder), str(TINY)]
    subprocess.run(command, env=clean_env(), check=True)
    return {"tiny": TINY, "rotating": folder}


def start(mode: str, folder, *flags: str, model=TINY) -> RealBackend:
    flags = ("--anyclaude-cache-disk", str(folder / "states"), *MODES[mode], *flags)
    return RealBackend("vllm-mlx embedded", folder / "server.log", flags=flags, model=model)


def delete(real, path: str) -> dict:
    answer = httpx.delete(f"{real.root}{path}", trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def stats(real) -> dict:
    found = httpx.get(f"{real.root}/v1/cache/stats", trust_env=False).json()["engine_cache"]
    return found.get("memory_aware_cache", found)


class Asked:
    """What a request took."""

    def __init__(self, real, text: str, *, stream=True, tools=TOOLS, system=SYSTEM, then=(), **keys) -> None:
        body = messages.request(text, system=system, **({"tools": tools} if tools else {}), **keys)
        body["messages"] += then
        begun = time.monotonic()
        self.reply = messages.post(real.root, body, stream=stream)
        usage = self.reply.message["usage"]
        self.read, self.written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        self.rest, self.total = usage["input_tokens"], usage["input_tokens"] + self.read + self.written
        self.share = self.read / self.total
        if stream:
            first = next(i for i, event in enumerate(self.reply.events) if event["type"] == "content_block_start")
            self.seconds = self.reply.times[first] - begun


RESULT = [
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": CALL["arguments"]}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "anyclaude"}]},
]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
def test_usage_says_what_was_taken_and_what_was_kept(real, stream):
    cold = Asked(real, "Count.", stream=stream)
    # One token is computed each time, or there would be nothing to answer with.
    assert 1500 < cold.total < 4000 and (cold.read, cold.rest) == (0, 1), vars(cold)
    again = Asked(real, "Count.", stream=stream)
    assert (again.read, again.written, again.rest) == (cold.total - 1, 0, 1), vars(again)
    turn = Asked(real, "Count.", stream=stream, then=RESULT)
    assert turn.total > cold.total and turn.read >= cold.total - 1 and turn.rest == 1, vars(turn)
    assert [block.get("name") for block in again.reply.blocks] == ["Bash"]
    assert turn.reply.text.strip() == TEXT


def test_whoever_comes_next_finds_what_was_left(real):
    """Sessions, subagents, titles and changed tools, in turns."""
    first = Asked(real, "Count the files of this project.")
    agent = Asked(real, "Look for tests.", system=words(1000, 1), tools=TOOLS[:2])
    assert agent.share < 0.1, vars(agent)
    shares = {
        "new session": Asked(real, words(30, 2)).share,
        "second subagent": Asked(real, "Look for something else.", system=words(1000, 1), tools=TOOLS[:2]).share,
        "title": Asked(real, "A title.", system="You make titles.", tools=None).share,
        "main again": Asked(real, "Count the files of this project.", then=RESULT).share,
        "tools in another order": Asked(real, "Hello there.", tools=TOOLS[::-1]).share,
    }
    assert shares.pop("title") < 0.5 and min(shares.values()) > 0.9, shares
    grown = Asked(real, "Count.", tools=[*TOOLS, {**TOOLS[0], "name": "Zip"}])
    assert grown.share > 0.5, vars(grown)
    assert first.read == 0


def test_an_exact_repeat_is_faster(real):
    """Alone, vllm-mlx with --continuous-batching counts a hit and computes everything again."""
    text = words(1500, 3)
    cold = Asked(real, text)
    again = [Asked(real, text) for _ in range(3)]
    assert [asked.read for asked in again] == [cold.total - 1] * 3
    # Some twenty times on an idle machine.
    assert cold.seconds > 3 * min(asked.seconds for asked in again)


def test_clients_of_chat_completions_are_told_too(real):
    [model] = [entry["id"] for entry in httpx.get(f"{real.url}/models", trust_env=False).json()["data"]]
    body = {"model": model, "messages": [{"role": "user", "content": words(300)}], "max_tokens": 9}
    for number, stream in enumerate((False, True, False)):
        options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        answer = httpx.post(f"{real.url}/chat/completions", json={**body, **options}, trust_env=False, timeout=60)
        assert answer.status_code == 200
        last = [line for line in answer.text.splitlines() if '"usage"' in line][-1] if stream else answer.text
        usage = json.loads(last.removeprefix("data: "))["usage"]
        details = usage["prompt_tokens_details"]
        assert details["cached_tokens"] == (usage["prompt_tokens"] - 1 if number else 0), usage
        assert details["cached_tokens"] + details["cache_write_tokens"] == usage["prompt_tokens"] - 1, usage


def test_stop_words_penalties_and_answers_that_are_cut_off(real):
    """None of these is a way around the cache, nor spoils it."""
    Asked(real, "Count.", tools=None)
    for keys in ({"stop_sequences": ["tiny"]}, {"max_tokens": 1}, {"temperature": 0.1}, {"top_k": 3}):
        for stream in (True, False):
            asked = Asked(real, "Count.", tools=None, stream=stream, **keys)
            assert asked.read == asked.total - 1, (keys, stream, vars(asked))
    assert Asked(real, "Count.", tools=None).reply.text.strip() == TEXT


def test_sdk(real):
    with anthropic.Anthropic(base_url=real.root, api_key="client-secret", max_retries=0, timeout=60) as client:
        ask = {"model": "claude-opus-5-5", "max_tokens": 50, "system": SYSTEM, "tools": TOOLS,
               "messages": [{"role": "user", "content": "hi"}]}
        client.messages.create(**ask)
        with client.messages.stream(**ask) as stream:
            usage = stream.get_final_message().usage
    assert usage.cache_read_input_tokens > 1500 and usage.cache_creation_input_tokens == 0


@pytest.mark.parametrize("path", ["/v1/cache/prefix", "/v1/cache"])
def test_the_servers_routes_act_on_it(real, path):
    Asked(real, "Count.")
    Asked(real, "Count.")
    before = stats(real)
    assert before["entry_count"] > 0 and before["current_memory_mb"] > 0 and before["hits"] > 0, before
    assert delete(real, path)["status"] == "cleared"
    after = stats(real)
    assert (after["entry_count"], after["current_memory_mb"]) == (0, 0), after


def test_many_at_once(real):
    """Each gets its own answer: a call where there are tools, words where there are none."""
    found: dict[int, list] = {}

    def ask(number: int) -> None:
        for turn in range(3):
            asked = Asked(real, f"{number} {words(40, number)}", tools=TOOLS if number % 2 else None,
                          then=[*RESULT, *RESULT][: 2 * turn])
            found.setdefault(number, []).append(asked)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, turns in found.items():
        called = [bool(turn.reply.tools) for turn in turns]
        assert called == [bool(number % 2), False, False], (number, called)
        assert all(turn.reply.text.strip() == TEXT for turn in turns if not turn.reply.tools)
        assert turns[1].read > 0 and turns[2].read >= turns[1].total - 1
    assert len(found) == 6 and stats(real)["anyclaude"]["failed"] == 0


@pytest.mark.parametrize(
    ("kind", "stream", "tools"),
    [("tiny", False, None), ("rotating", True, None), ("rotating", False, TOOLS)],
)
def test_after_a_restart(mode, models, kind, stream, tools, tmp_path):
    """System prompt and tools are on the disk; another session begins with them."""
    keys = {"stream": stream, "tools": tools, "max_tokens": 20}
    server = start(mode, tmp_path, model=models[kind])
    try:
        cold = Asked(server, words(20, 4), **keys)
        assert Asked(server, words(20, 6), **keys).share > 0.9
        assert cold.read == 0 and stats(server)["anyclaude"]["pinned"] == 1
    finally:
        server.stop()
    server = start(mode, tmp_path, model=models[kind])
    try:
        new = Asked(server, words(20, 5), **keys)
        assert new.share > 0.9, vars(new)
        assert stats(server)["anyclaude"]["loaded"] >= 1
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("kind", "key"), [("tiny", ()), ("tiny", ("--api-key", "client-secret")), ("rotating", ())],
    ids=["open", "with a key", "rotating"],
)
def test_warmed_up_before_anybody_asks(mode, models, kind, key, tmp_path):
    """From a file, through the server's own door."""
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps({"system": SYSTEM, "tools": TOOLS}))
    server = start(mode, tmp_path, "--anyclaude-warm", str(file), *key, model=models[kind])
    try:
        deadline = time.monotonic() + 60
        while "warm-up: 1 of 1" not in server.log():
            assert time.monotonic() < deadline, server.log()[-3000:]
            time.sleep(0.1)
        asked = Asked(server, words(20, 6), max_tokens=20)
        assert asked.share > 0.9, vars(asked)
        assert "failed" not in server.log()
        if not key:
            assert stats(server)["anyclaude"]["pinned"] == 1
    finally:
        server.stop()


def test_a_warm_up_gives_way(mode, tmp_path):
    """Of a prompt that takes ten seconds and more, a short question does not wait for the end."""
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps({"system": words(12_000), "tools": TOOLS}))
    server = start(mode, tmp_path, "--anyclaude-warm", str(file))
    try:
        begun = time.monotonic()
        asked = Asked(server, "hi", system=None, tools=None)
        waited = time.monotonic() - begun
        assert asked.reply.text.strip() == TEXT and "warm-up: 1 of 1" not in server.log()
        deadline = begun + 120
        while "warm-up: 1 of 1" not in server.log():
            assert time.monotonic() < deadline, server.log()[-3000:]
            time.sleep(0.1)
        assert waited < (time.monotonic() - begun) / 2, waited
    finally:
        server.stop()


def test_the_last_session_is_warmed_up(mode, tmp_path):
    server = start(mode, tmp_path)
    try:
        Asked(server, "Count.")
        # What is refused is nobody's session.
        body = {**messages.request("Count.", system=words(1200, 8)), "model": "no-such-model"}
        assert httpx.post(f"{server.root}/v1/messages", json=body, trust_env=False).status_code == 404
    finally:
        server.stop()
    server = start(mode, tmp_path, "--anyclaude-warm", "last")
    try:
        deadline = time.monotonic() + 60
        while "warm-up: 1 of 1" not in server.log():
            assert time.monotonic() < deadline, server.log()[-3000:]
            time.sleep(0.1)
        # By the file of states, which is in memory now.
        assert stats(server)["anyclaude"]["loaded"] == 1
        assert Asked(server, words(20, 6)).share > 0.9
    finally:
        server.stop()


def test_off_leaves_the_servers_own_cache(mode, tmp_path):
    flags = ("--anyclaude-cache", "off", *MODES[mode])
    server = RealBackend("vllm-mlx embedded", tmp_path / "server.log", flags=flags)
    try:
        asked = [Asked(server, "Count."), Asked(server, "Count.")]
        # It does not say what it takes from there.
        assert [(one.read, one.written) for one in asked] == [(0, 0), (0, 0)]
        assert "anyclaude" not in stats(server)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--continuous-batching", "--use-paged-cache"], "--use-paged-cache"),
        (["--continuous-batching", "--ssd-cache-dir", "somewhere"], "--ssd-cache-dir"),
        (["--prefix-trie-cache"], "--prefix-trie-cache"),
        (["--disable-prefix-cache"], "--disable-prefix-cache"),
        (["--anyclaude-cache-memory", "some"], "cache.memory"),
        (["--anyclaude-cach", "off"], "--anyclaude-cach"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_flags(flags, named, tmp_path):
    command = [str(CACHE / "venv/vllm-mlx/bin/python"), "-m", "anyclaude.vllm_mlx", "serve", str(TINY), "--offline"]
    done = subprocess.run([*command, "--port", "1", *flags], capture_output=True, text=True, timeout=60,
                          env=clean_env(XDG_CACHE_HOME=str(tmp_path)))
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2 and last.startswith("anyclaude: ") and named in last, done.stderr[-2000:]
    assert "Traceback" not in done.stderr


def test_claude_code(real, tmp_path):
    """Two sessions in a project, one after the other: the second finds all of the first's prompts."""
    claude = Claude(real.root, tmp_path)
    runs = [claude.run(tools="Bash", timeout=200) for _ in range(2)]
    for run in runs:
        assert not run.failed and run.results == ["anyclaude"] and run.text.strip() == TEXT, run
    first, second = (run.result["usage"] for run in runs)
    assert second["cache_read_input_tokens"] > 0.95 * total(second), (first, second)
    # Of the first one's turns the second begins with the first.
    assert first["cache_read_input_tokens"] > 0.4 * total(first), first


def total(usage: dict) -> int:
    return sum(usage[name] for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"))
