"""A server that passes on what its model writes, calls and all, as text in odd pieces."""

import itertools
import json
from dataclasses import dataclass

from .http1 import Connection, Request
from .replies import EVENT_STREAM, Status, usage
from .text_calls import Call

# A server that cuts its answer anywhere: markers, escapes and names come apart.
ODD = (1, 2, 7, 3, 5, 1, 4, 6)


@dataclass
class Text:
    """An answer whose text comes in odd pieces. `escape` as servers in Go do it: `<` is \\u003c in their JSON."""

    text: str
    thinking: str = ""
    finish: str = "stop"
    escape: bool = False
    sizes: tuple[int, ...] = ODD
    native: tuple[Call, ...] = ()
    after: str = ""

    async def play(self, connection: Connection, request: Request) -> None:
        if not request.json.get("stream"):
            message = {"role": "assistant", "content": self.text + self.after}
            choice = {"index": 0, "message": message, "finish_reason": self.finish}
            body = {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage(1200, 40)}
            answer = Status(200, self.encode(body), {"content-type": "application/json"})
            return await answer.play(connection, request)
        connection.head(200, EVENT_STREAM)
        for delta, finish in self.deltas():
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            connection.chunk(b"data: " + self.encode({"id": "c", "choices": [choice]}) + b"\n\n")
        end = {"id": "c", "choices": [], "usage": usage(1200, 40)}
        connection.chunk(b"data: " + self.encode(end) + b"\n\n")
        connection.chunk(b"data: [DONE]\n\n")
        connection.chunk(b"")

    def deltas(self):
        yield {"role": "assistant", "content": ""}, None
        for piece in odd(self.thinking, self.sizes):
            yield {"reasoning_content": piece}, None
        for piece in odd(self.text, self.sizes):
            yield {"content": piece}, None
        for index, (name, arguments) in enumerate(self.native):
            function = {"name": name, "arguments": json.dumps(arguments)}
            yield {"tool_calls": [{"index": index, "id": f"n{id(self)}{index}", "type": "function",
                                   "function": function}]}, None
        for piece in odd(self.after, self.sizes):
            yield {"content": piece}, None
        yield {}, self.finish

    def encode(self, value: dict) -> bytes:
        text = json.dumps(value, ensure_ascii=False)
        if self.escape:
            for char in "<>&":
                text = text.replace(char, f"\\u{ord(char):04x}")
        return text.encode()


def odd(text: str, sizes: tuple[int, ...]):
    """The text in pieces of these sizes, over and over."""
    size, at = itertools.cycle(sizes), 0
    while at < len(text):
        end = at + next(size)
        yield text[at:end]
        at = end


def models(name: str) -> Status:
    """A list of models with nothing but a name in it."""
    return Status(200, {"object": "list", "data": [{"id": name, "object": "model"}]})
