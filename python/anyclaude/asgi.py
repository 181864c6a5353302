"""The Messages API inside of an ASGI server that has ``/v1/chat/completions``.

``AnthropicMiddleware`` answers ``POST /v1/messages`` and ``POST /v1/messages/count_tokens`` by calling the same
app's ``/v1/chat/completions`` in process: there is no socket, no thread and no second copy of the answer. It needs
no framework, and goes around or into any::

    app.add_middleware(AnthropicMiddleware, backend="vllm-mlx")  # FastAPI, Starlette
    app = AnthropicMiddleware(app)                               # anything else

Middlewares that add to answers (CORS, compression) go around this one: in frameworks they are added after it.

It runs on asyncio, as uvicorn, hypercorn and granian do by default; not on trio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import quote

from ._conversation import ASGIApp, Conversation, Message, Receive, Scope, Send, send_reply, take_result
from ._native import COMMIT_AFTER, MAX_BODY_BYTES, PING_INTERVAL, STALL_TIMEOUT, Reply
from ._options import Options, messages_api
from ._timing import checked

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._conversation import Headers
    from ._native import Exchange, MessagesApi

__all__ = [
    "ASGIApp",
    "AnthropicMiddleware",
    "Authorize",
    "Message",
    "Options",
    "Receive",
    "Refusal",
    "Scope",
    "Send",
]

MESSAGES = "/v1/messages"
COUNT_TOKENS = "/v1/messages/count_tokens"

# Headers of the client's request that do not hold for the one that the app gets. Without `accept-encoding` it has no
# reason to compress what is read here.
_DROPPED = frozenset(
    (b"accept", b"accept-encoding", b"content-encoding", b"content-length", b"content-type", b"expect")
    + (b"transfer-encoding",)
)

# How long the app may take to list its models, in seconds: the client waits meanwhile.
_MODELS_PATIENCE = 2.0

# How long an app that did not list its models in that time is not asked again, in seconds.
_MODELS_PAUSE = 60.0

# A list of models is some kilobytes.
_MAX_LIST_BYTES = 1 << 20


class Refusal(NamedTuple):
    """What a client is told that may not ask."""

    status: int
    """The HTTP status: 401, 403, 429."""
    message: str
    retry_after: str | None = None
    """The header of this name."""


Authorize: TypeAlias = Callable[[Scope], Awaitable["Refusal | None"]]
"""Looks at a request before its body is read; ``None`` lets it pass."""


class AnthropicMiddleware:
    """Takes the paths of the Messages API, and hands everything else to the app as it is."""

    def __init__(
        self,
        app: ASGIApp,
        backend: str = "openai",
        *,
        chat_path: str = "/v1/chat/completions",
        models_path: str | None = "/v1/models",
        commit_after: float = COMMIT_AFTER,
        ping_interval: float = PING_INTERVAL,
        stall_timeout: float | None = STALL_TIMEOUT,
        max_body_bytes: int = MAX_BODY_BYTES,
        authorize: Authorize | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Wraps an app.

        ``backend`` says how the app differs from OpenAI's reference: one of ``anyclaude``'s kinds of servers.
        ``chat_path`` and ``models_path`` are where it has what is called in it; without the latter it is never asked
        for its models. A stream's head is sent when the app accepts, or after ``commit_after`` seconds; until then
        errors keep their HTTP status. A silent stream gets a ping every ``ping_interval`` seconds, and ends in an
        error after ``stall_timeout`` seconds without a token in the middle of an answer (``None``: never). Larger
        requests than ``max_body_bytes`` are refused.

        What the app's route for chat completions demands (keys, rate limits) holds for messages too, as they go
        through it. Requests that are answered here do not reach it: counts of tokens, and those that make no sense.
        ``authorize`` is asked first, for all of them. It gets the scope with the client's path, and with the key of an
        ``x-api-key`` header as ``authorization: Bearer`` too.

        Raises ``ConfigError`` for a setting that is unknown or makes no sense.
        """
        self.app = app
        self.chat_path = chat_path
        self.models_path = models_path
        timing = checked(commit_after, ping_interval, stall_timeout, max_body_bytes)
        self.commit_after, self.ping_interval, self.stall_timeout, self.max_body_bytes = timing
        self.authorize = authorize
        self._asking: asyncio.Future[None] | None = None
        self._no_models_until = 0.0
        self.api: MessagesApi = messages_api(backend, options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        prefix, path = _split_path(scope)
        if path not in (MESSAGES, COUNT_TOKENS):
            return await self.app(scope, receive, send)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError("AnthropicMiddleware needs asyncio: run the server with its worker for that") from None
        if scope["method"] != "POST":
            return await send_reply(send, self.api.method_not_allowed(scope["method"], path), scope["method"])
        # Pairs may be lists by the ASGI specification.
        headers: Headers = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
        if self.authorize is not None:
            refusal = await self.authorize(_inner_scope(scope, prefix + path, "POST", headers))
            if refusal is not None:
                status, message, retry_after = refusal
                more = [] if retry_after is None else [(b"retry-after", retry_after.encode("latin-1", "replace"))]
                return await send_reply(send, self.api.error(status, message), more=more)
        body = await self._read(receive)
        if body is None:
            return None
        begun = await self._begin(scope, prefix, path, headers, body)
        if isinstance(begun, Reply):
            return await send_reply(send, begun)
        inner = _inner_scope(scope, prefix + self.chat_path, "POST", headers)
        if await Conversation(self, inner, begun, receive, send).run() and isinstance(body, bytes):
            self.answered(scope, body)
        return None

    def answered(self, scope: Scope, body: bytes) -> None:
        """The app has answered a request for a message with this body, and with no error."""

    async def _begin(
        self, scope: Scope, prefix: str, path: str, headers: Headers, body: bytes | Reply
    ) -> Exchange | Reply:
        if isinstance(body, Reply):
            return body
        if path == COUNT_TOKENS:
            return self.api.count_tokens(headers, body)
        begun = self.api.exchange(headers, body)
        if isinstance(begun, Reply) or self.models_path is None or not self.api.wants_models(begun):
            return begun
        await self._learn_models(_inner_scope(scope, prefix + self.models_path, "GET", headers))
        return self.api.exchange(headers, body)

    async def _learn_models(self, scope: Scope) -> None:
        """One request asks for all that wait, and none does for a while after the app has left one waiting."""
        asking = self._asking
        if asking is None or asking.done() or asking.get_loop() is not asyncio.get_running_loop():
            if monotonic() < self._no_models_until:
                return
            asking = self._asking = asyncio.ensure_future(self.tell_models(scope))
            asking.add_done_callback(take_result)
        # Who leaves meanwhile does not end it for the others.
        await asyncio.wait({asking})

    async def tell_models(self, scope: Scope) -> None:
        """Tells ``api`` of the app's models: by its list, which ``scope`` is a request for."""
        self.api.told_list(await self._list_models(scope))

    async def _read(self, receive: Receive) -> bytes | Reply | None:
        """The request's body, the answer to one that is too large, or ``None`` when the client has gone."""
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            piece = bytes(message.get("body", b""))
            size += len(piece)
            if size > self.max_body_bytes:
                return self.api.error(413, f"the request body is larger than {self.max_body_bytes} bytes (max_body_bytes)")
            pieces.append(piece)
            if not message.get("more_body", False):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _list_models(self, scope: Scope) -> bytes | None:
        """What the app says of its models, if it does."""
        asked = False
        answered = False
        answer = bytearray()

        async def receive() -> Message:
            nonlocal asked
            if asked:
                await asyncio.get_running_loop().create_future()  # nobody goes away
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"] == 200
            elif message["type"] == "http.response.body" and len(answer) < _MAX_LIST_BYTES:
                answer.extend(message.get("body", b""))

        app = asyncio.ensure_future(self.app(scope, receive, send))
        app.add_done_callback(take_result)
        try:
            await asyncio.wait({app}, timeout=_MODELS_PATIENCE)
        finally:
            app.cancel()  # and is not waited for: it may refuse to end
        if not app.done():
            self._no_models_until = monotonic() + _MODELS_PAUSE
            return None
        # Whatever keeps an app from telling, the request goes on without.
        return bytes(answer) if answered and not app.cancelled() and app.exception() is None else None


def _split_path(scope: Scope) -> tuple[str, str]:
    """What the app is mounted under, and the path below that."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    # A server that keeps to the letter has the root in the path, others leave it out.
    prefix = root if root and path.startswith(root + "/") else ""
    return prefix, path[len(prefix) :].rstrip("/")


def _inner_scope(scope: Scope, path: str, method: str, headers: Headers) -> dict[str, Any]:
    """The scope of the request that the app gets; ``Conversation`` adds the length of its body."""
    kept = [(name, value) for name, value in headers if name.lower() not in _DROPPED]
    names = {name.lower() for name, _ in kept}
    key = next((value for name, value in kept if name.lower() == b"x-api-key"), None)
    if key is not None and b"authorization" not in names:
        # Where Anthropic's clients put the key, OpenAI's servers do not look.
        kept.append((b"authorization", b"Bearer " + key))
    return {
        **scope,
        # Frameworks cut it off from the path as it stands here.
        "root_path": scope.get("root_path", "").rstrip("/"),
        "method": method,
        "path": path,
        "raw_path": quote(path).encode("ascii"),
        "query_string": b"",
        "headers": kept,
        # What the server could do for the app (files sent by path, trailers) is for the bytes that it sends itself.
        "extensions": {},
    }
