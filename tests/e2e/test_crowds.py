"""Many clients at once, and clients that misbehave: the proxy stays small, and everyone else is served."""

import asyncio
import json
import resource
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support import messages
from support.proxy import Proxy
from support.replies import delta_frame

IDLE, SILENT, DEAF = 2000, 1000, 8
FILES = 2 * IDLE + SILENT + 500
EVENT_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= FILES, f"the system allows {hard} open files only"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Light(asyncio.Protocol):
    """A backend that costs next to nothing per connection; the question says what it does."""

    open: set["Light"] = set()
    sent = 0

    def connection_made(self, transport) -> None:
        self.transport, self.buffer, self.pump = transport, b"", None
        self.open.add(self)

    def connection_lost(self, _error) -> None:
        self.open.discard(self)
        if self.pump:
            self.pump.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, mark, body = self.buffer.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        if not mark or len(body) < int(fields.get(b"content-length", 0)):
            return
        self.buffer = b""
        if head.startswith(b"GET"):
            answer = b'{"object": "list", "data": [{"id": "light", "object": "model"}]}'
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
                len(answer), answer))
            return
        self.transport.write(EVENT_STREAM + chunk(delta_frame({"content": "Once"})))
        if b"for ever" in body:
            self.flowing = asyncio.Event()
            self.flowing.set()
            self.pump = asyncio.ensure_future(self.flood())
        elif b"wait" not in body:
            self.transport.write(chunk(delta_frame({}, "stop") + b"data: [DONE]\n\n") + chunk(b""))

    def pause_writing(self) -> None:
        if self.pump:
            self.flowing.clear()

    def resume_writing(self) -> None:
        if self.pump:
            self.flowing.set()

    async def flood(self) -> None:
        piece = chunk(delta_frame({"content": "word " * 200}) * 16)
        while True:
            await self.flowing.wait()
            self.transport.write(piece)
            Light.sent += len(piece)
            await asyncio.sleep(0)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Client(asyncio.Protocol):
    """Sends a question and counts what comes; a deaf one never reads."""

    def __init__(self, question: bytes, *, deaf: bool = False) -> None:
        self.question, self.deaf = question, deaf
        self.seen = b""
        self.started, self.closed = asyncio.Event(), asyncio.Event()

    def connection_made(self, transport) -> None:
        self.transport = transport
        if self.deaf:
            transport.pause_reading()
        transport.write(self.question)

    def data_received(self, data: bytes) -> None:
        self.seen = (self.seen + data)[-3000:]
        if b"Once" in self.seen:
            self.started.set()

    def connection_lost(self, _error) -> None:
        self.closed.set()


def question(text: str) -> bytes:
    body = json.dumps(messages.request(text, stream=True)).encode()
    return (b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(body), body))


def run(scene, tmp_path, **flags) -> None:
    """Play a scene between clients and the light backend, with a proxy in between."""

    async def play() -> None:
        Light.open.clear()
        Light.sent = 0
        server = await asyncio.get_running_loop().create_server(Light, "127.0.0.1", 0, backlog=4096)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        proxy = await asyncio.to_thread(Proxy, tmp_path / "proxy.log", url, **flags)
        try:
            for _ in range(20):  # what is allocated once is allocated now
                await promptly(proxy)
            await scene(proxy)
        finally:
            server.close()
            assert await asyncio.to_thread(proxy.stop) == 0, proxy.errors()

    asyncio.run(play())


async def connect(proxy: Proxy, data: bytes, **kind) -> Client:
    where = urlsplit(proxy.url)
    _, client = await asyncio.get_running_loop().create_connection(
        lambda: Client(data, **kind), where.hostname, where.port)
    return client


async def promptly(proxy: Proxy, within: float = 1.0) -> None:
    """Another client is served meanwhile, as if nothing was."""
    start = time.monotonic()
    reply = await asyncio.to_thread(messages.post, proxy.url, messages.request("short"), stream=True)
    assert reply.text == "Once" and reply.ended
    assert time.monotonic() - start < within, "another client had to wait"


def memory(proxy: Proxy) -> int:
    """Resident KB."""
    status = Path(f"/proc/{proxy.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


async def until(what, seconds: float, name: str) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"{name}: not within {seconds} s"
        await asyncio.sleep(0.05)


def test_idle_streams(tmp_path):
    """Answers that have begun and go on some day: subagents, and sessions left open over lunch."""

    async def scene(proxy: Proxy) -> None:
        before = memory(proxy)
        clients: list[Client] = []
        for _ in range(IDLE // 100):
            batch = await asyncio.gather(*(connect(proxy, question("wait")) for _ in range(100)))
            await asyncio.gather(*(asyncio.wait_for(client.started.wait(), 20) for client in batch))
            clients += batch
        await promptly(proxy)
        await asyncio.sleep(3)  # pings for everyone, more than once
        grown = memory(proxy) - before
        print(f"{IDLE} streams: {before} KB and {grown} KB, {grown / IDLE:.1f} KB each")
        assert all(b"event: ping" in client.seen for client in clients)
        assert not any(client.closed.is_set() for client in clients)
        await promptly(proxy)
        assert grown / IDLE < 80
        for client in clients:
            client.transport.abort()
        await until(lambda: len(Light.open) < 10, 10, "the backend's connections are closed, too")
        await promptly(proxy)

    run(scene, tmp_path, ping_interval="1s", stall_timeout="off")


def test_clients_that_never_read(tmp_path):
    """The backend has to wait for them, and not the proxy's memory."""

    async def scene(proxy: Proxy) -> None:
        before = memory(proxy)
        clients = [await connect(proxy, question("for ever"), deaf=True) for _ in range(DEAF)]
        await until(lambda: Light.sent > 100_000, 10, "the flood")
        quiet = 0
        while quiet < 10:  # until the flood stands still for a second
            sent = Light.sent
            await asyncio.sleep(0.1)
            quiet = quiet + 1 if Light.sent == sent else 0
            assert Light.sent < DEAF * 40_000_000, "someone takes it all, and keeps it"
        grown = memory(proxy) - before
        print(f"{DEAF} deaf clients: {before} KB and {grown} KB; the backend sent {Light.sent} bytes")
        await promptly(proxy)
        assert grown / DEAF < 1500
        for client in clients:
            client.transport.abort()
        await until(lambda: len(Light.open) < 10, 10, "the backend's connections are closed, too")

    run(scene, tmp_path, stall_timeout="off")


def test_connections_that_say_nothing(tmp_path):
    async def scene(proxy: Proxy) -> None:
        before = memory(proxy)
        clients = [await connect(proxy, b"") for _ in range(SILENT)]
        await promptly(proxy)
        grown = memory(proxy) - before
        print(f"{SILENT} silent connections: {before} KB and {grown} KB, {grown / SILENT:.1f} KB each")
        assert grown / SILENT < 40
        await asyncio.wait_for(asyncio.gather(*(client.closed.wait() for client in clients)), 20)
        await promptly(proxy)

    run(scene, tmp_path, header_timeout="4s")


@pytest.mark.parametrize("part", ["head", "body"])
def test_one_byte_a_second(tmp_path, part):
    """The time for a part of the request is one for all of it: a byte now and then does not make it longer."""

    async def scene(proxy: Proxy) -> None:
        whole = question("short")
        at = 40 if part == "head" else whole.index(b"\r\n\r\n") + 10
        clients = [await connect(proxy, whole[:at]) for _ in range(50)]
        start = time.monotonic()
        while not all(client.closed.is_set() for client in clients):
            for client in clients:
                client.transport.write(whole[at : at + 1])
            at += 1
            await asyncio.sleep(1)
            await promptly(proxy)
            assert time.monotonic() - start < 12, "they hold the proxy's connections for ever"
        assert time.monotonic() - start > 2
        answered = [client.seen for client in clients if client.seen]
        assert all(b" 408 " in seen.split(b"\r\n")[0] for seen in answered), answered[:1]

    run(scene, tmp_path, header_timeout="3s", body_timeout="3s")


def test_large_bodies_at_once(tmp_path):
    """16 prompts of 4 MB: the memory they took is given back, or at least used again."""

    async def scene(proxy: Proxy) -> None:
        body = messages.request("x" * 4_000_000)

        async def all_at_once() -> int:
            replies = await asyncio.gather(*(
                asyncio.to_thread(messages.post, proxy.url, body, stream=True) for _ in range(16)))
            assert all(reply.text == "Once" for reply in replies)
            return memory(proxy)

        first = await all_at_once()
        for _ in range(3):
            last = await all_at_once()
        print(f"after 16 large bodies {first} KB, after 64 {last} KB")
        assert last < 1.3 * first + 20_000

    run(scene, tmp_path)
