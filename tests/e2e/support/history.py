"""Questions about what the backend received over several requests."""

import json

from .backend import Exchange


def sent(exchange: Exchange, role: str) -> list[str]:
    """All text of one role's messages, one string a message."""
    return [text_of(message) for message in exchange.messages if message["role"] == role]


def text_of(message: dict) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content if part["type"] == "text")


def parts(exchange: Exchange, kind: str) -> list[dict]:
    """All content parts of one type, in order."""
    return [
        part
        for message in exchange.messages if isinstance(message.get("content"), list)
        for part in message["content"] if part["type"] == kind
    ]


def assert_grows(earlier: Exchange, later: Exchange) -> None:
    """The earlier request is a prefix of the later one, byte for byte: the backend's KV cache can be used."""
    for index, message in enumerate(earlier.messages):
        before, after = json.dumps(message), json.dumps(later.messages[index])
        assert before == after, f"messages[{index}] changed:\n{before[-1500:]}\n{after[-1500:]}"
    assert len(later.messages) > len(earlier.messages)


def assert_same_tools(earlier: Exchange, later: Exchange) -> None:
    assert json.dumps(earlier.body.get("tools")) == json.dumps(later.body.get("tools")), "the tools changed"
