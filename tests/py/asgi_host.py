"""An ASGI server's part and a model server's, both scripted, for tests of the middleware."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

App = Callable[..., Awaitable[None]]

REQUEST: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "stream": True,
    "messages": [{"role": "user", "content": "Say hello"}],
}


def chunk(**delta: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "Bash", "arguments": '{"command":"ls"}'}}
CALLED = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'


@dataclass
class Server:
    """The app: answers `/v1/chat/completions` by `chat`, all other paths with their own name."""

    chat: App
    models: list[str] = field(default_factory=lambda: ["tiny"])
    bodies: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    lists: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await send({"type": f"{scope['type']}.seen"})
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path == "/v1/models":
            self.lists += 1
            return await answer(send, 200, {"data": [{"id": name} for name in self.models]})
        if path != "/v1/chat/completions":
            return await answer(send, 418, path)
        body = (await receive())["body"]
        self.bodies.append(json.loads(body))
        self.scopes.append(scope)
        headers = dict(scope["headers"])
        assert headers[b"content-length"] == str(len(body)).encode()
        await self.chat(len(self.bodies), receive, send)


async def answer(send: Any, status: int, body: Any, content_type: str = "application/json", **headers: str) -> None:
    pairs = [(b"content-type", content_type.encode())]
    pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    await send({"type": "http.response.body", "body": data})


async def begin(send: Any) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


def streams(*chunks: bytes) -> App:
    """An app that sends these, one message each."""

    async def chat(_try: int, _receive: Any, send: Any) -> None:
        await begin(send)
        for data in chunks:
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return chat


class Host:
    """One request to an app, as a server makes it: gives the body, then waits; collects what the app sends."""

    def __init__(self, app: App, body: Any = None, path: str = "/v1/messages", **scope: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(REQUEST if body is None else body).encode()
        self.app = app
        self.pieces = [data[at : at + 1000] for at in range(0, len(data), 1000)] or [b""]
        self.gone = asyncio.Event()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.bodies: list[bytes] = []
        self.times: list[float] = []
        self.ended = False
        self.arrived = asyncio.Condition()
        self.scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
            "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"beta=true", "root_path": "",
            "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9), "extensions": {"x": {}},
            "headers": [(b"x-api-key", b"key"), (b"content-length", str(len(data)).encode()),
                        (b"accept-encoding", b"gzip")],
            **scope,
        }

    async def run(self) -> Host:
        await asyncio.wait_for(self.app(self.scope, self.receive, self.send), 20)
        return self

    async def receive(self) -> dict[str, Any]:
        if self.pieces:
            return {"type": "http.request", "body": self.pieces.pop(0), "more_body": bool(self.pieces)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        assert not self.ended, f"after the end: {message}"
        if message["type"] == "http.response.start":
            assert not self.status, "a second head"
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            assert self.status, "a body before the head"
            self.bodies.append(message["body"])
            self.times.append(asyncio.get_running_loop().time())
            if not message.get("more_body", False):
                self.ended = True
                self.gone.set()  # as uvicorn has it: after the answer, a disconnect
        async with self.arrived:
            self.arrived.notify_all()

    async def until(self, ready: Callable[[Host], bool]) -> None:
        async with self.arrived:
            await asyncio.wait_for(self.arrived.wait_for(lambda: ready(self)), 10)

    @property
    def body(self) -> bytes:
        return b"".join(self.bodies)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = self.body.decode().split("\n")
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def text(self, kind: str = "text") -> str:
        deltas = [event["delta"] for event in self.events if event["type"] == "content_block_delta"]
        return "".join(delta.get(kind, "") for delta in deltas)
