"""Tool calls that models write as text: the parser of the wheel."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import anyclaude
from answers import TOOLS, Answer, collect, fault, golden

CASES = golden()
CALL = '<tool_call>\n{"name": "find_ferry", "arguments": {"port": "Ancona", "cars": 2}}\n</tool_call>'
INPUT = {"port": "Ancona", "cars": 2}


def test_the_corpus_is_there() -> None:
    assert set(anyclaude.tool_formats()) <= CASES.keys()
    assert all(CASES.values()) and sum(map(len, CASES.values())) >= 900


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    """Whole, by characters, by sevens and, unless it is long, at every place."""
    faults = [f"{case.about}: {found}" for case in CASES[name] if (found := fault_of(case))]
    assert not faults, "\n".join(faults)


def fault_of(case: Answer) -> str | None:
    whole, text = case.whole(), case.text
    if found := fault(whole, case.expect):
        return found
    cuts = [list(text), [text[at : at + 7] for at in range(0, len(text), 7)]]
    if len(text) < 300:
        cuts += [[text[:at], text[at:]] for at in range(1, len(text))]
    for pieces in cuts:
        if (other := case.cut(pieces)) != whole:
            return f"{other} when it comes as {pieces}"
    return None


def test_an_answer_in_one_piece() -> None:
    answer = anyclaude.parse_tools(f"<think>Hm.</think>\nI look.\n{CALL}", tools=TOOLS)
    call = answer["calls"][0]
    assert answer == {"text": "I look.\n", "thinking": "Hm.", "calls": [{"id": call["id"], "name": "find_ferry", "input": INPUT}]}
    assert call["id"].startswith("toolu_") and len(call["id"]) == len("toolu_") + 24


def test_an_answer_as_it_comes() -> None:
    parser = anyclaude.ToolParser(tools=TOOLS)
    assert parser.push("I look.") == [{"type": "text", "text": "I look."}]
    assert parser.push("<tool_") == []
    events = parser.push(CALL.removeprefix("<tool_")) + parser.push("Done.") + parser.finish()
    kinds = [event["type"] for event in events]
    assert kinds[0] == "tool_start" and kinds[-2:] == ["tool_end", "text"] and set(kinds[1:-2]) == {"tool_args"}
    assert collect(events)["calls"][0]["input"] == INPUT


def test_what_is_held_back_comes_at_the_end() -> None:
    parser = anyclaude.ToolParser(tools=TOOLS)
    assert parser.push("a <tool_cal") == [{"type": "text", "text": "a "}]
    assert parser.finish() == [{"type": "text", "text": "<tool_cal"}]


def test_after_the_end() -> None:
    parser = anyclaude.ToolParser(tools=TOOLS)
    parser.finish()
    with pytest.raises(ValueError, match="push after finish"):
        parser.push("x")
    assert parser.finish() == []


def test_a_thought_that_the_prompt_began() -> None:
    assert anyclaude.parse_tools("Hm.</think>Yes.", prompt_opens_thinking=True)["thinking"] == "Hm."
    assert anyclaude.parse_tools("Hm. Yes.")["thinking"] is None


def test_ids_are_new_unless_a_seed_makes_them() -> None:
    def ids(seed: int | None) -> list[str]:
        return [call["id"] for call in anyclaude.parse_tools(CALL + CALL, tools=TOOLS, seed=seed)["calls"]]

    assert ids(1) == ids(1) and len(set(ids(1) + ids(2) + ids(None) + ids(None))) == 8


def test_formats_and_models() -> None:
    text = '[TOOL_CALLS]find_ferry[ARGS]{"port": "Bari"}'
    for choice in ({}, {"format": "mistral"}, {"model": "Devstral-Small-2507"}, {"model": "nobody-knows-it"}):
        assert len(anyclaude.parse_tools(text, tools=TOOLS, **choice)["calls"]) == 1, choice
    assert anyclaude.parse_tools(text, "hermes", tools=TOOLS)["text"] == text


@pytest.mark.parametrize("make", [anyclaude.ToolParser, lambda **choice: anyclaude.parse_tools("", **choice)])
def test_choices_that_make_no_sense(make: Any) -> None:
    with pytest.raises(anyclaude.ConfigError) as raised:
        make(format="hermse")
    assert "hermse" in str(raised.value) and all(name in str(raised.value) for name in anyclaude.tool_formats())
    with pytest.raises(anyclaude.ConfigError, match="format and model"):
        make(format="hermes", model="qwen3")


def test_tools_in_their_forms() -> None:
    for tools in (TOOLS, tuple(TOOLS), json.dumps(TOOLS), json.dumps(TOOLS).encode()):
        assert len(anyclaude.parse_tools(CALL, tools=tools)["calls"]) == 1
    assert anyclaude.parse_tools(CALL)["text"] == CALL  # without tools there are no calls


def test_tools_of_chat_completions() -> None:
    schema = {"type": "object", "properties": {"cars": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": "find_ferry", "parameters": schema}}]
    text = '<tool_call>{"name": "find_ferry", "arguments": {"cars": "2"}}</tool_call>'
    [call] = anyclaude.parse_tools(text, tools=tools)["calls"]
    assert call["input"] == {"cars": 2}, "by its schema"


def test_tools_that_are_none() -> None:
    of_another_api = [{"toolSpec": {"name": "find_ferry"}}]
    with pytest.raises(anyclaude.TranslateError, match=r"tools\[0\]"):
        anyclaude.ToolParser(tools=of_another_api)
    with pytest.raises(anyclaude.TranslateError, match="tools: "):
        anyclaude.ToolParser(tools="{")
    for wrong in (7, {"name": "find_ferry"}, {1, 2}):
        with pytest.raises(TypeError, match="tools"):
            anyclaude.ToolParser(tools=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        anyclaude.ToolParser(tools=[{"name": "a", "input_schema": {1, 2}}])


def test_threads_may_share_the_module() -> None:
    from concurrent.futures import ThreadPoolExecutor

    text = (CALL + "\n") * 500  # long enough to let go of the interpreter
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: anyclaude.parse_tools(text, tools=TOOLS), range(8)))
    assert all(len(answer["calls"]) == 500 for answer in answers)
    parser = anyclaude.ToolParser(tools=TOOLS)
    with ThreadPoolExecutor(4) as pool:
        events = [event for some in pool.map(parser.push, ["a" * 20_000] * 8) for event in some] + parser.finish()
    assert collect(events)["text"] == "a" * 160_000


def test_events_are_typed(tmp_path: Path) -> None:
    code = """
import anyclaude

def show(parser: anyclaude.ToolParser) -> list[str]:
    names = []
    for event in parser.push("x"):
        if event["type"] == "tool_start":
            names.append(event["name"])
        elif event["type"] == "tool_args":
            names.append(event["json"])
    return names
"""
    for name, text, exit_code in (("right", code, 0), ("wrong", code.replace('event["name"]', 'event["nmae"]'), 1)):
        (tmp_path / f"{name}.py").write_text(text)
        command = [sys.executable, "-m", "mypy", "--strict", f"{name}.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == exit_code, done.stdout
