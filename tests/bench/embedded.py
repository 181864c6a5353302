#!/usr/bin/env python3
"""What the Messages API costs inside a server, and as a proxy in front of it, on the same requests.

Run by `make bench-embedded` with the Python that the wheel is installed in. The app is no model: it sends a stream
of 100 tokens, all at once, or one each millisecond. Figures are medians, also as ratios to the app alone in the same
run; client and servers share the machine. Sent all at once, tokens are joined by the proxy, which saves writes; an app
whose tokens take time leaves it nothing to join.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyclaude
from anyclaude.asgi import AnthropicMiddleware

TOKENS = 100
ROUNDS = 5
PER_ROUND = 60
PACED_PER_ROUND = 15
PACE = 0.001
LARGE = 97_000

CHUNK = b'data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":" hello"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads what it is asked, and says the same every time."""
    if scope["type"] != "http":
        return
    if scope["path"].endswith("/v1/models"):
        await send({**HEAD, "headers": [(b"content-type", b"application/json")]})
        return await send({"type": "http.response.body", "body": b'{"data":[{"id":"m"}]}'})
    while (await receive()).get("more_body"):
        pass
    await send(HEAD)
    pace = PACE if scope["path"].startswith("/paced") else None
    for _ in range(TOKENS):
        if pace:
            await asyncio.sleep(pace)
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": STOP})


def request(size: int) -> dict[str, Any]:
    """A request of about so many bytes, most of them tools, as Claude Code's are."""
    question = {"role": "user", "content": "Say hello"}
    small: dict[str, Any] = {"model": "m", "max_tokens": 200, "stream": True, "messages": [question]}
    tool = {
        "name": "Tool",
        "description": "Does what it says. " * 60,
        "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
    }
    tools = [{**tool, "name": f"Tool{number}"} for number in range(size // len(json.dumps(tool)))]
    return {**small, "tools": tools} if tools else small


REQUESTS = {"small": request(0), "97 KB": request(LARGE)}


def serve(what: str) -> None:
    """In a process of its own: tells its URL, then its CPU time whenever it is asked."""
    if what == "app":
        import threading

        import uvicorn

        # asyncio switches the delay of small packets off only where the protocol is named.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        at_once = AnthropicMiddleware(app)
        paced = AnthropicMiddleware(app)

        async def both(scope: Any, receive: Any, send: Any) -> None:
            """Mounted as frameworks do it."""
            under = "/paced" if scope["path"].startswith("/paced") else ""
            await (paced if under else at_once)({**scope, "root_path": under}, receive, send)

        server = uvicorn.Server(uvicorn.Config(both, log_level="warning", lifespan="off"))
        threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        for _ in sys.stdin:
            print(time.process_time(), flush=True)
    else:
        with anyclaude.start_proxy(backend="openai", backend_url=what, port=0) as proxy:
            print(proxy.url, flush=True)
            for _ in sys.stdin:
                print(time.process_time(), flush=True)


class Child:
    """Such a process."""

    def __init__(self, what: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def cpu(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._line())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def connect(url: str) -> http.client.HTTPConnection:
    """Without the delay that the system adds to a small second packet."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def post(connection: http.client.HTTPConnection, path: str, body: bytes) -> tuple[float, float]:
    """Seconds until the first token is there, and until the answer has ended."""
    begun = time.perf_counter()
    connection.request("POST", path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    seen = b""
    while b" hello" not in seen:
        seen += answer.read1()
    first = time.perf_counter() - begun
    assert len(seen) + len(answer.read()) > 5000
    return first, time.perf_counter() - begun


def over_http(under: str) -> None:
    """Behind uvicorn: the app alone, the middleware in it, the proxy in front of it."""
    server = Child("app")
    proxy = Child(f"{server.url}{under}/v1")
    times = PACED_PER_ROUND if under else PER_ROUND
    try:
        for name, body in REQUESTS.items():
            chat = anyclaude.Translator().request(body).body
            asked = json.dumps(body).encode()
            ways = {
                "the app alone": (server.url, f"{under}/v1/chat/completions", chat, [server]),
                "with the middleware": (server.url, f"{under}/v1/messages", asked, [server]),
                "behind the proxy": (proxy.url, "/v1/messages", asked, [server, proxy]),
            }
            took: dict[str, list[float]] = {way: [] for way in ways}
            cpu: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, (url, path, data, children) in ways.items():
                    connection = connect(url)
                    post(connection, path, data)
                    before = sum(child.cpu() for child in children)
                    for _ in range(times):
                        first, whole = post(connection, path, data)
                        took[way].append(first if under else whole)
                    cpu[way].append((sum(child.cpu() for child in children) - before) / times)
                    connection.close()
            report(f"{name}, {'to first token' if under else 'all at once'}", took, cpu)
    finally:
        proxy.stop()
        server.stop()


async def in_process() -> None:
    """Without a server: calls of the app, and of the middleware around it."""
    middleware = AnthropicMiddleware(app)

    async def call(target: Callable[..., Awaitable[None]], path: str, body: bytes) -> int:
        gone = asyncio.Event()
        asked = False
        size = 0

        async def receive() -> Any:
            nonlocal asked
            if asked:
                await gone.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal size
            size += len(message.get("body", b""))

        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
        await target(scope, receive, send)
        return size

    for name, body in REQUESTS.items():
        chat = anyclaude.Translator().request(body).body
        ways: dict[str, Any] = {
            "the app alone": (app, "/v1/chat/completions", chat),
            "with the middleware": (middleware, "/v1/messages", json.dumps(body).encode()),
        }
        took: dict[str, list[float]] = {way: [] for way in ways}
        cpu: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, arguments in ways.items():
                assert await call(*arguments) > 5000
                before = time.process_time()
                for _ in range(PER_ROUND):
                    begun = time.perf_counter()
                    await call(*arguments)
                    took[way].append(time.perf_counter() - begun)
                cpu[way].append((time.process_time() - before) / PER_ROUND)
        report(f"{name}, all at once", took, cpu)


def report(title: str, took: dict[str, list[float]], cpu: dict[str, list[float]]) -> None:
    """Milliseconds, what is added to the app alone, and the ratio."""
    print(f"\n{title:24} {'latency':>12} {'added':>9} {'ratio':>7} {'CPU':>12} {'added':>9} {'ratio':>7}")
    base = None
    for way in took:
        now = statistics.median(took[way]) * 1e3, statistics.median(cpu[way]) * 1e3
        base = base or now
        columns = "".join(
            f" {value:9.3f} ms {value - alone:+9.3f} {value / alone:7.2f}" for value, alone in zip(now, base)
        )
        print(f"  {way:24}{columns}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1])
    else:
        print("in process, without a server")
        asyncio.run(in_process())
        print("\nbehind uvicorn")
        over_http("")
        print("\nbehind uvicorn, a token each millisecond")
        over_http("/paced")
