"""Which servers the proxy finds by itself, and what it learns from their own pages.

The servers are scripted stand-ins (support/stand_ins.py); what they know of their models is in the documented
shapes of LM Studio, Ollama and vLLM.
"""

import json
import os

import pytest

from support import messages
from support.proxy import Proxy, anyclaude
from support.stand_ins import VLLM, Careless, LMStudio, Ollama

KINDS = {kind.name: kind for kind in (LMStudio, Ollama, VLLM)}


@pytest.fixture
def stand_in():
    """Start stand-ins on their default ports."""
    servers = []

    def start(kind: type, **options):
        assert os.environ.get("ANYCLAUDE_E2E_NETWORK") == "loopback", "default ports: use tests/e2e/isolate.py"
        servers.append(kind(**options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
    found = [violation for server in servers for violation in server.violations]
    assert not found, found[:20]


@pytest.fixture
def serve(tmp_path):
    """A proxy that is told no backend, or only its kind."""
    started: list[Proxy] = []

    def start(backend: str = "auto", url: str = "", **flags) -> Proxy:
        started.append(Proxy(tmp_path / f"proxy-{len(started)}.log", url, backend=backend, **flags))
        return started[-1]

    yield start
    for proxy in started:
        code = proxy.stop()
        print(f"---- {proxy.output}\n{proxy.errors()}")
        assert code == 0


# ---- discovery


@pytest.mark.parametrize("name", KINDS)
def test_found_on_its_default_port(stand_in, serve, name):
    server = stand_in(KINDS[name])
    proxy = serve()
    proxy.wait_until(lambda: len(proxy.output) > 1, 5)
    assert proxy.output[1].startswith("backend: ") and name in proxy.output[1] and str(server.port) in proxy.output[1]
    reply = messages.post(proxy.url, messages.request(), stream=True)
    assert reply.text == f"I stand in for {name}."
    assert server.exchanges[0].body["model"] == server.model, "the loaded model, the one for chats"


@pytest.mark.parametrize("name", KINDS)
def test_doctor_names_it(stand_in, tmp_path, name):
    server = stand_in(KINDS[name])
    done = anyclaude("doctor", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert done.returncode == 0, done
    assert name in json.dumps(report) and server.model in json.dumps(report)
    assert str(server.window) in json.dumps(report)
    assert server.exchanges == [], "only --live asks the model"
    plain = anyclaude("doctor", cwd=tmp_path)
    assert name in plain.stdout and plain.returncode == 0


@pytest.mark.parametrize("name", KINDS)
def test_doctor_asks_the_model_when_told(stand_in, tmp_path, name):
    server = stand_in(KINDS[name])
    done = anyclaude("doctor", "--live", "--json", cwd=tmp_path)
    json.loads(done.stdout)
    assert server.exchanges, "asked it something"


def test_doctor_says_that_there_is_none(tmp_path):
    done = anyclaude("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 1 and json.loads(done.stdout)
    plain = anyclaude("doctor", cwd=tmp_path)
    assert plain.returncode == 1 and "none found" in plain.stdout and "--backend" in plain.stdout


def test_two_at_once(stand_in, serve, tmp_path):
    """Both are named, one is used, and the choice is the same every time."""
    servers = {"lmstudio": stand_in(LMStudio), "ollama": stand_in(Ollama)}
    report = anyclaude("doctor", cwd=tmp_path)
    assert all(name in report.stdout for name in servers), report
    used = set()
    for _ in range(2):
        reply = messages.post(serve().url, messages.request())
        used.add(reply.text)
    assert len(used) == 1
    chosen = messages.post(serve("ollama").url, messages.request())
    assert chosen.text == "I stand in for ollama."


def test_a_foreign_server_is_left_alone(stand_in, serve, tmp_path):
    """Nothing but a GET or two reaches a web server that happens to be where a model server may be."""
    foreign = stand_in(Careless)
    done = anyclaude("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stdout
    server = stand_in(Ollama)
    proxy = serve()
    assert messages.post(proxy.url, messages.request()).text == "I stand in for ollama."
    assert foreign.others and foreign.posts == [] and foreign.exchanges == []
    assert server.exchanges


# ---- what is known of the models


@pytest.mark.parametrize("name", KINDS)
def test_models(stand_in, tmp_path, name):
    server = stand_in(KINDS[name])
    done = anyclaude("models", "--backend", name, "--json", cwd=tmp_path)
    assert done.returncode == 0, done
    listed = {model["id"]: model for model in json.loads(done.stdout)["models"]}
    assert listed[server.model]["window"] == server.window
    assert not any("embed" in model for model in listed), "nobody can chat with those"
    plain = anyclaude("models", "--backend", name, cwd=tmp_path)
    assert server.model in plain.stdout and str(server.window) in plain.stdout


@pytest.mark.parametrize("name", KINDS)
def test_max_tokens_fits_the_window(stand_in, serve, name):
    server = stand_in(KINDS[name])
    proxy = serve(name)
    reply = messages.post(proxy.url, messages.request("word " * 4000) | {"max_tokens": 128_000}, stream=True)
    assert reply.ended, reply
    for exchange in server.exchanges:
        asked = exchange.body.get("max_completion_tokens") or exchange.body["max_tokens"]
        assert 1000 < asked <= server.window
    assert server.others and len(server.exchanges) == 1


def test_the_window_that_the_user_sets_wins(stand_in, serve):
    server = stand_in(VLLM)
    proxy = serve("vllm", context_window="8192")
    messages.post(proxy.url, messages.request() | {"max_tokens": 128_000})
    body = server.exchanges[0].body
    assert (body.get("max_completion_tokens") or body["max_tokens"]) <= 8192


def test_prompt_too_long(stand_in, serve):
    stand_in(VLLM)
    reply = messages.post(serve("vllm").url, messages.request("word " * 100_000))
    assert reply.status == 400 and "prompt is too long" in reply.error["message"]
    assert "> 40960 maximum" in reply.error["message"]


# ---- tools


def test_lmstudio_takes_no_tool_by_name(stand_in, serve):
    """`tool_choice` as an object is refused there; "required" with one tool means the same."""
    server = stand_in(LMStudio)
    question = messages.request(tools=[messages.BASH], tool_choice={"type": "tool", "name": "Bash"})
    reply = messages.post(serve("lmstudio").url, question)
    assert reply.ended and len(server.exchanges) == 1
    assert server.exchanges[0].body["tool_choice"] == "required"


def test_a_model_without_tools_says_so(stand_in, serve, tmp_path):
    """To Claude Code without tools there is no use in going on: the user reads which setting helps."""
    server = stand_in(Ollama, loaded=Ollama.toolless)
    proxy = serve("ollama", model=Ollama.toolless)
    question = messages.request(tools=[messages.BASH])
    first = messages.post(proxy.url, question)
    second = messages.post(proxy.url, question)
    if first.status == 200:  # left out, and that is remembered
        assert second.status == 200 and "tools" not in server.exchanges[-1].body
    else:
        assert first.status == second.status == 400
        assert "tools" in first.error["message"] and "does not support tools" in first.error["message"]
    assert messages.post(proxy.url, messages.request()).ended, "without tools it answers"
    done = anyclaude("doctor", "--backend", "ollama", "--model", Ollama.toolless, cwd=tmp_path)
    assert "tool" in done.stdout


def test_tools_off(stand_in, serve):
    server = stand_in(Ollama, loaded=Ollama.toolless)
    proxy = serve("ollama", model=Ollama.toolless, tools="off")
    assert messages.post(proxy.url, messages.request(tools=[messages.BASH])).ended
    assert len(server.exchanges) == 1
