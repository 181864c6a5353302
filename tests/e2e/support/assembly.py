"""Answers of the Messages API, checked as strictly as the strictest client does."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# Types that Anthropic's errors have; a client decides by them.
ERROR_TYPES = {
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
    "request_too_large", "rate_limit_error", "api_error", "overloaded_error", "timeout_error",
}


@dataclass
class Reply:
    """An answer to POST /v1/messages, stream or not, after all that is true of every answer was checked."""

    status: int
    headers: Mapping[str, str]
    events: list[dict] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    message: dict | None = None
    error: dict | None = None
    cut: str | None = None

    @property
    def blocks(self) -> list[dict]:
        return self.message["content"] if self.message else []

    @property
    def text(self) -> str:
        return "".join(block["text"] for block in self.blocks if block["type"] == "text")

    @property
    def stop_reason(self) -> str | None:
        return self.message["stop_reason"] if self.message else None

    @property
    def names(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def ended(self) -> bool:
        """Was a complete message delivered?"""
        return bool(self.message) and self.error is None and (not self.events or self.names[-1] == "message_stop")

    @property
    def tools(self) -> list[tuple[str, dict]]:
        return [(block["name"], block["input"]) for block in self.blocks if block["type"] == "tool_use"]


def frames(lines: Iterable[str]):
    """The events of a stream; each must have its `event:` line, and nothing may follow that is no event."""
    name = None
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            assert line != "data: [DONE]", "[DONE] is OpenAI's"
            event = json.loads(line.removeprefix("data: "))
            assert event["type"] == name, f"event line {name!r} with type {event['type']!r}"
            name = None
            yield event
        else:
            assert line == "" or line.startswith(":"), f"stray line {line!r}"


def check_error(body: dict) -> dict:
    assert body.get("type") == "error", body
    assert body["error"]["type"] in ERROR_TYPES, body
    assert body["error"]["message"], body
    return body["error"]


def check_usage(usage: dict) -> None:
    for key in ("input_tokens", "output_tokens"):
        assert isinstance(usage[key], int) and usage[key] >= 0, usage


def check_message(message: dict) -> dict:
    assert (message["type"], message["role"]) == ("message", "assistant")
    assert message["id"] and message["model"]
    assert "stop_sequence" in message
    check_usage(message["usage"])
    return message


class Assembly:
    """Builds the message from its events, and insists on their order."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.open: dict | None = None
        self.arguments = ""
        self.over = False

    def run(self) -> None:
        for event in self.reply.events:
            assert not self.over, f"{event['type']} after the end"
            assert self.reply.error is None, f"{event['type']} after an error"
            getattr(self, event["type"])(event)

    def message_start(self, event: dict) -> None:
        assert self.reply.message is None, "two message_start"
        message = check_message(event["message"])
        assert message["content"] == [] and message["stop_reason"] is None
        self.reply.message = {**message, "content": []}

    def ping(self, _event: dict) -> None:
        pass

    def content_block_start(self, event: dict) -> None:
        assert self.open is None, "two open blocks"
        assert event["index"] == len(self.reply.message["content"]), "indices have a gap"
        block = dict(event["content_block"])
        empty = {"text": {"text": ""}, "thinking": {"thinking": ""}, "tool_use": {"input": {}}}[block["type"]]
        assert all(block.get(key) == value for key, value in empty.items()), f"block starts with {block}"
        if block["type"] == "tool_use":
            assert block["id"] and block["name"]
        self.open, self.arguments = block, ""
        self.reply.message["content"].append(block)

    def content_block_delta(self, event: dict) -> None:
        assert self.open is not None and event["index"] == len(self.reply.message["content"]) - 1
        delta = event["delta"]
        if delta["type"] == "input_json_delta":
            assert self.open["type"] == "tool_use"
            self.arguments += delta["partial_json"]
        elif delta["type"] == "signature_delta":
            assert self.open["type"] == "thinking"
            self.open["signature"] = delta["signature"]
        else:
            key = {"text_delta": "text", "thinking_delta": "thinking"}[delta["type"]]
            assert self.open["type"] == key
            self.open[key] += delta[key]

    def content_block_stop(self, event: dict) -> None:
        assert self.open is not None and event["index"] == len(self.reply.message["content"]) - 1
        if self.open["type"] == "tool_use":
            self.open["raw"] = self.arguments
            try:
                self.open["input"] = json.loads(self.arguments or "{}")
            except ValueError:
                self.open["input"] = None
        self.open = None

    def message_delta(self, event: dict) -> None:
        assert self.open is None, "message_delta inside a block"
        check_usage(event["usage"])
        message = self.reply.message
        message["stop_reason"] = event["delta"]["stop_reason"]
        message["usage"] = {**message["usage"], **event["usage"]}
        if message["stop_reason"] == "tool_use":
            assert self.reply.tools, "tool_use without a call"

    def message_stop(self, _event: dict) -> None:
        assert self.reply.message["stop_reason"], "message_stop without a stop_reason"
        self.over = True

    def error(self, event: dict) -> None:
        self.reply.error = check_error(event)
