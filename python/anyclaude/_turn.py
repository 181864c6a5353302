"""One request's way through a handler of ``http.server`` and back. What it says is decided in ``_native``."""

from __future__ import annotations

import io
import logging
import socket
import threading
from collections.abc import Iterator
from http.client import responses
from time import monotonic
from typing import Any, Protocol

from ._native import MAX_ANSWER_BYTES, MAX_ERROR_BYTES, Exchange, Reply
from ._timing import ERROR_EVENT, has_news

logger = logging.getLogger("anyclaude")

# How often it is looked whether the client is still there, in seconds. A token takes about as long.
LOOK_EVERY = 0.2

# Keeps a clock whose time has come from spinning, in seconds.
MIN_SLEEP = 0.001


class ClientGone(ConnectionError):
    """Ends what works for a client that has gone."""


class Settings(Protocol):
    """What a turn looks up in its door."""

    inner: Any
    commit_after: float
    ping_interval: float
    stall_timeout: float | None


def send_reply(handler: Any, reply: Reply) -> None:
    """Sends a whole answer, with the server's own headers for web pages."""
    send_head(handler, reply, ("Content-Length", str(len(reply.body))))
    handler.wfile.write(reply.body)
    handler.wfile.flush()


def send_head(handler: Any, reply: Reply, *more: tuple[str, str]) -> None:
    """Sends status and headers."""
    handler.send_response(reply.status, responses.get(reply.status, ""))
    for name, value in reply.headers:
        handler.send_header(name.decode("latin-1"), value.decode("latin-1"))
    for own, text in more:
        handler.send_header(own, text)
    handler.send_header("Connection", "close")
    handler._set_cors_headers()
    handler.end_headers()


class Turn:
    """Calls the server's own handling of chat completions until it has answered."""

    def __init__(self, settings: Settings, handler: Any, exchange: Exchange, path: str) -> None:
        self._settings = settings
        self._handler = handler
        self._exchange = exchange
        self._path = path
        self._stream = exchange.stream
        self._is_chunked = handler.protocol_version == "HTTP/1.1"
        self._call = Call()
        self._writing = threading.RLock()
        self._over = threading.Event()
        self._has_head = False
        self._has_failed = False
        self._is_gone = False
        self._begun = self._last_write = self._last_byte = monotonic()

    def run(self) -> None:
        """Returns when the client has its answer.

        Raises ``ConnectionError`` when the client has gone, and what the server raises.
        """
        clock = threading.Thread(target=self._keep_time, name="anyclaude-clock", daemon=True)
        clock.start()
        try:
            while self._try():
                self._call = Call()
        finally:
            self._over.set()
            clock.join()
            for line in self._exchange.end():
                logger.warning("%s", line)

    def check(self) -> None:
        """Raises when nobody waits for more."""
        if self._is_gone:
            raise ClientGone("the client has gone")

    def _try(self) -> bool:
        """Calls the handler once; true if it is to be called again."""
        call = self._call
        inner = self._settings.inner.around(self, self._handler, self._path, self._exchange.body)
        try:
            inner.do_POST()
        except Exception as error:
            self._broken(error)
            if isinstance(error, ConnectionError):
                return False
            raise
        if self._is_gone or self._over.is_set():
            return False
        if not call.read_as:
            self._reply(self._exchange.error(502, "the server ended the request without an answer"))
        elif call.read_as == "events":
            self._write(lambda: self._exchange.finish())
        elif call.read_as == "refusal":
            reply = self._exchange.refused(call.status, bytes(call.kept), call.content_type)
            if reply is None:
                return True
            self._reply(reply)
        elif self._stream:
            self._write(lambda: self._exchange.push_whole(bytes(call.kept)))
        else:
            self._reply(self._exchange.message(bytes(call.kept)))
        return False

    def _broken(self, error: Exception) -> None:
        """The server has failed."""
        if self._is_gone or self._over.is_set():
            return
        # Its message may hold what is no client's business; it goes to the server's log.
        what = f"the server failed with {type(error).__name__}"
        self._reply(self._exchange.error(502 if self._call.read_as else 500, what))

    def begin(self, status: int, headers: dict[str, str]) -> None:
        """The head of the server's answer is there."""
        self._call.begin(self._exchange, status, headers)
        if self._call.read_as == "events":
            self._write(self._exchange.start)
            self._last_byte = monotonic()

    def take(self, data: bytes) -> None:
        """More of the server's answer is there."""
        self.check()
        if self._over.is_set():
            return  # what comes after the last event says nothing
        if self._call.read_as == "events":
            self._write(lambda: self._exchange.push(data))
            if has_news(data):
                self._last_byte = monotonic()
            if self._exchange.ended and self._has_failed:
                self._is_gone = True  # to the server: what goes on after its error works for nobody
                self.check()
        else:
            self._call.keep(data)

    def _reply(self, reply: Reply) -> None:
        """Sends a whole answer; where a stream has begun, the error that it is."""
        with self._writing:
            if self._has_head:
                return self._write(lambda: self._exchange.fail_with(reply))
            self._has_head = True
            self._over.set()
            try:
                send_reply(self._handler, reply)
            except OSError as error:
                self._leave(error)

    def _write(self, make: Any) -> None:
        """Makes events and sends them, in one step."""
        with self._writing:
            if self._over.is_set():
                return
            data: bytes = make()
            self._has_failed = ERROR_EVENT in data
            try:
                if not self._has_head:
                    self._has_head = True
                    chunked = (("Transfer-Encoding", "chunked"),) if self._is_chunked else ()
                    send_head(self._handler, self._exchange.head(), *chunked)
                if data:
                    self._send(data)
                    self._last_write = monotonic()
                if self._exchange.ended:
                    self._over.set()
                    if self._is_chunked:
                        self._send(b"")
            except OSError as error:
                self._leave(error)

    def _send(self, data: bytes) -> None:
        framed = b"%x\r\n%s\r\n" % (len(data), data) if self._is_chunked else data
        self._handler.wfile.write(framed)
        self._handler.wfile.flush()

    def _leave(self, error: OSError) -> None:
        self._is_gone = True
        raise ClientGone("the client has gone") from error

    def _keep_time(self) -> None:
        """Sends the stream's head in time, and pings while the server is silent; sees the client go."""
        until_head = max(min(LOOK_EVERY, self._settings.commit_after), MIN_SLEEP)
        while not self._over.wait(until_head if self._stream and not self._has_head else LOOK_EVERY):
            if has_left(self._handler.connection):
                self._is_gone = True
                return
            if self._stream and self._writing.acquire(blocking=False):  # else a slow client has the word
                try:
                    self._on_time()
                except ClientGone:
                    return
                finally:
                    self._writing.release()

    def _on_time(self) -> None:
        now = monotonic()
        patience = self._settings.stall_timeout
        if not self._has_head:
            if now - self._begun >= self._settings.commit_after:
                self._write(self._exchange.start)
        elif patience is not None and self._exchange.answering and now - self._last_byte >= patience:
            self._write(lambda: self._exchange.fail(f"the server has been silent for {patience:g} s", 504))
            self._is_gone = True  # to the server
        elif now - self._last_write >= self._settings.ping_interval:
            self._write(self._exchange.tick)


class Call:
    """What one call of the handler has answered so far."""

    def __init__(self) -> None:
        self.read_as = ""
        self.status = 0
        self.content_type: str | None = None
        self.kept = bytearray()

    def begin(self, exchange: Exchange, status: int, headers: dict[str, str]) -> None:
        """The head is there."""
        self.status = status
        self.content_type = headers.get("content-type")
        self.read_as = exchange.read_as(status, self.content_type or "")

    def keep(self, data: bytes) -> None:
        """Takes a piece of an answer that is read whole."""
        limit = MAX_ERROR_BYTES if self.read_as == "refusal" else MAX_ANSWER_BYTES
        self.kept += data[: limit - len(self.kept)]


class InnerHandler:
    """What goes before the server's handler for a request that comes from here, and whose answer goes back here."""

    turn: Turn

    @classmethod
    def around(cls, turn: Turn, outer: Any, path: str, body: bytes) -> Any:
        """A handler that is in the middle of a POST of this body."""
        inner: Any = cls.__new__(cls)
        inner.__dict__.update(outer.__dict__)
        inner.turn, inner.command, inner.path = turn, "POST", path
        headers = type(outer.headers)()
        for name, value in outer.headers.items():
            if name.lower() not in ("content-length", "content-type", "content-encoding"):
                headers[name] = value
        headers["Content-Type"], headers["Content-Length"] = "application/json", str(len(body))
        inner.headers = headers
        inner.rfile, inner.wfile = io.BytesIO(body), Sink(turn)
        inner.response_generator = Watched(outer.response_generator, turn)
        return inner

    def send_response(self, code: int, message: str | None = None) -> None:
        self.answer_status = int(code)
        self.answer_headers: dict[str, str] = {}

    def send_header(self, keyword: str, value: str) -> None:
        self.answer_headers[keyword.lower()] = value

    def end_headers(self) -> None:
        self.turn.begin(self.answer_status, self.answer_headers)


def inner_handler(base: Any) -> Any:
    """The server's handler for such a request."""
    return type("InnerHandler", (InnerHandler, base), {})


class Sink(io.RawIOBase):
    """The file that the inner handler writes its answer to."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._turn.take(bytes(data))
        return len(data)


class Watched:
    """The server's generator, stopped between two tokens when the client goes."""

    def __init__(self, generator: Any, turn: Turn) -> None:
        self._generator = generator
        self._turn = turn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def generate(self, *arguments: Any, progress_callback: Any = None, **named: Any) -> Any:
        """As the server's own."""

        def progress(*done: Any) -> None:
            self._turn.check()
            if progress_callback is not None:
                progress_callback(*done)

        context, tokens = self._generator.generate(*arguments, progress_callback=progress, **named)
        try:
            self._turn.check()
        except BaseException:  # whatever says that nobody waits
            context.stop()
            raise
        return context, self._watched(tokens)

    def _watched(self, tokens: Iterator[Any]) -> Iterator[Any]:
        for token in tokens:
            self._turn.check()
            yield token


def has_left(connection: socket.socket) -> bool:
    """Whether the other side has closed. Bytes that have come early stay where they are."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
