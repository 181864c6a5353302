"""The checks on streams themselves: they must refuse what a strict client refuses."""

import json

import pytest

from support.assembly import Assembly, Reply, frames

USAGE = {"input_tokens": 1, "output_tokens": 1}
START = {"type": "message_start", "message": {
    "id": "m", "type": "message", "role": "assistant", "model": "x", "content": [], "stop_reason": None,
    "stop_sequence": None, "usage": USAGE}}
TEXT = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
STOP = {"type": "content_block_stop", "index": 0}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE}
OVER = {"type": "message_stop"}
GOOD = [START, TEXT, DELTA, STOP, END, OVER]
ERROR = {"type": "error", "error": {"type": "api_error", "message": "m"}}


def assemble(events: list[dict]) -> Reply:
    reply = Reply(200, {}, events=events)
    Assembly(reply).run()
    return reply


def test_good():
    reply = assemble(GOOD)
    assert reply.ended and reply.text == "Hi"
    assert not assemble(GOOD[:3]).ended
    assert not assemble([*GOOD[:3], ERROR]).ended


def changed(at: int, **keys) -> list[dict]:
    return [*GOOD[:at], {**GOOD[at], **keys}, *GOOD[at + 1 :]]


BAD = {
    "no start": GOOD[1:],
    "two starts": [START, *GOOD],
    "usage missing": changed(0, message={**START["message"], "usage": {}}),
    "index gap": changed(1, index=1),
    "two open blocks": [START, TEXT, {**TEXT, "index": 1}],
    "text missing": changed(1, content_block={"type": "text"}),
    "input at the start": changed(1, content_block={"type": "tool_use", "id": "t", "name": "B", "input": {"a": 1}}),
    "wrong delta": changed(2, delta={"type": "input_json_delta", "partial_json": "{}"}),
    "end inside a block": [START, TEXT, END],
    "no usage at the end": changed(4, usage=None),
    "tool_use without a call": changed(4, delta={"stop_reason": "tool_use"}),
    "stop without reason": [*GOOD[:4], OVER],
    "after the end": [*GOOD, {"type": "ping"}],
    "after an error": [*GOOD[:3], ERROR, STOP],
    "foreign error": [START, {"type": "error", "error": {"type": "server_error", "message": "m"}}],
}


@pytest.mark.parametrize("what", BAD)
def test_bad(what):
    with pytest.raises((AssertionError, KeyError, TypeError)):
        assemble(BAD[what])


@pytest.mark.parametrize("lines", [
    ['data: {"type": "ping"}'], ["event: pong", 'data: {"type": "ping"}'], ["data: [DONE]"], ["oops"]])
def test_bad_lines(lines):
    with pytest.raises((AssertionError, json.JSONDecodeError)):
        list(frames(lines))
