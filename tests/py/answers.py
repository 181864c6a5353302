"""Answers of models with tool calls in them: the golden cases, and what "the same answer" means.

core/tests/toolcall.rs reads the same files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import anyclaude
from corpus import GOLDEN

PROPERTIES = {
    "port": {"type": "string"},
    "to": {"type": "string"},
    "cars": {"type": "integer"},
    "night": {"type": "boolean"},
    "price": {"type": "number"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "options": {"type": "object"},
}
TOOLS: list[dict[str, Any]] = [
    {"name": name, "input_schema": {"type": "object", "properties": PROPERTIES}}
    for name in ("find_ferry", "list_ports", "mcp__sea__tide")
]


@dataclass
class Answer:
    """A case: a line of a file that has the name of its format."""

    about: str
    text: str
    expect: dict[str, Any]
    arguments: dict[str, Any]

    def parser(self) -> anyclaude.ToolParser:
        return anyclaude.ToolParser(**self.arguments)

    def whole(self) -> dict[str, Any]:
        return without_ids(anyclaude.parse_tools(self.text, **self.arguments))

    def cut(self, pieces: list[str]) -> dict[str, Any]:
        parser = self.parser()
        events = [event for piece in pieces for event in parser.push(piece)]
        return without_ids(collect(events + parser.finish()))


def golden() -> dict[str, list[Answer]]:
    """All cases by file."""
    formats = anyclaude.tool_formats()
    cases = {}
    for path in sorted((GOLDEN / "toolcall").glob("*.jsonl")):
        # Not splitlines(): it also cuts at characters that are text here.
        lines = path.read_bytes().decode().split("\n")
        cases[path.stem] = [read(path.stem, json.loads(line), formats) for line in lines if line]
    return cases


def read(stem: str, case: dict[str, Any], formats: list[str]) -> Answer:
    model = case.get("model")
    own = stem if stem in formats and model is None else None
    arguments = {
        "format": case.get("format", own),
        "model": model,
        "tools": case.get("tools", TOOLS),
        "prompt_opens_thinking": case.get("prompt_opens_thinking", False),
    }
    return Answer(case["about"], case["text"], case["expect"], arguments)


def collect(events: list[anyclaude.ToolEvent]) -> dict[str, Any]:
    """Puts events together, as a user would."""
    text, thinking, calls = "", None, []
    is_open = False
    for event in events:
        assert not is_open or event["type"] in ("tool_args", "tool_end"), event
        if event["type"] == "text":
            text += event["text"]
        elif event["type"] == "thinking":
            thinking = (thinking or "") + event["thinking"]
        elif event["type"] == "tool_start":
            calls.append({"id": event["id"], "name": event["name"], "input": ""})
            is_open = True
        elif event["type"] == "tool_args":
            assert is_open
            calls[-1]["input"] += event["json"]
        else:
            calls[-1]["input"] = json.loads(calls[-1]["input"] or "{}")
            is_open = False
    assert not is_open
    return {"text": text, "thinking": thinking, "calls": calls}


def without_ids(answer: Any) -> dict[str, Any]:
    """Ids are new each time; no two are the same."""
    ids = [call["id"] for call in answer["calls"]]
    assert len(set(ids)) == len(ids) and all(id.startswith("toolu_") for id in ids)
    return {**answer, "calls": [{"name": call["name"], "input": call["input"]} for call in answer["calls"]]}


def fault(found: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """What is wrong with an answer: white space counts for nothing where there is thinking or a call."""
    is_plain = not wanted["calls"] and wanted["thinking"] is None
    for key, same in (
        ("calls", same_json(found["calls"], wanted["calls"])),
        ("text", (found["text"] == wanted["text"]) if is_plain else folded(found["text"]) == folded(wanted["text"])),
        ("thinking", folded(found["thinking"]) == folded(wanted["thinking"])),
    ):
        if not same:
            return f"{key}: wanted {wanted[key]!r}, got {found[key]!r}"
    return None


def folded(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())


def same_json(a: Any, b: Any) -> bool:
    """Deep equality with JSON's types: `True` is not 1, but 2 is 2.0."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_json(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_json, a, b))
    return bool(a == b)
