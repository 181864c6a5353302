"""What models write, as their own chat templates show it, comes back as the calls that went in.

For each template answers with calls are rendered. The model's part of it is parsed with only the model's name known,
and must give the same names, inputs, text and thinking. What a template does not say, nobody can read: text or
thinking that it leaves out is not expected, calls that it leaves out or spoils are listed below with the reason, and
what is listed must still be so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

import anyclaude
from answers import collect, fault, without_ids
from chat_templates import ChatTemplate, Message, Tools, Unrenderable, Written, templates

# Templates that render no calls at all: the model's earlier calls are not shown to it.
NO_CALLS = {
    "HuggingFaceTB-SmolLM3-3B": "only the text of an answer is rendered",
    "LFM2-8B-A1B": "only the text of an answer is rendered",
    "LFM2.5-Instruct": "only the text of an answer is rendered",
    "google-gemma-2-2b-it": "knows no tools",
    "ibm-granite-granite-3.3-2B-Instruct": "only the text of an answer is rendered",
    "llama-cpp-rwkv-world": "knows no tools",
    "microsoft-Phi-3.5-mini-instruct": "knows no tools",
}

ONE_CALL = "takes or renders one call only"
TEXT_ONLY = "renders the text instead of the calls"
TURN = "renders text and calls as two turns"
# Turns that a template does not render, or so that nobody could read the calls.
SPOILED = {
    "GigaChat3-10B-A1.8B": {"parallel": ONE_CALL, "all": ONE_CALL},
    "GigaChat3.1-10B-A1.8B": {"parallel": ONE_CALL, "all": ONE_CALL},
    "LFM2.5-8B-A1B": {"strings": "quotes inside of quotes are not escaped"},
    "MiniMax-M3": {"typed": "nulls are left out, and an empty object is written as an empty string is"},
    "NVIDIA-Nemotron-Nano-v2": {"text": TURN, "all": TURN},
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": {
        "parallel": "the turn ends behind the second call and the third comes after it",
        "text": TEXT_ONLY, "all": TEXT_ONLY,
    },
    "llama-cpp-deepseek-r1": {"text": TEXT_ONLY, "all": TEXT_ONLY},
    "meta-llama-Llama-3.1-8B-Instruct": {"parallel": ONE_CALL, "all": ONE_CALL},
    "meta-llama-Llama-3.2-3B-Instruct": {"parallel": ONE_CALL, "all": ONE_CALL},
    "meta-llama-Llama-3.3-70B-Instruct": {"parallel": ONE_CALL, "all": ONE_CALL},
    "openai-gpt-oss-120b": {"parallel": ONE_CALL, "all": "takes text or thinking beside a call, not both"},
}  # fmt: skip

# Templates that render the text beside a call as thinking.
TEXT_IS_THINKING = {"openai-gpt-oss-120b"}


def described(**schema: Any) -> dict[str, Any]:
    return {"description": "A word on it.", **schema}


PROPERTIES = {
    "port": described(type="string"),
    "to": described(type="string"),
    "cars": described(type="integer"),
    "price": described(type="number"),
    "night": described(type="boolean"),
    "discount": described(type=["number", "null"]),
    "tags": described(type="array", items={"type": "string"}),
    "options": described(type="object", properties={}),
}
TOOLS: Tools = [
    {"name": "find_ferry", "description": "Finds a ferry.", "input_schema": {"type": "object", "properties": PROPERTIES}},
    {"name": "list_ports", "description": "Lists ports.", "input_schema": {"type": "object", "properties": {}}},
]
ASKED: list[Message] = [{"role": "user", "content": "Is there a ferry?"}]
TEXT, THOUGHT = "I look it up.", "First the port, then the time."


@dataclass
class Turn:
    """An answer that a model gave."""

    inputs: list[tuple[str, dict[str, Any]]]
    text: str = ""
    thinking: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def expect(self, template: str, written: str) -> dict[str, Any]:
        """What must come back, as far as the template has said it."""
        text = self.text if self.text in written else ""
        thinking = self.thinking if self.thinking in written else ""
        if template in TEXT_IS_THINKING:
            text, thinking = "", thinking or text
        calls = [{"name": name, "input": input} for name, input in self.inputs]
        return {"text": text, "thinking": thinking or None, "calls": calls}

    def messages(self) -> list[Message]:
        """The forms in which templates want it, those that most want first."""
        calls, decoded, encoded = [], self.inputs, [(name, json.dumps(input)) for name, input in self.inputs]
        for inputs in (decoded, encoded):
            # Mistral's templates take ids of nine characters and no others.
            calls.append([
                {"id": f"abcdefgh{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for at, (name, arguments) in enumerate(inputs)
            ])
        thoughts: list[Message] = [{}]
        if self.thinking:
            parts = [{"type": "thinking", "thinking": self.thinking}, {"type": "text", "text": self.text}]
            thoughts = [{key: self.thinking for key in ("reasoning_content", "reasoning", "thinking")}]
            thoughts.append({"content": [part for part in parts if part[part["type"]]]})
        return [
            {"role": "assistant", "content": content, "tool_calls": some, **thought}
            for thought in thoughts
            for some in calls
            for content in ([self.text] if self.text else ["", None])
        ]


FERRY = ("find_ferry", {"port": "Ancona", "cars": 2})
TYPED = {
    "port": "Ancona", "cars": -2, "price": 12.5, "night": True, "discount": None, "tags": ["a", "b c"],
    "options": {"deck": {"level": 3, "seats": [1, 2.5, "x"]}, "pets": False, "note": None, "empty": {}},
}  # fmt: skip
STRINGS = {
    "port": "He said \"go\"\n  and 'went' \\ off\tto Größe — 海 🚢: {x}, [y], <b>z</b> & 100%",
    "tags": ['"', "'", "\n"],
}
THINKS = {"enable_thinking": True, "thinking": True}
TURNS = {
    "one": Turn([FERRY]),
    "parallel": Turn([FERRY, ("list_ports", {}), ("find_ferry", {"port": "Bari"})]),
    "text": Turn([FERRY], text=TEXT),
    "typed": Turn([("find_ferry", TYPED)]),
    "strings": Turn([("find_ferry", STRINGS)]),
    "lookalikes": Turn([("find_ferry", {"port": "true", "to": "08", "tags": ["1", "null"]})]),
    "empty": Turn([("list_ports", {})]),
    "thinking": Turn([FERRY], thinking=THOUGHT, options=THINKS),
    "all": Turn([FERRY, FERRY], TEXT, THOUGHT, THINKS),
}


def functions(plain: bool) -> Tools:
    """The tools as chat completions have them; plain for templates that cannot print all schemas."""
    made = []
    for tool in TOOLS:
        schema = dict(tool["input_schema"])
        if plain:
            schema["properties"] = {name: described(type="string") for name in schema["properties"]}
        made.append({"type": "function", "function": {**tool, "parameters": schema}})
    return made


def written(template: ChatTemplate, turn: Turn) -> Written | None:
    """What the model would have written: of the forms in which the template takes it the one that it says most of."""
    best, most = None, -1
    names = [name for name, _ in turn.inputs]
    for tools in (functions(plain=False), functions(plain=True)):
        for message in turn.messages():
            try:
                made = template.written(ASKED, message, tools, **turn.options)
            except Unrenderable:
                continue
            if any(made.text.count(name) < names.count(name) for name in names):
                continue
            # Printed as Python prints it, something has been taken for something else.
            is_clean = "{'" not in made.text.replace(STRINGS["port"], "") and "'thinking'" not in made.text
            has_thought = turn.thinking in made.text and '"thinking"' not in made.text
            if (said := 2 * is_clean + has_thought) > most:
                best, most = made, said
        if best is not None:
            break
    return best


@dataclass
class Outcome:
    """What has become of a turn."""

    fault: str | None
    """What is wrong with the answer that came back, if anything."""
    is_whole: bool = False
    """The template has said text and thinking, too."""


def outcome(template: ChatTemplate, turn: Turn) -> Outcome:
    made = written(template, turn)
    if made is None:
        return Outcome("not rendered")
    is_whole = turn.text in made.text and turn.thinking in made.text
    options = {"model": template.model, "tools": TOOLS, "prompt_opens_thinking": made.prompt_opens_thinking}
    whole = without_ids(anyclaude.parse_tools(made.text, **options))
    if found := fault(whole, turn.expect(template.name, made.text)):
        return Outcome(f"{found}\n    in {made.text!r}, {made.prompt_opens_thinking=}", is_whole)
    parser = anyclaude.ToolParser(**options)
    events = [event for character in made.text for event in parser.push(character)] + parser.finish()
    single = without_ids(collect(events))
    return Outcome(None if single == whole else f"by single characters: {single}\n    in {made.text!r}", is_whole)


@cache
def outcomes(name: str) -> dict[str, Outcome]:
    return {turn: outcome(ALL[name], TURNS[turn]) for turn in TURNS}


ALL = {template.name: template for template in templates()}


@pytest.mark.parametrize("name", ALL)
def test_calls_come_back(name: str, round_trips: list[str]) -> None:
    listed = SPOILED.get(name, {})
    if name in NO_CALLS:
        listed = dict.fromkeys(TURNS, NO_CALLS[name])
    found = outcomes(name)
    words = [
        "-" if turn in listed else "FAIL" if found[turn].fault else "ok" if found[turn].is_whole else "(ok)"
        for turn in TURNS
    ]
    round_trips.append(line(name, words))
    faults = [f"{turn}: {found[turn].fault}" for turn in TURNS if found[turn].fault and turn not in listed]
    assert not faults, "\n".join(faults)
    passing = [turn for turn in listed if found[turn].fault is None]
    assert not passing, f"listed, but right: {passing}"


def test_most_templates_render_calls(round_trips: list[str]) -> None:
    assert NO_CALLS.keys() | SPOILED.keys() | TEXT_IS_THINKING <= ALL.keys()
    rendering = [name for name in ALL if outcomes(name)["one"].fault != "not rendered"]
    assert len(rendering) == len(ALL) - len(NO_CALLS) and len(rendering) >= 55
    right = [sum(outcomes(name)[turn].fault is None for name in ALL) for turn in TURNS]
    whole = [sum(outcomes(name)[turn].is_whole for name in ALL) for turn in TURNS]
    assert min(whole) >= 25, whole
    # In brackets: the template leaves text or thinking out, so there are only the calls to come back.
    round_trips.insert(0, line(f"{len(rendering)} of {len(ALL)} templates render calls", TURNS))
    round_trips.append(line(f"right: {sum(right)} of {len(rendering) * len(TURNS)}", right))
    round_trips.append(line("rendered with text and thinking", whole))


def line(head: object, cells: Iterable[object]) -> str:
    return f"{head:50}" + "".join(f"{cell:>11}" for cell in cells)
