"""The Messages API that some servers have of their own, used because the user asks for it: real servers, real client."""

import json
import sys

import pytest

from support import messages
from support.claude import Claude
from support.process import ROOT
from support.proxy import Proxy, anyclaude
from support.real import RealBackend

sys.path.insert(0, str(ROOT / "tests" / "setup"))
from tiny_model import TEXT, TOOL_CALL  # noqa: E402

CALL = json.loads(TOOL_CALL)

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module", params=["llama.cpp", "vllm-mlx"])
def real(request, tmp_path_factory):
    server = RealBackend(request.param, tmp_path_factory.mktemp("native") / "server.log")
    yield server
    server.stop()


@pytest.fixture
def native(real, tmp_path):
    proxy = Proxy(tmp_path / "proxy.log", real.url, backend=real.kind, backend_api="messages", debug="2")
    proxy.kind = real.kind
    yield proxy
    proxy.stop()
    print(f"---- log of the proxy\n{proxy.errors()}")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
def test_text_and_call(native, stream):
    text = messages.post(native.url, messages.request(), stream=stream)
    assert (text.text.strip(), text.stop_reason) == (TEXT, "end_turn")
    question = messages.request(tools=[messages.BASH])
    call = messages.post(native.url, question, stream=stream)
    assert call.tools == [(CALL["name"], CALL["arguments"])] and call.stop_reason == "tool_use"
    [block] = [block for block in call.blocks if block["type"] == "tool_use"]
    assert block["id"].startswith("toolu_")
    result = {"type": "tool_result", "tool_use_id": block["id"], "content": "anyclaude"}
    block.pop("raw", None)
    question["messages"] += [{"role": "assistant", "content": [block]}, {"role": "user", "content": [result]}]
    final = messages.post(native.url, question, stream=stream)
    assert (final.text.strip(), final.stop_reason) == (TEXT, "end_turn")
    # It really was the other interface.
    records = [json.loads(line) for file in (native.home / "traces").glob("*") for line in file.read_text().splitlines()]
    sent = [record for record in records if record["stage"] == "translated"]
    assert sent and all(record["api"] == "messages" and "max_tokens" in record["body"] for record in sent)


def test_claude_code(native, tmp_path):
    run = Claude(native.url, tmp_path).run(tools="Bash", timeout=400)
    assert not run.failed, run
    assert run.results == ["anyclaude"] and run.text.strip() == TEXT, run


def test_a_server_without_it(tmp_path):
    done = anyclaude("serve", "--backend", "mlx-lm", "--backend-api", "messages", "--port", "0", cwd=tmp_path)
    assert done.returncode == 2 and "backend_api" in done.stderr and "mlx-lm" in done.stderr
