"""Backends write the same stream in many ways; the client always gets the same well-formed one."""

import json

import pytest

from support import messages
from support.replies import Answer, Steps, delta_frame, frame

TEXT = "Grüße, 世界 🎉!"
ARGUMENTS = {"command": "echo 'grüß \\n 🎉'"}
ANSWER = Answer(TEXT, thinking="Überlegung 🤔", tools=[("Bash", ARGUMENTS)], pieces=4)
WHOLE = b"".join(ANSWER.chunks()) + b"data: [DONE]\n\n"
ASCII = b"".join(ANSWER.chunks())  # json.dumps escapes
RAW = b"".join(
    b"data: " + json.dumps(json.loads(line[6:]), ensure_ascii=False).encode() + b"\n\n"
    for line in ASCII.decode().split("\n\n") if line) + b"data: [DONE]\n\n"


def every(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


WAYS = {
    "one chunk": [RAW],
    "byte by byte": every(RAW, 1),
    "seven bytes": every(RAW, 7),
    "escaped": [WHOLE],
    "CRLF": [RAW.replace(b"\n", b"\r\n")],
    "no space after the colon": [RAW.replace(b"data: ", b"data:")],
    "comments": [RAW.replace(b"data: ", b": keepalive 1/2\n\ndata: ", 3)],
    "event lines": [RAW.replace(b"data: ", b"event: message\ndata: ")],
    "no [DONE]": [RAW.removesuffix(b"data: [DONE]\n\n")],
    "no blank line at the end": [RAW.removesuffix(b"\n\n")],
    "usage in early chunks": [
        RAW.replace(b'"choices"', b'"usage": {"prompt_tokens": 1, "completion_tokens": 1}, "choices"', 3)],
}


@pytest.mark.parametrize("way", WAYS)
def test_way(backend, proxy, way):
    backend.script(Steps([*WAYS[way], "end"]))
    reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=True)
    assert reply.ended and reply.stop_reason == "tool_use"
    assert [block["type"] for block in reply.blocks] == ["thinking", "text", "tool_use"]
    assert reply.blocks[0]["thinking"] == "Überlegung 🤔" and reply.text == TEXT
    assert reply.tools == [("Bash", ARGUMENTS)]
    usage = reply.message["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (1200, 40)


def call(index: int | None, name: str | None = None, arguments: str = "", id: str | None = None) -> dict:
    delta: dict = {"function": {"arguments": arguments}}
    if name:
        delta["function"]["name"] = name
    if index is not None:
        delta["index"] = index
    if id:
        delta |= {"id": id, "type": "function"}
    return delta


ONE, TWO = '{"command": "one"}', '{"command": "two"}'
CALLS = {
    "whole calls in one delta": [[call(0, "Bash", ONE, "a"), call(1, "Bash", TWO, "b")]],
    "one after the other": [[call(0, "Bash", "", "a")], [call(0, arguments=ONE)], [call(1, "Bash", TWO, "b")]],
    "interleaved": [[call(0, "Bash", "", "a"), call(1, "Bash", "", "b")], [call(0, arguments=ONE[:9])],
                    [call(1, arguments=TWO[:5])], [call(0, arguments=ONE[9:])], [call(1, arguments=TWO[5:])]],
    "no index": [[call(None, "Bash", ONE, "a")], [call(None, "Bash", TWO, "b")]],
    "the same index, another id": [[call(0, "Bash", ONE, "a")], [call(0, "Bash", TWO, "b")]],
    "one id for both": [[call(0, "Bash", ONE, "a")], [call(1, "Bash", TWO, "a")]],
    "no ids": [[call(0, "Bash", ONE)], [call(1, "Bash", TWO)]],
}


@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
@pytest.mark.parametrize("way", CALLS)
def test_two_calls(backend, proxy, way, finish):
    """However they come: two calls, in order, with ids of their own, and a stop_reason that says so."""
    deltas = [delta_frame({"tool_calls": calls}) for calls in CALLS[way]]
    backend.script(Steps([*deltas, delta_frame({}, finish), b"data: [DONE]\n\n", "end"]))
    reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=True)
    assert reply.ended and reply.stop_reason == "tool_use"
    assert reply.tools == [("Bash", {"command": "one"}), ("Bash", {"command": "two"})]
    assert len({block["id"] for block in reply.blocks}) == 2


def test_arguments_that_do_not_parse_are_delivered(backend, proxy):
    """A finished answer with broken arguments: the client shows them to the model, which can try again."""
    backend.script(Answer(tools=[("Bash", '{"command": oops')]))
    reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=True)
    assert reply.ended and reply.stop_reason == "tool_use"
    [block] = reply.blocks
    assert "oops" in block["raw"]


def test_an_empty_answer_is_a_message_without_blocks(backend, proxy):
    backend.script(Answer(""))
    reply = messages.post(proxy.url, messages.request(), stream=True)
    assert reply.ended and reply.blocks == [] and reply.stop_reason == "end_turn"


def test_an_answer_in_one_piece_to_a_stream_request(backend, proxy):
    """Some servers ignore `stream` and answer with one JSON body."""

    class OnePiece(Answer):
        async def play(self, connection, request):
            request.body = request.body.replace(b'"stream":true', b'"stream":false')
            await super().play(connection, request)

    backend.script(OnePiece(TEXT))
    reply = messages.post(proxy.url, messages.request(), stream=True)
    assert reply.ended and reply.text == TEXT


def test_garbage_between_good_chunks_is_an_error_or_skipped(backend, proxy):
    backend.script(Steps([delta_frame({"content": "One"}), b"data: {broken\n\n", frame({"unknown": 1}),
                          delta_frame({"content": " two"}, "stop"), "end"]))
    reply = messages.post(proxy.url, messages.request(), stream=True)
    assert reply.error or (reply.ended and reply.text == "One two")
