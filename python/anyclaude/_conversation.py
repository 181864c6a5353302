"""One request's way through an ASGI app and back. What it says is decided in ``_native``; here time is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import monotonic
from typing import Any, Protocol, TypeAlias

from ._native import MAX_ANSWER_BYTES, MAX_ERROR_BYTES, Exchange, Reply
from ._timing import ERROR_EVENT, has_news

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

logger = logging.getLogger("anyclaude")

# Keeps a clock that is a hair early from spinning, in seconds.
MIN_SLEEP = 0.001

# The longest pause between two looks at a client whose server says again and again that nothing has happened.
MAX_PAUSE = 1.0

# How long an app that has been told that the client is gone may take to stop by itself, in seconds.
DISCONNECT_GRACE = 1.0

# How long a cancelled app is waited for, in seconds; one that refuses to end must not hold the connection.
CANCEL_PATIENCE = 5.0


class ClientGone(OSError):
    """What an app gets that goes on sending to a client that has gone, as the ASGI specification has it."""


class Settings(Protocol):
    """What a conversation looks up in its middleware."""

    app: ASGIApp
    commit_after: float
    ping_interval: float
    stall_timeout: float | None


async def send_reply(send: Send, reply: Reply, method: str = "POST", more: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Sends a whole answer."""
    headers = [*reply.headers, *more, (b"content-length", str(len(reply.body)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else reply.body})


def take_result(task: asyncio.Future[Any]) -> None:
    """For tasks that may end when nobody looks at them any more: asyncio would complain of their exceptions."""
    if not task.cancelled():
        task.exception()


class Conversation:
    """Runs the app until it has answered, the client has gone, or it has been silent for too long."""

    def __init__(self, settings: Settings, scope: Scope, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._settings = settings
        self._scope = scope
        self._exchange = exchange
        self._client_receive = receive
        self._client_send = send
        self._stream = exchange.stream
        self._call = Call(exchange.body)
        self._clock: asyncio.Future[None] | None = None
        self._writing = asyncio.Lock()
        self._has_head = False
        self._is_over = False
        self._is_gone = False
        self._last_write = self._last_byte = monotonic()

    async def run(self) -> bool:
        """Returns when the client has its answer and the app has ended; tells whether that is an answer, and no error.

        Raises what the app raises, after the client has been told.
        """
        helpers: set[asyncio.Future[None]] = {asyncio.ensure_future(self._watch())}
        if self._stream:
            self._clock = asyncio.ensure_future(self._keep_time())
            helpers.add(self._clock)
        try:
            while await self._try(helpers) and not self._is_gone:
                self._call = Call(self._exchange.body)
        finally:
            for helper in helpers:
                helper.cancel()
            # Before anything is waited for, which may be cancelled once more.
            for line in self._exchange.end():
                logger.warning("%s", line)
            ends = await asyncio.gather(*helpers, return_exceptions=True)
        for error in ends:
            if isinstance(error, Exception) and not isinstance(error, OSError):
                raise error
        call = self._call
        is_answer = call.status == 200 and call.broken is None and not call.has_failed
        return call.has_answered and is_answer and not self._is_gone

    async def _try(self, helpers: set[asyncio.Future[None]]) -> bool:
        """Calls the app once; true if it is to be called again."""
        call = self._call
        app = asyncio.ensure_future(self._settings.app(call.scope(self._scope), call.receive, self._send))
        app.add_done_callback(take_result)
        try:
            await asyncio.wait({app, *helpers}, return_when=asyncio.FIRST_COMPLETED)
            if not app.done() and self._is_over and call.has_answered:
                await asyncio.wait({app})  # what an app does after its answer is its own business
            elif not app.done():
                self._leave()
                await asyncio.wait({app}, timeout=DISCONNECT_GRACE)
        finally:
            if not app.done():
                app.cancel()
                await asyncio.wait({app}, timeout=CANCEL_PATIENCE)
        error = app.exception() if app.done() and not app.cancelled() else None
        if self._is_gone:
            return False
        if call.again:
            if error is not None:  # some frameworks raise what they have answered already
                logger.warning("the server raised %s after its refusal", type(error).__name__, exc_info=error)
            return True
        if not self._is_over:
            await self._broken(error)
        if error is not None:
            raise error
        return False

    async def _watch(self) -> None:
        """Returns when the client has gone, or has its answer."""
        pause = MIN_SLEEP
        while (await self._client_receive())["type"] != "http.disconnect":
            # There is no more of the request; what says so without waiting must not keep the event loop to itself.
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)
        if not self._is_over:
            self._leave()

    def _leave(self) -> None:
        """Nobody waits for more."""
        self._is_gone = True
        self._call.leave()
        if self._clock is not None:
            self._clock.cancel()  # wakes who waits for the app

    async def _keep_time(self) -> None:
        """Sends the stream's head in time, and pings while the app is silent; returns when the answer is over."""
        await asyncio.sleep(self._settings.commit_after)
        if not self._has_head:
            await self._write(self._exchange.start())
        while not self._exchange.ended:
            patience = self._settings.stall_timeout if self._exchange.answering else None
            wake = self._last_write + self._settings.ping_interval
            if patience is not None:
                wake = min(wake, self._last_byte + patience)
            await asyncio.sleep(max(wake - monotonic(), MIN_SLEEP))
            now = monotonic()
            if self._writing.locked():
                self._last_write = self._last_byte = now  # it is the client that is slow
            elif self._exchange.ended:
                return
            elif patience is not None and now - self._last_byte >= patience:
                await self._write(self._exchange.fail(f"the server has been silent for {patience:g} s", 504))
            elif now - self._last_write >= self._settings.ping_interval:
                await self._write(self._exchange.tick())

    async def _send(self, message: Message) -> None:
        """Takes what the app sends, and sends on what that means."""
        if self._is_gone:
            raise ClientGone("the client has gone")
        call = self._call
        if message["type"] == "http.response.start":
            call.begin(self._exchange, message["status"], message.get("headers", ()))
            if call.read_as == "events":
                await self._write(self._exchange.start())
                self._last_byte = monotonic()
        elif message["type"] == "http.response.body":
            is_last = not message.get("more_body", False)
            data = bytes(message.get("body", b""))  # which may be any buffer by the servers that take it
            if call.read_as == "events":
                await self._events(data, is_last)
            else:
                call.keep(data)
                if is_last:
                    call.has_answered = True
                    await self._answer()
            if is_last:
                call.gone.set()  # as servers have it: after the answer there is nothing to receive

    async def _events(self, data: bytes, is_last: bool) -> None:
        out = self._exchange.push(data) if data else b""
        if is_last:
            out += self._exchange.finish()
        has_failed = self._exchange.ended and ERROR_EVENT in out
        self._call.has_failed = self._call.has_failed or has_failed
        self._call.has_answered = self._exchange.ended and (is_last or not has_failed)
        await self._write(out)
        if has_news(data):
            self._last_byte = monotonic()
        if has_failed and not is_last:
            self._leave()  # an app that goes on after its error works for nobody

    async def _answer(self) -> None:
        """The app's answer is there, and in one piece."""
        call, exchange = self._call, self._exchange
        if call.broken is not None:
            await self._reply(exchange.error(502, call.broken))
        elif call.read_as == "refusal":
            reply = exchange.refused(call.status, bytes(call.kept), call.content_type, call.retry_after)
            call.again = reply is None
            if reply is not None:
                await self._reply(reply)
        elif self._stream:
            await self._write(exchange.push_whole(bytes(call.kept)))
        else:
            await self._reply(exchange.message(bytes(call.kept)))

    async def _broken(self, error: BaseException | None) -> None:
        """The app has ended, and its answer has not."""
        read_as = self._call.read_as
        if not read_as and error is not None:
            # Its message may hold what is no client's business; it goes to the server's log.
            await self._reply(self._exchange.error(500, f"the server failed with {type(error).__name__}"))
        elif not read_as:
            await self._reply(self._exchange.error(502, "the server ended the request without an answer"))
        elif read_as == "events" and error is None:
            await self._write(self._exchange.finish())
        else:
            await self._reply(self._exchange.error(502, "the server broke off its answer"))

    async def _reply(self, reply: Reply) -> None:
        """Sends a whole answer; where a stream has begun, the error that it is."""
        async with self._writing:
            # The clock may have sent the stream's head while this waited.
            if not self._has_head:
                self._has_head = self._is_over = True
                try:
                    return await send_reply(self._client_send, reply)
                except OSError as error:
                    self._leave()
                    raise ClientGone("the client has gone") from error
        return await self._write(self._exchange.fail_with(reply))

    async def _write(self, data: bytes) -> None:
        """Sends events. Those who wait for the lock write in the order in which their events were made."""
        async with self._writing:
            if not data or self._is_over:
                return
            try:
                if not self._has_head:
                    self._has_head = True
                    head = self._exchange.head()
                    start = {"type": "http.response.start", "status": head.status, "headers": head.headers}
                    await self._client_send(start)
                self._is_over = self._exchange.ended
                await self._client_send({"type": "http.response.body", "body": data, "more_body": not self._is_over})
            except OSError as error:
                self._leave()
                raise ClientGone("the client has gone") from error
            self._last_write = monotonic()


class Call:
    """One call of the app: what it receives, and what it has answered so far."""

    def __init__(self, body: bytes) -> None:
        self.gone = asyncio.Event()
        # Some apps look for a server's flag of this name on what `receive` belongs to.
        self.disconnected = False
        self.read_as = ""
        self.status = 0
        self.content_type: str | None = None
        self.retry_after: str | None = None
        self.kept = bytearray()
        self.broken: str | None = None
        self.has_answered = False
        self.has_failed = False
        self.again = False
        self._size = len(body)
        self._unread: bytes | None = body

    def scope(self, scope: Scope) -> Scope:
        """The scope with what belongs to this body."""
        own = [(b"content-type", b"application/json"), (b"content-length", str(self._size).encode())]
        return {**scope, "headers": [*scope["headers"], *own]}

    async def receive(self) -> Message:
        """The request, then nothing until the client goes or has its answer."""
        if self._unread is not None:
            body, self._unread = self._unread, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        """The client has gone."""
        self.disconnected = True
        self.gone.set()

    def begin(self, exchange: Exchange, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """The head of its answer is there."""
        found = {bytes(name).lower(): bytes(value).decode("latin-1") for name, value in headers}
        self.status = status
        self.content_type = found.get(b"content-type")
        self.retry_after = found.get(b"retry-after")
        self.read_as = exchange.read_as(status, self.content_type or "")
        encoding = found.get(b"content-encoding", "identity")
        if encoding != "identity":
            self.read_as = "whole"
            self.broken = (
                f"the server compresses what it sends in its own process (content-encoding: {encoding}); put the "
                "middleware that compresses around AnthropicMiddleware, not into it"
            )

    def keep(self, data: bytes) -> None:
        """Takes a piece of an answer that is read whole."""
        if self.read_as == "refusal":
            self.kept += data[: MAX_ERROR_BYTES - len(self.kept)]
        elif len(self.kept) + len(data) > MAX_ANSWER_BYTES:
            self.broken = f"the server's answer is larger than {MAX_ANSWER_BYTES} bytes"
        else:
            self.kept += data
