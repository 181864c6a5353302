"""How a backend stream that breaks ends for the client: five states times four causes.

Once all calls that were sent are complete, the turn ends normally and the calls run exactly once. In every other
state the client gets an error, never an end_turn that would make half an answer look final.
"""

import json

import pytest

from support import messages
from support.replies import Answer, Steps, delta_frame, error, frame

COMMAND = "echo ran >> count.txt"
ARGUMENTS = json.dumps({"command": COMMAND})
FINAL = "The final answer."


def call_start(index: int = 0) -> bytes:
    return delta_frame({"tool_calls": [{
        "index": index, "id": f"call_end_{index}", "type": "function", "function": {"name": "Bash", "arguments": ""}}]})


def call_arguments(text: str, index: int = 0) -> bytes:
    return delta_frame({"tool_calls": [{"index": index, "function": {"arguments": text}}]})


ROLE = delta_frame({"role": "assistant"})
THINKING = delta_frame({"reasoning_content": "Let me see"})
TEXT = delta_frame({"content": "Half an ans"})
STATES: dict[str, list[bytes]] = {
    "nothing": [ROLE],
    "thinking": [ROLE, THINKING],
    "text": [ROLE, TEXT],
    "open tool": [ROLE, call_start(), call_arguments(ARGUMENTS[:12])],
    "text and open tool": [ROLE, TEXT, call_start(), call_arguments(ARGUMENTS[:12])],
    "closed and open tool": [ROLE, call_start(), call_arguments(ARGUMENTS), call_start(1), call_arguments("{", 1)],
    "closed tool": [ROLE, call_start(), call_arguments(ARGUMENTS)],
    "text and closed tool": [ROLE, TEXT, call_start(), call_arguments(ARGUMENTS)],
}
FAILURE = frame({"error": {"message": "the GPU is on fire", "type": "server_error", "code": 500}})
CAUSES: dict[str, list] = {
    "clean end": ["end"],
    "[DONE] without finish_reason": [b"data: [DONE]\n\n", "end"],
    "reset": ["reset"],
    "close inside the chunked body": ["close"],
    "stall": ["stall"],
    "error object": [FAILURE, "end"],
}


@pytest.fixture
def proxy(start_proxy):
    """Silence before the first token is a prefill and may last for ever by default; here it may not."""
    return start_proxy(stall_timeout="1s", first_byte_timeout="1s", ping_interval="300ms")


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("state", STATES)
def test_stream(backend, proxy, state, cause):
    backend.script(Steps([*STATES[state], *CAUSES[cause]]))
    reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=True)
    assert reply.status == 200, "committed at the backend's success headers"
    assert reply.cut is None, "the client's connection must not be cut"
    if state in ("closed tool", "text and closed tool"):
        assert reply.ended and reply.stop_reason == "tool_use"
        assert reply.tools == [("Bash", {"command": COMMAND})]
        return
    assert reply.error, f"no error event: {reply.names}"
    assert "message_stop" not in reply.names and "message_delta" not in reply.names
    if cause == "error object":
        assert "the GPU is on fire" in reply.error["message"]
    assert reply.error["type"] in (("api_error", "timeout_error") if cause == "stall" else ("api_error",))
    if "text" in state:
        assert reply.text == "Half an ans", "no notice inside the text"


@pytest.mark.parametrize("stream", [True, False])
def test_reset_before_the_head_is_a_status(backend, proxy, stream):
    backend.script(Steps(["reset"], head=False), Steps(["reset"], head=False))
    reply = messages.post(proxy.url, messages.request(), stream=stream)
    assert (reply.status, reply.error["type"]) == (502, "api_error")


def test_error_object_before_the_head_keeps_its_status(backend, proxy):
    backend.script(error(429, "slow down", "rate_limit_error"))
    reply = messages.post(proxy.url, messages.request(), stream=True)
    assert (reply.status, reply.error["type"]) == (429, "rate_limit_error")


@pytest.mark.parametrize("broken", [Steps(["reset"], head=False), Steps([b'{"choices": [', "reset"])], ids=["head", "middle"])
def test_non_stream(backend, proxy, broken):
    """Breaks while the client waits for one JSON body: before the head, and in the middle."""
    backend.script(broken)
    reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]))
    assert (reply.status, reply.error["type"]) == (502, "api_error")


CLIENT_ROWS = {
    "nothing": "error object",
    "thinking": "reset",
    "text": "clean end",
    "open tool": "stall",
    "closed tool": "reset",
}


@pytest.mark.parametrize("state", CLIENT_ROWS)
def test_claude_code_gets_the_right_answer_in_the_end(backend, claude, state):
    """Claude Code tries again by itself, without a stream; a complete call runs once."""
    backend.script(Steps([*STATES[state], *CAUSES[CLIENT_ROWS[state]]]), Answer(FINAL))
    run = claude.run(tools="Bash")
    assert not run.failed and run.text == FINAL, run
    assert len(backend.exchanges) == 2, run
    ran = claude.project / "count.txt"
    if state == "closed tool":
        assert ran.read_text() == "ran\n"
        assert backend.exchanges[1].messages[-1]["role"] == "tool"
    else:
        assert not ran.exists()
        assert "Half an ans" not in json.dumps(backend.exchanges[1].body), "the retry is the same question again"
