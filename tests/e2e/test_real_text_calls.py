"""Claude Code on real servers that make no calls of their own: the tiny real model writes them as text."""

import json
import sys

import httpx
import pytest

from support import messages
from support.claude import Claude
from support.process import ROOT
from support.proxy import Proxy
from support.real import RealBackend, unparsed_model

sys.path.insert(0, str(ROOT / "tests" / "setup"))
from tiny_model import TEXT, TOOL_CALL  # noqa: E402

CALL = json.loads(TOOL_CALL)
pytestmark = pytest.mark.timeout(420)

# mlx-lm finds no parser for the model's template. vllm-mlx without its two flags reads calls, but tells the model of
# their results in words that it does not know; there, as with llama.cpp, tools can be described in the prompt.
SETUPS = {"mlx-lm without a parser": ("mlx-lm", "auto"), "vllm-mlx without its flags": ("vllm-mlx", "text"),
          "llama.cpp": ("llama.cpp", "text")}


@pytest.fixture(scope="module", params=SETUPS)
def real(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    kind, tools = SETUPS[request.param]
    options = {"mlx-lm": lambda: {"model": unparsed_model(folder / "model")}, "vllm-mlx": lambda: {"tools": False}}
    server = RealBackend(kind, folder / "server.log", **options.get(kind, dict)())
    server.tools = tools
    yield server
    server.stop()


@pytest.fixture
def proxy(real, tmp_path):
    proxy = Proxy(tmp_path / "proxy.log", real.url, backend=real.kind, tools=real.tools)
    yield proxy
    proxy.stop()
    print(f"---- log of the proxy\n{proxy.errors()}")


@pytest.mark.parametrize("real", ["mlx-lm without a parser"], indirect=True)
def test_the_server_leaves_the_call_in_the_text(real):
    """Otherwise the tests below show nothing of it; the other servers are not even told of tools."""
    tool = {"type": "function", "function": {"name": "Bash", "parameters": messages.BASH["input_schema"]}}
    body = {"model": "default_model", "messages": [{"role": "user", "content": "hi"}], "tools": [tool],
            "max_tokens": 99}
    answer = httpx.post(f"{real.url}/chat/completions", json=body, timeout=60, trust_env=False).json()
    [choice] = answer["choices"]
    assert not choice["message"].get("tool_calls") and "<tool_call>" in choice["message"]["content"], answer


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
def test_call(proxy, stream):
    call = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=stream)
    assert call.tools == [(CALL["name"], CALL["arguments"])] and call.stop_reason == "tool_use"
    assert call.text == ""


def test_claude_code(real, proxy, tmp_path):
    run = Claude(proxy.url, tmp_path).run(tools="Bash", timeout=400)
    assert not run.failed, run
    assert run.results == ["anyclaude"] and run.text.strip() == TEXT, run
    said = [block["text"].strip() for block in run.blocks("assistant") if block["type"] == "text"]
    assert said == [TEXT]
    if real.kind != "vllm-mlx":  # its usage says nothing of its cache
        usage = run.result["usage"]
        assert usage["cache_read_input_tokens"] > 0.8 * usage["input_tokens"], usage
