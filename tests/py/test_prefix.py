"""The conversations of ``tests/golden/prefix``, as users of the wheel have them.

core/tests/prefix.rs tells what a case means; what only it can see is left to it.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from anyclaude import StreamConverter, Translator

CASES = sorted((Path(__file__).parent.parent / "golden" / "prefix").glob("*.json"))
assert len(CASES) >= 40, CASES
HEADERS = {"class": "x-claude-code-request-class", "agent_type": "x-claude-code-agent-type", "betas": "anthropic-beta",
           "compaction": "x-claude-code-compaction", "compacted": "x-claude-code-context-compacted"}


def raw_requests(text: str) -> list[str]:
    """The requests as they stand in the file, one a line."""
    start = '   "request": '
    lines = [line for line in text.splitlines() if line.startswith(start)]
    return [line.removeprefix(start).removesuffix(",") for line in lines]


def at(value: Any, pointer: str) -> Any:
    for key in pointer.split("/")[1:]:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_conversations(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    case = json.loads(text)
    translator = Translator(case.get("backend", "mlx-lm"), dialect=case.get("dialect", "chat"), tools=case.get("tools", "auto"),
                            pin_lines=case.get("pin_lines", []))
    ids: dict[str, str] = {}
    bodies: list[bytes] = []
    requests = raw_requests(text)
    assert len(requests) == len(case["steps"])
    for number, (step, request) in enumerate(zip(case["steps"], requests, strict=True)):
        for name, value in ids.items():
            request = request.replace(name, value)
        headers = {HEADERS[key]: str(value) for key, value in step.get("hints", {}).items()}
        headers |= {"X-Claude-Code-Session-Id": step.get("session", "s"), "x-claude-code-agent-id": step.get("agent", "")}
        translated = translator.request(request, seed=number + 1, headers=headers)
        stream = StreamConverter(translated.context)
        out = b"".join(stream.push_chunk(chunk) for chunk in step["answer"]) + stream.finish()
        starts = [json.loads(line[6:]) for line in out.decode().splitlines() if '"type":"tool_use"' in line]
        ids |= {f"$call {number} {n}": start["content_block"]["id"] for n, start in enumerate(starts)}
        if step.get("fails"):
            bodies.append(translated.body)
            continue
        report = translator.record(stream)
        assert report is not None and report in translator.prefix_reports(step.get("session", "s"))
        bodies.append(translated.body)
        expect = step["expect"]
        for pointer in (key for key in expect if key.startswith("/")):
            assert at(report, pointer) == expect[pointer], (number, pointer, report)
        for words in expect.get("says", []):
            assert words.encode() in bodies[-1], (number, words)
        for words in expect.get("says_not", []):
            assert words.encode() not in bodies[-1], (number, words)
        if (earlier := expect.get("goes_on_from")) is not None:
            messages = [body[body.index(b'"messages":[') :].split(b'],"tools"')[0].split(b'],"max_tokens"')[0]
                        for body in (bodies[earlier], bodies[-1])]
            assert messages[1].startswith(messages[0]), number


def test_broken_streams_leave_nothing() -> None:
    translator = Translator()
    request = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    stream = StreamConverter(translator.request(request).context)
    stream.push_chunk({"choices": [{"delta": {"content": "Half"}}]})
    stream.fail("gone")
    assert translator.record(stream) is None and translator.prefix_reports() == []


def test_whole_answers_are_remembered() -> None:
    translator = Translator()
    request = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    answer = {"choices": [{"message": {"content": "\n\nHo.\n"}, "finish_reason": "stop"}]}
    translator.response(translator.request(request, session="s").context, answer)
    request["messages"] += [{"role": "assistant", "content": "Ho."}, {"role": "user", "content": "On."}]  # type: ignore[operator]
    assert translator.request(request, session="s").dict()["messages"][1]["content"] == "\n\nHo.\n"


def test_headers_are_any_mapping() -> None:
    translator = Translator()
    request = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    headers = MappingProxyType({"X-Claude-Code-Session-Id": "s-1", "x-claude-code-request-class": "workflow"})
    stream = StreamConverter(translator.request(request, headers=headers).context)
    stream.push_chunk({"choices": [{"delta": {"content": "Ho"}, "finish_reason": "stop"}]})
    stream.finish()
    report = translator.record(stream)
    assert report is not None and (report["session"], report["class"]) == ("s-1", "workflow")
    assert translator.record(stream) is None, "once"
