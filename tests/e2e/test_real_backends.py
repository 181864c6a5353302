"""Claude Code on real servers with a tiny real model: one tool call, its result, the final answer.

The model's answers are fixed by rule (tests/setup/tiny_model), so that whatever the user sees here has been
through the server's own template, tokenizer, KV cache and tool-call parser.
"""

import json
import sys

import pytest

from support import messages
from support.claude import LATEST, OLD, Claude
from support.process import ROOT
from support.proxy import Proxy
from support.real import RealBackend

sys.path.insert(0, str(ROOT / "tests" / "setup"))
from tiny_model import TEXT, TOOL_CALL  # noqa: E402

CALL = json.loads(TOOL_CALL)

# A prompt of Claude Code has 12 to 30 thousand tokens; this model reads 500 to 1000 of them a second on a CPU.
pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module", params=["mlx-lm", "vllm-mlx", "llama.cpp"])
def real(request, tmp_path_factory):
    server = RealBackend(request.param, tmp_path_factory.mktemp("real") / "server.log")
    yield server
    server.stop()


@pytest.fixture
def real_proxy(real, tmp_path):
    proxy = Proxy(tmp_path / "proxy.log", real.url, backend=real.kind)
    proxy.kind = real.kind
    yield proxy
    proxy.stop()
    print(f"---- log of the proxy\n{proxy.errors()}")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
def test_text_and_call(real_proxy, stream):
    text = messages.post(real_proxy.url, messages.request(), stream=stream)
    assert (text.text.strip(), text.stop_reason) == (TEXT, "end_turn")
    assert text.message["usage"]["output_tokens"] > 0

    question = messages.request(tools=[messages.BASH])
    call = messages.post(real_proxy.url, question, stream=stream)
    assert call.tools == [(CALL["name"], CALL["arguments"])] and call.stop_reason == "tool_use"

    [block] = [block for block in call.blocks if block["type"] == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": block["id"], "content": "anyclaude"}
    block.pop("raw", None)
    question["messages"] += [{"role": "assistant", "content": [block]}, {"role": "user", "content": [result]}]
    final = messages.post(real_proxy.url, question, stream=stream)
    assert (final.text.strip(), final.stop_reason) == (TEXT, "end_turn")


@pytest.mark.parametrize("version", [LATEST, OLD])
def test_claude_code(real_proxy, tmp_path, version):
    run = Claude(real_proxy.url, tmp_path).run(tools="Bash", version=version, timeout=400)
    assert not run.failed, run
    assert run.results == ["anyclaude"], run
    assert run.text.strip() == TEXT, run
    if real_proxy.kind == "vllm-mlx":
        return  # its usage says nothing of its cache
    usage = run.result["usage"]
    # The first turn was read afresh, the second almost wholly taken from the KV cache.
    assert usage["cache_read_input_tokens"] > 0.8 * usage["input_tokens"], usage
