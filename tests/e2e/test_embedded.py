"""anyclaude inside of real vllm-mlx and mlx-lm: clients talk to the server itself, there is no proxy."""

import json
import re
import subprocess
import sys
import threading
import time

import anthropic
import httpx
import pytest

from support import messages
from support.claude import Claude
from support.process import CACHE, ROOT, Server, clean_env
from support.real import MODEL as TINY
from support.real import README, RealBackend, free_port, speaking_model

sys.path.insert(0, str(ROOT / "tests" / "setup"))
from tiny_model import TEXT, TOOL_CALL  # noqa: E402

CALL = json.loads(TOOL_CALL)
MODEL = "claude-opus-5-5"

# A prompt of Claude Code has 12 to 30 thousand tokens; this model reads 500 to 1000 of them a second on a CPU.
pytestmark = pytest.mark.timeout(420)

KINDS = {
    "mlx-lm": ("mlx-lm embedded", {}),
    "vllm-mlx": ("vllm-mlx embedded", {}),
    "vllm-mlx-batching": ("vllm-mlx embedded", {"flags": ("--continuous-batching",)}),
}


def start(kind: str, log, **options) -> RealBackend:
    name, more = KINDS[kind]
    return RealBackend(name, log, **more, **options)


@pytest.fixture(scope="module", params=KINDS)
def real(request, tmp_path_factory):
    server = start(request.param, tmp_path_factory.mktemp("embedded") / "server.log")
    yield server
    server.stop()


@pytest.fixture
def sdk(real):
    with anthropic.Anthropic(base_url=real.root, api_key="client-secret", max_retries=0, timeout=120) as client:
        yield client


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
def test_text_call_and_result(real, stream):
    """A call, its result, the answer: the model calls again if the result does not reach its template as one."""
    text = messages.post(real.root, messages.request(), stream=stream)
    assert (text.text.strip(), text.stop_reason) == (TEXT, "end_turn")
    question = messages.request(tools=[messages.BASH])
    call = messages.post(real.root, question, stream=stream)
    assert call.tools == [(CALL["name"], CALL["arguments"])] and call.stop_reason == "tool_use"
    assert [block["type"] for block in call.blocks] == ["tool_use"], "an empty text before it, or its marks"
    if stream:
        assert call.events[0]["message"]["usage"]["input_tokens"] > 0

    [block] = call.blocks
    result = {"type": "tool_result", "tool_use_id": block["id"], "content": "anyclaude"}
    block.pop("raw", None)
    question["messages"] += [{"role": "assistant", "content": [block]}, {"role": "user", "content": [result]}]
    final = messages.post(real.root, question, stream=stream)
    assert (final.text.strip(), final.stop_reason) == (TEXT, "end_turn")


def test_sdk(sdk):
    tools = [messages.BASH]
    with sdk.messages.stream(
        model=MODEL, max_tokens=100, messages=[{"role": "user", "content": "hi"}], tools=tools
    ) as stream:
        message = stream.get_final_message()
    assert [(block.name, block.input) for block in message.content] == [(CALL["name"], CALL["arguments"])]
    counted = sdk.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hi"}], tools=tools)
    used = message.usage.input_tokens + message.usage.cache_read_input_tokens
    # The estimate has been put right by what the server counted.
    assert abs(counted.input_tokens - used) <= 0.2 * used, (counted, message.usage)
    whole = sdk.messages.create(model=MODEL, max_tokens=100, messages=[{"role": "user", "content": "hi"}])
    assert whole.content[0].text.strip() == TEXT and whole.model == MODEL and whole.usage.output_tokens > 5


def test_errors(real, sdk):
    with pytest.raises(anthropic.BadRequestError) as raised:
        sdk.messages.create(model=MODEL, max_tokens=100, messages=[{"role": "user", "content": 7}])
    assert "messages[0].content" in raised.value.message and raised.value.request_id.startswith("req_")
    with httpx.Client(base_url=real.root, trust_env=False, timeout=60) as client:
        answer = client.get("/v1/messages")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert answer.json()["type"] == "error"
        # The rest of the server is as it was.
        assert client.get("/health").status_code == 200
        assert client.get("/v1/models").status_code == 200
        assert client.get("/v1/nothing").status_code == 404


def test_clients_of_chat_completions(real):
    """They get calls as calls, from anyclaude's parser, without a flag."""
    [model] = [entry["id"] for entry in httpx.get(f"{real.url}/models", trust_env=False).json()["data"]]
    tool = {"type": "function", "function": {"name": "Bash", "parameters": messages.BASH["input_schema"]}}
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "tools": [tool], "max_tokens": 99}
    answer = httpx.post(f"{real.url}/chat/completions", json=body, timeout=60, trust_env=False).json()
    [call] = answer["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "Bash" and json.loads(call["function"]["arguments"]) == CALL["arguments"]
    assert not answer["choices"][0]["message"].get("content")


def test_claude_code(real, tmp_path):
    """Two at the same time."""
    runs = {}

    def session(name: str) -> None:
        runs[name] = Claude(real.root, tmp_path / name).run(tools="Bash", timeout=400)

    threads = [threading.Thread(target=session, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 2
    for run in runs.values():
        assert not run.failed, run
        assert run.results == ["anyclaude"] and run.text.strip() == TEXT, run


def test_a_client_that_leaves_ends_the_reading_of_its_prompt(real):
    """Half a minute of reading is not gone on with."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        long = " ".join(f"word{number}" for number in range(6000))
        body = {**messages.request(long), "stream": True}
        with client.stream("POST", f"{real.url}/messages", json=body, headers=messages.HEADERS) as answer:
            for line in answer.iter_lines():
                if "ping" in line:
                    break
        left = time.monotonic()
        short = messages.post(real.root, messages.request("hi"))
        assert short.text.strip() == TEXT
        waited = time.monotonic() - left
    assert waited < 10, f"the next answer took {waited:.1f} s"
    if real.kind == "mlx-lm embedded":
        done = [tuple(map(int, pair)) for pair in re.findall(r"progress: (\d+)/(\d+)", real.log())]
        longest = max(total for _, total in done)
        assert 0 < max(read for read, total in done if total == longest) < longest


def test_a_script_of_ones_own(tmp_path):
    """The README's lines."""
    [script] = re.findall(r"^```py\n([^`]*vllm_mlx\.install.*?)^```", README, re.M | re.S)
    port = free_port()
    code = script.replace('"MODEL"', repr(str(TINY))).replace("8000", str(port))
    python = str(CACHE / "venv/vllm-mlx/bin/python")
    home = {"XDG_CACHE_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    server = Server([python, "-c", code], tmp_path / "server.log", **home)
    try:
        server.wait_until(lambda: "startup complete" in server.errors(), 60)
        call = messages.post(f"http://127.0.0.1:{port}", messages.request(tools=[messages.BASH]), stream=True)
        assert call.tools == [(CALL["name"], CALL["arguments"])]
    finally:
        server.stop()


@pytest.mark.parametrize(("venv", "module"), [("mlx", "mlx_lm"), ("vllm-mlx", "vllm_mlx")])
def test_help_is_the_servers_own(venv, module):
    command = [str(CACHE / "venv" / venv / "bin/python"), "-m", f"anyclaude.{module}", "serve", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_env())
    assert done.returncode == 0 and "--prefill-step-size" in done.stdout, done.stderr


def test_the_servers_key_and_rate_limit_hold(tmp_path):
    """On every path, also for what is answered before the server's own route is reached."""
    flags = ("--api-key", "secret", "--rate-limit", "6")
    server = RealBackend("vllm-mlx embedded", tmp_path / "server.log", flags=flags)
    try:
        with httpx.Client(base_url=server.root, trust_env=False, timeout=60) as client:
            for path in ("/v1/messages", "/v1/messages/count_tokens"):
                for body in (json.dumps(messages.request()), "{"):
                    for headers in ({}, {"x-api-key": "wrong"}, {"x-api-key": "käse".encode("latin-1")}):
                        answer = client.post(path, content=body, headers=headers)
                        assert answer.status_code == 401, answer.text
                        assert answer.json()["error"]["type"] == "authentication_error"
            good = {"x-api-key": "secret"}
            # A message costs one, as a count does.
            assert client.post("/v1/messages", json=messages.request(), headers=good).status_code == 200
            counts = [
                client.post("/v1/messages/count_tokens", json=messages.request(), headers=good) for _ in range(6)
            ]
            assert [count.status_code for count in counts] == [200] * 5 + [429]
            assert counts[-1].json()["error"]["type"] == "rate_limit_error"
            assert int(counts[-1].headers["retry-after"]) > 0
    finally:
        server.stop()


def test_an_install_that_fails_changes_nothing():
    code = """
import asyncio, os
import anyclaude, anyclaude.vllm_mlx
import vllm_mlx.server as server
from vllm_mlx.tool_parsers.abstract_tool_parser import ToolParserManager
def state():
    known = sorted(ToolParserManager.list_registered())
    flags = server._enable_auto_tool_choice, server._tool_call_parser
    return len(server.app.user_middleware), flags, dict(os.environ), known
def refused(named, **options):
    try:
        anyclaude.vllm_mlx.install(server, **options)
    except anyclaude.ConfigError as error:
        assert named in str(error), error
    else:
        raise AssertionError(named)
before = state()
refused("tols", tols="x")
server.app.middleware_stack = server.app.build_middleware_stack()
refused("has started already")
assert state() == before, (before, state())
server.app.middleware_stack = None
anyclaude.vllm_mlx.install(server)
after = state()
assert after[0] == before[0] + 1 and "anyclaude" in after[3], after
"""
    command = [str(CACHE / "venv/vllm-mlx/bin/python"), "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_env())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_thinking(kind, tmp_path):
    model = speaking_model(tmp_path / "model", f"<think>Let me think about this.</think>{TEXT}")
    server = start(kind, tmp_path / "server.log", model=model)
    try:
        for stream in (True, False):
            answer = messages.post(server.root, messages.request(), stream=stream)
            assert [block["type"] for block in answer.blocks] == ["thinking", "text"], answer
            assert answer.blocks[0]["thinking"].strip() == "Let me think about this."
            assert answer.text.strip() == TEXT and answer.stop_reason == "end_turn"
    finally:
        server.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_leaves_ends_the_answer(kind, tmp_path):
    """A model that would speak for long stops when nobody listens: the next answer need not wait for it."""
    words = " ".join(f"word{number:05}" for number in range(3000))
    server = start(kind, tmp_path / "server.log", model=speaking_model(tmp_path / "model", words))
    try:
        whole = timed_tokens(server, 300)
        with httpx.Client(trust_env=False, timeout=60) as client:
            body = {**messages.request(max_tokens=3000), "stream": True}
            with client.stream("POST", f"{server.url}/messages", json=body, headers=messages.HEADERS) as answer:
                for line in answer.iter_lines():
                    if "text_delta" in line:
                        break
        left = time.monotonic()
        first = messages.post(server.root, messages.request(max_tokens=1))
        assert first.stop_reason == "max_tokens"
        waited = time.monotonic() - left
        assert waited < 3000 * whole / 2, f"{waited:.1f} s, a token takes {whole:.4f} s"
    finally:
        server.stop()


def timed_tokens(server: RealBackend, tokens: int) -> float:
    """How long one takes, in seconds."""
    begun = time.monotonic()
    reply = messages.post(server.root, messages.request(max_tokens=tokens), stream=True)
    assert reply.message["usage"]["output_tokens"] == tokens, reply.message["usage"]
    return (time.monotonic() - begun) / tokens
