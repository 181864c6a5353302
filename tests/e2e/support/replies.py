"""What the scripted backend can answer: whole answers, statuses, and answers that break in a chosen way.

A reply is a function of the request, so that one script serves the stream and its non-stream retry alike.
"""

import itertools
import json
from dataclasses import dataclass, field

from .http1 import Connection, Request

EVENT_STREAM = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
FOREVER = 600.0


@dataclass
class Answer:
    """A good answer. `tools` are (name, arguments) pairs; arguments may be raw text to test broken ones."""

    text: str = ""
    thinking: str = ""
    tools: list[tuple[str, dict | str]] = field(default_factory=list)
    finish: str | None = None
    usage: dict | None = field(default_factory=lambda: usage(1200, 40))
    first_byte_after: float = 0.0
    pieces: int = 3
    # Ids are unique over a test run: a repeated one would make a client drop the second call.
    number: int = field(default_factory=itertools.count(1).__next__)

    async def play(self, connection: Connection, request: Request) -> None:
        await connection.pause(self.first_byte_after)
        if not request.json.get("stream"):
            return await Status(200, self.completion()).play(connection, request)
        connection.head(200, EVENT_STREAM)
        for data in self.chunks():
            connection.chunk(data)
            await connection.pause(0)
        connection.chunk(b"data: [DONE]\n\n")
        connection.chunk(b"")

    def calls(self) -> list[dict]:
        raw = [(name, given if isinstance(given, str) else json.dumps(given)) for name, given in self.tools]
        return [
            {"id": f"call_{self.number}_{index}", "type": "function", "function": {"name": name, "arguments": text}}
            for index, (name, text) in enumerate(raw)
        ]

    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if self.tools else "stop")

    def completion(self) -> dict:
        message = {"role": "assistant", "content": self.text or None}
        if self.thinking:
            message["reasoning_content"] = self.thinking
        if self.tools:
            message["tool_calls"] = self.calls()
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason()}
        return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "scripted",
                "choices": [choice], "usage": self.usage}

    def chunks(self) -> list[bytes]:
        deltas: list[dict] = [{"role": "assistant"}]
        deltas += [{"reasoning_content": piece} for piece in cut(self.thinking, self.pieces)]
        deltas += [{"content": piece} for piece in cut(self.text, self.pieces)]
        for index, call in enumerate(self.calls()):
            start = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
            deltas.append({"tool_calls": [start]})
            for piece in cut(call["function"]["arguments"], self.pieces):
                deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        frames = [delta_frame(delta) for delta in deltas]
        frames.append(delta_frame({}, self.finish_reason()))
        if self.usage is not None:
            frames.append(frame({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [],
                                 "usage": self.usage}))
        return frames


@dataclass
class Status:
    """One complete body with any status."""

    code: int
    body: dict | str | bytes
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0

    async def play(self, connection: Connection, _request: Request) -> None:
        await connection.pause(self.after)
        if isinstance(self.body, dict):
            body, kind = json.dumps(self.body).encode(), "application/json"
        else:
            body, kind = self.body if isinstance(self.body, bytes) else self.body.encode(), "text/html"
        connection.head(self.code, {"content-type": kind, "content-length": str(len(body)), **self.headers})
        connection.send(body)


@dataclass
class Steps:
    """An answer as a list of steps: bytes to send in a chunk, seconds to wait, or how to end."""

    steps: list[bytes | float | str]
    head: bool = True

    async def play(self, connection: Connection, _request: Request) -> None:
        if self.head:
            connection.head(200, EVENT_STREAM)
        for step in self.steps:
            if isinstance(step, bytes):
                connection.chunk(step)
            elif isinstance(step, float | int):
                await connection.pause(step)
            elif step == "end":
                connection.chunk(b"")
            elif step == "reset":
                await connection.pause(0.05)  # let what was sent arrive: a reset may discard it
                connection.reset()
            elif step == "close":
                connection.close()
            elif step == "stall":
                await connection.pause(FOREVER)
            else:
                raise ValueError(f"unknown step {step!r}")


Reply = Answer | Status | Steps


def error(code: int, message: str, kind: str = "invalid_request_error", **headers: str) -> Status:
    """An error in OpenAI's shape."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    return Status(code, body, {name.replace("_", "-"): value for name, value in headers.items()})


def frame(chunk: dict) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


def delta_frame(delta: dict, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return frame({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
                  "choices": [choice]})


def usage(prompt: int, completion: int, cached: int = 0) -> dict:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached}}


def cut(text: str, pieces: int) -> list[str]:
    """Cut text into about `pieces` parts."""
    size = max(1, -(-len(text) // pieces))
    return [text[at : at + size] for at in range(0, len(text), size)]
