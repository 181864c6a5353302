"""The scripted OpenAI server: answers by script, records everything, refuses what strict servers refuse."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from . import strict
from .http1 import Connection, Gone, Request
from .replies import Reply, Status, error

CHAT = "/v1/chat/completions"
MODELS = {"object": "list", "data": [{"id": "scripted", "object": "model", "created": 1, "owned_by": "tests"}]}

Script = list[Reply] | Callable[[Request, int], Reply]


@dataclass
class Exchange:
    """One chat request and what became of it."""

    request: Request
    finished: float | None = None
    client_left: float | None = None
    violations: list[str] = field(default_factory=list)

    @property
    def body(self) -> dict:
        return self.request.json

    @property
    def messages(self) -> list[dict]:
        return self.body["messages"]

    @property
    def tool_names(self) -> list[str]:
        return [tool["function"]["name"] for tool in self.body.get("tools", [])]


class Backend:
    """Runs on a thread of its own, so that plain tests and blocking clients can use it."""

    def __init__(self, port: int = 0) -> None:
        self.exchanges: list[Exchange] = []
        self.violations: list[str] = []
        self.others: list[Request] = []
        self.models: Reply = Status(200, MODELS)
        self._script: Script = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(self._listen(port))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *replies: Reply | Callable[[Request, int], Reply]) -> None:
        """What to answer: replies in turn, or one function of (request, number of the request)."""
        one = replies[0] if len(replies) == 1 else None
        self._script = one if callable(one) else list(replies)

    def other(self, request: Request) -> Reply | None:
        """The answer to what is no chat request."""
        if request.method == "GET":
            return self.models if request.path == "/v1/models" else error(404, "no such path")
        return None

    def check(self, request: Request) -> list[str]:
        """What is wrong with a chat request."""
        return strict.violations(request, CHAT)

    def wait_for(self, what: Callable[[], bool], seconds: float = 10) -> None:
        """Wait until something has happened on the server's side."""
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                raise AssertionError(f"did not happen within {seconds} s")
            time.sleep(0.01)

    def stop(self) -> None:
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    # ---- on the loop's thread

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self, port: int):
        return await self._loop.create_server(lambda: Connection(self._serve), "127.0.0.1", port)

    async def _shut(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, connection: Connection) -> None:
        try:
            while not connection.transport.is_closing():
                await self._answer(connection, await connection.request())
        except Gone:
            pass
        finally:
            connection.close()

    async def _answer(self, connection: Connection, request: Request) -> None:
        if reply := self.other(request):
            self.others.append(request)
            return await reply.play(connection, request)
        exchange = Exchange(request)
        exchange.violations = self.check(request)
        if exchange.violations:
            self.violations += exchange.violations
            return await error(400, "; ".join(exchange.violations)).play(connection, request)
        number = len(self.exchanges)
        self.exchanges.append(exchange)
        try:
            await self._reply(request, number).play(connection, request)
        except Gone:
            exchange.client_left = connection.gone_at or time.monotonic()
            raise
        finally:
            exchange.finished = time.monotonic()

    def _reply(self, request: Request, number: int) -> Reply:
        if callable(self._script):
            return self._script(request, number)
        if number < len(self._script):
            return self._script[number]
        self.violations.append(f"request {number + 1}, but the script has {len(self._script)} replies")
        return error(400, "the script is over")
