"""Windows that are too small for Claude Code, and servers that cut prompts without a word."""

import json

import pytest

from support import messages
from support.claude import Claude
from support.proxy import Proxy, anyclaude
from support.replies import Answer, Status, usage

LONG = "All work and no play makes Jack a dull boy. " * 1500  # some 16,000 tokens


@pytest.mark.parametrize("counted,warned", [(4096, True), (15000, False)])
def test_a_prompt_that_was_cut_is_noticed(backend, start_proxy, tmp_path, counted, warned):
    backend.script(Answer("I have read all of it.", usage=usage(counted, 7)))
    proxy = start_proxy()
    assert messages.post(proxy.url, messages.request(LONG), stream=True).ended
    [running] = json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout)
    assert bool(running["warnings"]) == warned
    doctor = anyclaude("doctor", "--backend", "demo", cwd=tmp_path).stdout
    assert ("cut" in doctor and "4096" in doctor) == warned
    assert ("4096" in proxy.errors()) == warned, "the log says so, at every level"


def test_a_small_window_is_told(backend, tmp_path):
    backend.models = Status(200, {"object": "list", "data": [{"id": "small", "object": "model", "max_model_len": 8192}]})
    done = anyclaude("doctor", "--backend", "openai", "--backend-url", backend.url, "--json", cwd=tmp_path)
    [finding] = [finding for finding in json.loads(done.stdout)["findings"] if finding["check"] == "window"]
    assert finding["state"] == "warning" and "8192" in finding["what"] and finding["fix"]


def test_the_log_tells_of_a_small_window(backend, tmp_path):
    """Where the server tells its window by itself: vLLM's list has it."""
    backend.models = Status(200, {"object": "list", "data": [{"id": "small", "object": "model", "max_model_len": 8192}]})
    backend.script(Answer("Small."))
    proxy = Proxy(tmp_path / "proxy.log", backend.url, backend="vllm")
    try:
        messages.post(proxy.url, messages.request())
        proxy.wait_until(lambda: "8192" in proxy.errors(), 5)
    finally:
        assert proxy.stop() == 0


def test_claude_code_is_told_the_room_it_has(backend, start_proxy, tmp_path):
    """It asks for 32,000 tokens and more; the server's window is smaller, and no request goes beyond it."""
    backend.models = Status(200, {"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 24576}]})
    backend.script(Answer("One.", tools=[("Bash", {"command": "true"})], usage=usage(13000, 9)), Answer("Two."))
    run = Claude(start_proxy().url, tmp_path / "claude").run(tools="Bash")
    assert not run.failed and run.text == "Two.", run
    first, second = (exchange.body["max_tokens"] for exchange in backend.exchanges)
    assert first <= 24576
    assert second + 13000 < 24576, "the server has counted the turn before, so what is left is known"
