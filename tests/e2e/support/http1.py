"""Just enough HTTP/1.1 for a server that may do anything a real one should not: stop, reset, cut, lie.

One `Connection` is one TCP connection. It keeps reading while an answer is written, so that it knows at
which moment the other side went away.
"""

import asyncio
import json
import socket
import struct
import time
from dataclasses import dataclass, field


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    arrived: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)  # the header lines as they came

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class Gone(Exception):
    """The other side closed the connection."""


class Connection(asyncio.Protocol):
    def __init__(self, serve) -> None:
        self._serve = serve
        self._bytes = bytearray()
        self._news = asyncio.Event()
        self.gone_at: float | None = None

    # ---- asyncio.Protocol

    def connection_made(self, transport) -> None:
        self.transport = transport
        self._task = asyncio.ensure_future(self._serve(self))

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        self._news.set()

    def eof_received(self) -> bool:
        self._left()
        return True  # keep our side open: whether to answer is the script's business

    def connection_lost(self, _error) -> None:
        self._left()

    def _left(self) -> None:
        self.gone_at = self.gone_at or time.monotonic()
        self._news.set()

    # ---- reading

    async def request(self) -> Request:
        """The next request, or `Gone`."""
        head = await self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _version = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if "chunked" in headers.get("transfer-encoding", ""):
            body = await self._chunked()
        else:
            body = await self._exactly(int(headers.get("content-length", 0)))
        return Request(method, path, headers, body, lines=lines)

    async def _chunked(self) -> bytes:
        body = b""
        while True:
            size = int((await self._until(b"\r\n")).split(b";")[0], 16)
            body += await self._exactly(size)
            await self._until(b"\r\n")
            if size == 0:
                return body

    async def _until(self, mark: bytes) -> bytes:
        while (end := self._bytes.find(mark)) < 0:
            await self._more()
        found = bytes(self._bytes[:end])
        del self._bytes[: end + len(mark)]
        return found

    async def _exactly(self, size: int) -> bytes:
        while len(self._bytes) < size:
            await self._more()
        found = bytes(self._bytes[:size])
        del self._bytes[:size]
        return found

    async def _more(self) -> None:
        if self.gone_at:
            raise Gone
        self._news.clear()
        await self._news.wait()

    # ---- writing

    def send(self, data: bytes) -> None:
        if self.transport.is_closing():
            raise Gone
        self.transport.write(data)

    def head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        """One chunk of a chunked body; an empty one ends it."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def pause(self, seconds: float) -> None:
        """Wait, but raise `Gone` as soon as the other side leaves."""
        await asyncio.sleep(0)
        deadline = time.monotonic() + seconds
        while not self.gone_at and (left := deadline - time.monotonic()) > 0:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                return
            except asyncio.TimeoutError:  # its own class before Python 3.11
                return
        if self.gone_at:
            raise Gone

    def reset(self) -> None:
        """End the connection with a TCP reset instead of a FIN."""
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def close(self) -> None:
        self.transport.close()
