"""What ``ToolParser`` and ``parse_tools`` give: plain dicts, told apart by their ``type``."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Union


class TextEvent(TypedDict):
    """More text."""

    type: Literal["text"]
    text: str


class ThinkingEvent(TypedDict):
    """More thinking."""

    type: Literal["thinking"]
    thinking: str


class ToolStartEvent(TypedDict):
    """A call of this tool begins."""

    type: Literal["tool_start"]
    id: str
    name: str


class ToolArgsEvent(TypedDict):
    """More of the call's arguments: all of them together are a JSON object, none at all an empty one."""

    type: Literal["tool_args"]
    json: str


class ToolEndEvent(TypedDict):
    """The call is complete."""

    type: Literal["tool_end"]


ToolEvent = Union[TextEvent, ThinkingEvent, ToolStartEvent, ToolArgsEvent, ToolEndEvent]
"""What a parser gives. A call that has started ends before anything else comes."""


class ToolCall(TypedDict):
    """A call of a tool."""

    id: str
    name: str
    input: dict[str, Any]


class ParsedAnswer(TypedDict):
    """A whole answer."""

    text: str
    thinking: str | None
    calls: list[ToolCall]
