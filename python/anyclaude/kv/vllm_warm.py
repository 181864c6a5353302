"""How a running vllm-mlx is asked for a message by its own process, for prompts that are warmed up."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
from collections.abc import Callable
from typing import Any

from .warm import LOOK_EVERY, Ask, NotComputed

WARM_UP = "anyclaude.warm_up"
"""What marks the scope of such a request."""


def asking(
    app: Any,
    path: str,
    key: Callable[[], str | None],
    model: Callable[[], str | None],
    loop: asyncio.AbstractEventLoop,
) -> Ask:
    """Asks an ASGI app that runs in ``loop``, by all of its own way: keys, limits and queues hold as for clients.

    ``key`` tells the server's key, ``model`` the name of its model, which goes before that of the body; ``None`` where
    there are several. Raises what the check raises, and ``NotComputed`` with the app's status.
    """

    def ask(body: bytes, check: Callable[[], None]) -> None:
        leaves = asyncio.Event()
        name = model()
        if name is not None:  # what is noted of the last session may be of another one
            body = json.dumps({**json.loads(body), "model": name}).encode()
        answer = asyncio.run_coroutine_threadsafe(_post(app, path, key(), body, leaves), loop)
        while True:
            try:
                status = answer.result(LOOK_EVERY)
            except concurrent.futures.TimeoutError:
                if answer.done():  # by Python 3.11 the app's own error may be of this class
                    raise
                try:
                    check()
                except BaseException:
                    # As a client does: the server ends what it is at by itself.
                    loop.call_soon_threadsafe(leaves.set)
                    raise
            else:
                if status != 200:
                    raise NotComputed(f"refused ({status})")
                return

    return ask


async def _post(app: Any, path: str, key: str | None, body: bytes, leaves: asyncio.Event) -> int:
    """The status of the answer."""
    sent: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
    status = 0

    async def receive() -> dict[str, Any]:
        if sent:
            return sent.pop()
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if key is not None:
        headers.append((b"authorization", b"Bearer " + key.encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": headers, "client": ("warm-up", 0), "server": ("localhost", 0), "state": {}, WARM_UP: True,
    }  # fmt: skip
    await app(scope, receive, send)
    return status
