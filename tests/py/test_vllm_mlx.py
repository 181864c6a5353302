"""What vllm-mlx is given by anyclaude's parser; tests/e2e has the real server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from anyclaude import ToolParser
from anyclaude.vllm_mlx import _Deltas

TOOLS = [{"type": "function", "function": {"name": "Bash", "parameters": {"type": "object"}}}]
CALL = '<tool_call>{"name": "Bash", "arguments": {"command": "ls -l", "n": [1, 2]}}</tool_call>'


def deltas(text: str, size: int) -> list[dict[str, Any]]:
    """The deltas for a text that comes in pieces of this size."""
    stream = _Deltas(ToolParser(tools=TOOLS))
    events = [stream.parser.push(text[at : at + size]) for at in range(0, len(text), size)] + [stream.parser.finish()]
    return [delta for some in events if (delta := stream.delta(some)) is not None]


def joined(found: list[dict[str, Any]]) -> tuple[str, list[tuple[str, Any]]]:
    """Text and calls, as a client of chat completions puts them together."""
    calls: dict[int, list[str]] = {}
    ids: set[str] = set()
    for piece in (call for delta in found for call in delta.get("tool_calls", [])):
        name_and_arguments = calls.setdefault(piece["index"], ["", ""])
        name_and_arguments[0] += piece["function"].get("name", "")
        name_and_arguments[1] += piece["function"]["arguments"]
        ids |= {piece["id"]} if "id" in piece else set()
    assert len(ids) == len(calls) and list(calls) == list(range(len(calls)))
    return "".join(delta["content"] for delta in found), [(name, json.loads(text)) for name, text in calls.values()]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_calls_and_text(size: int) -> None:
    call = ("Bash", {"command": "ls -l", "n": [1, 2]})
    assert joined(deltas("Only text, 1 < 2.", size)) == ("Only text, 1 < 2.", [])
    assert joined(deltas(CALL, size)) == ("", [call])
    text, calls = joined(deltas(f"I look.\n{CALL}{CALL}", size))
    assert (text.strip(), calls) == ("I look.", [call, call])


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_thinking_goes_back_between_its_marks(size: int) -> None:
    """The server's own reader of thinking comes before, and where there is none its clients look for the marks."""
    text, calls = joined(deltas(f"<think>Hm.</think>So.{CALL}", size))
    assert (text, len(calls)) == ("<think>Hm.</think>So.", 1)
