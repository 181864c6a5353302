"""What is known of one request's prompt, on its way between the parts of a server that know nothing of each other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any, TypeAlias

_Message: TypeAlias = MutableMapping[str, Any]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]


class Note:
    """One for each request."""

    def __init__(self) -> None:
        self.prefix: str | None = None
        """The text of system prompt and tools, with which the prompt begins."""
        self.cached: int | None = None
        """Tokens of the prompt that were taken from the cache; ``None`` as long as nobody has looked."""
        self.written = 0
        """Tokens of the prompt that were computed for this request and are in the cache now."""
        self.is_gone = False
        """Nobody waits for the answer any more."""


NOTE: ContextVar[Note | None] = ContextVar("anyclaude_note", default=None)
"""That of the request which the running task or thread is at."""

# The servers' usage, as they write it. Within a text of JSON the quotes have backslashes before them.
_USAGE = re.compile(
    rb'"usage":\s*\{\s*"prompt_tokens":\s*(\d+),\s*"completion_tokens":\s*\d+,\s*"total_tokens":\s*\d+(?=\s*\})'
)


class CountedUsage:
    """Adds ``prompt_tokens_details`` to the usage in an ASGI app's answers, where the app says nothing of its cache.

    Each event of a stream comes whole in one message, as frameworks send what an app gives them.
    """

    def __init__(self, app: Any, path: str) -> None:
        """``path`` is that of the chat completions."""
        self._app = app
        self._path = path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].rstrip("/").endswith(self._path):
            await self._app(scope, receive, send)
            return
        note = Note()
        token = NOTE.set(note)

        async def received() -> _Message:
            message: _Message = await receive()
            note.is_gone = note.is_gone or message["type"] == "http.disconnect"
            return message

        app = asyncio.ensure_future(self._app(scope, received, _Counting(note, send).send))
        NOTE.reset(token)
        try:
            # A cancellation is seen here at once. What the app does about it may take as long as a prompt is read.
            await asyncio.shield(app)
        except asyncio.CancelledError:
            note.is_gone = True
            app.cancel()
            await app
            raise


class _Counting:
    """One answer. A stream goes on as it comes; one that has told its length is whole before it does."""

    def __init__(self, note: Note, send: _Send) -> None:
        self._note = note
        self._send = send
        self._start: _Message | None = None
        self._pieces: list[bytes] = []

    async def send(self, message: _Message) -> None:
        if message["type"] == "http.response.start" and _length(message) is not None:
            self._start = message  # the length changes with the body
        elif message["type"] != "http.response.body":
            await self._send(message)
        elif self._start is None:
            await self._send({**message, "body": self._counted(message.get("body", b""))})
        else:
            self._pieces.append(message.get("body", b""))
            if not message.get("more_body", False):
                start, self._start = self._start, None
                body = self._counted(b"".join(self._pieces))
                headers = [(name, value) for name, value in start["headers"] if name.lower() != _LENGTH]
                if body or _length(start) == b"0":
                    headers.append((_LENGTH, b"%d" % len(body)))
                else:  # an answer to HEAD, whose length is that of a body that is not sent
                    headers = start["headers"]
                await self._send({**start, "headers": headers})
                await self._send({**message, "body": body})

    def _counted(self, body: bytes) -> bytes:
        if self._note.cached is None or b'"usage"' not in body:
            return body
        return _USAGE.sub(self._details, body)

    def _details(self, found: re.Match[bytes]) -> bytes:
        prompt = int(found[1])
        # Servers may count a token less than they compute.
        cached = min(self._note.cached or 0, prompt)
        written = min(self._note.written, prompt - cached)
        return found[0] + b',"prompt_tokens_details":{"cached_tokens":%d,"cache_write_tokens":%d}' % (cached, written)


_LENGTH = b"content-length"


def _length(start: _Message) -> bytes | None:
    return next((value for name, value in start["headers"] if name.lower() == _LENGTH), None)
