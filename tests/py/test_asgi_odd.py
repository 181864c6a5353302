"""`anyclaude.asgi.AnthropicMiddleware` among apps, servers and middlewares that behave as few do."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
from collections.abc import Awaitable
from typing import Any

import pytest

import anyclaude
import anyclaude.asgi
from anyclaude.asgi import AnthropicMiddleware, Refusal
from asgi_host import REQUEST, STOP, Host, Server, answer, begin, chunk, streams

HELLO = streams(chunk(content="Hello"), STOP)


async def in_time(run: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(run, 10)


def test_a_refused_parameter_is_left_out_though_the_app_raises(caplog: pytest.LogCaptureFixture) -> None:
    """As Starlette does, which answers 500 and raises what led to it."""

    async def chat(tries: int, receive: Any, send: Any) -> None:
        if tries == 1:
            await answer(send, 400, {"error": {"message": "Unrecognized request argument: stream_options"}})
            raise KeyError("boom")
        await HELLO(tries, receive, send)

    server = Server(chat)
    with caplog.at_level(logging.WARNING, "anyclaude"):
        host = asyncio.run(Host(AnthropicMiddleware(server)).run())
    assert host.text() == "Hello" and host.ended and len(server.bodies) == 2
    assert "raised KeyError after its refusal" in caplog.text


def test_a_receive_that_never_waits_leaves_the_loop_running() -> None:
    """As that of middlewares that read the body and give it again and again."""

    async def run() -> Host:
        host = Host(AnthropicMiddleware(Server(HELLO)))
        body = b"".join(host.pieces)
        calls = 0

        async def receive() -> dict[str, Any]:
            nonlocal calls
            calls += 1
            assert calls < 1000, "the loop is held"
            return {"type": "http.request", "body": body, "more_body": False}

        host.receive = receive  # type: ignore[method-assign]
        return await host.run()

    assert asyncio.run(run()).text() == "Hello"


def test_a_cancelled_request_leaves_no_exception_behind(caplog: pytest.LogCaptureFixture) -> None:
    async def chat(_try: int, _receive: Any, _send: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("on the way out")

    async def run() -> None:
        nonlocal started
        started = asyncio.Event()
        task = asyncio.ensure_future(Host(AnthropicMiddleware(Server(chat))).run())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()
        await asyncio.sleep(0)

    started: asyncio.Event
    asyncio.run(run())
    assert "never retrieved" not in caplog.text


def test_a_request_that_is_cancelled_twice_is_brought_to_its_end() -> None:
    """The second time comes while the app is on its way out."""
    ended: list[bool] = []

    async def chat(_try: int, _receive: Any, _send: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            leaving.set()
            await asyncio.sleep(0.05)

    class Watched:
        """The API, which tells of the end of an exchange."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def exchange(self, *given: Any) -> Any:
            return Watched(self.inner.exchange(*given))

        def end(self) -> Any:
            ended.append(True)
            return self.inner.end()

    async def run() -> None:
        nonlocal started, leaving
        started, leaving = asyncio.Event(), asyncio.Event()
        middleware = AnthropicMiddleware(Server(chat), models_path=None)
        middleware.api = Watched(middleware.api)  # type: ignore[assignment]
        host = Host(middleware)
        task = asyncio.ensure_future(middleware(host.scope, host.receive, host.send))
        await in_time(started.wait())
        task.cancel()
        await in_time(leaving.wait())
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)

    started: asyncio.Event
    leaving: asyncio.Event
    asyncio.run(run())
    assert ended == [True]


@pytest.mark.parametrize("manner", ["sends", "ignores"])
def test_an_app_that_goes_on_after_its_error_is_stopped(manner: str) -> None:
    stopped: list[str] = []

    async def chat(_try: int, _receive: Any, send: Any) -> None:
        await begin(send)
        try:
            for data in (chunk(content="Hel"), b'data: {"error":{"message":"out of memory"}}\n\n'):
                await send({"type": "http.response.body", "body": data, "more_body": True})
            while True:
                await asyncio.sleep(0.01)
                if manner == "sends":
                    await send({"type": "http.response.body", "body": chunk(content="x"), "more_body": True})
        except (OSError, asyncio.CancelledError) as error:
            stopped.append(type(error).__name__)
            raise

    host = Host(AnthropicMiddleware(Server(chat)))
    asyncio.run(in_time(host.run()))
    assert host.ended and "out of memory" in host.events[-1]["error"]["message"]
    assert stopped == ["ClientGone" if manner == "sends" else "CancelledError"]


def test_what_an_app_does_after_an_answer_that_is_an_error_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyclaude._conversation.DISCONNECT_GRACE", 0.01)
    done: list[bool] = []

    async def chat(_try: int, receive: Any, send: Any) -> None:
        await streams(chunk(content="Hel"))(1, receive, send)
        await asyncio.sleep(0.1)
        done.append(True)

    host = Host(AnthropicMiddleware(Server(chat), ping_interval=0.01))
    asyncio.run(in_time(host.run()))
    assert host.kinds()[-1] == "error" and done == [True]


@pytest.mark.parametrize("kind", [memoryview, bytearray])
def test_bodies_of_other_types(kind: Any) -> None:
    app = streams(kind(chunk(content="Hello")), kind(STOP))
    host = Host(AnthropicMiddleware(Server(app)))
    host.pieces = [kind(piece) for piece in host.pieces]
    asyncio.run(host.run())
    assert host.text() == "Hello"


@pytest.mark.parametrize("comment", [b": keepalive\n\n", b": a\r\n\r\n: b\r\n\r\n", b"\n\n"])
def test_comments_are_no_tokens(comment: bytes) -> None:
    async def chat(_try: int, _receive: Any, send: Any) -> None:
        await begin(send)
        await send({"type": "http.response.body", "body": chunk(content="Hel"), "more_body": True})
        while True:
            await send({"type": "http.response.body", "body": comment, "more_body": True})
            await asyncio.sleep(0.02)

    host = Host(AnthropicMiddleware(Server(chat), stall_timeout=0.2))
    asyncio.run(in_time(host.run()))
    assert "silent for 0.2 s" in host.events[-1]["error"]["message"]


def test_a_list_of_models_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anyclaude.asgi, "_MODELS_PATIENCE", 0.1)
    lists = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal lists
        if scope["path"] == "/v1/models":
            lists += 1
            while True:  # nor can it be stopped
                try:
                    await going_on.wait()
                    return
                except asyncio.CancelledError:
                    pass
        await Server(HELLO)(scope, receive, send)

    async def run() -> None:
        nonlocal going_on
        going_on = asyncio.Event()
        middleware = AnthropicMiddleware(app)
        # One that leaves does not end it for the others.
        gone = asyncio.ensure_future(Host(middleware).run())
        others = [asyncio.ensure_future(Host(middleware).run()) for _ in range(3)]
        await asyncio.sleep(0.02)
        gone.cancel()
        assert [host.text() for host in await asyncio.gather(*others)] == ["Hello"] * 3
        # The core would ask again after some seconds.
        middleware.api = type(middleware.api)('{"backend": "openai"}')
        assert (await Host(middleware).run()).text() == "Hello"
        going_on.set()
        await asyncio.gather(gone, return_exceptions=True)

    going_on: asyncio.Event
    asyncio.run(in_time(run()))
    assert lists == 1


@pytest.mark.parametrize("path", ["/llm/v1/messages", "/v1/messages"])
def test_a_root_with_a_slash_at_its_end(path: str) -> None:
    server = Server(HELLO)
    host = asyncio.run(Host(AnthropicMiddleware(server), path=path, root_path="/llm/").run())
    assert host.text() == "Hello" and server.scopes[0]["root_path"] == "/llm"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("body", [REQUEST, b"{"], ids=["request", "nonsense"])
def test_who_may_not_ask_gets_no_answer(path: str, body: Any) -> None:
    seen: list[tuple[str, Any]] = []

    async def authorize(scope: Any) -> Refusal | None:
        key = dict(scope["headers"]).get(b"authorization")
        seen.append((scope["path"], key))
        return None if key == b"Bearer good" else Refusal(429 if key else 401, "not you", "7" if key else None)

    async def run() -> None:
        for key, status in ((None, 401), (b"bad", 429), (b"good", 400 if body == b"{" else 200)):
            headers = [] if key is None else [(b"x-api-key", key)]
            host = await Host(middleware, body, path=path, headers=headers).run()
            assert host.status == status
            if status in (401, 429):
                assert host.json["error"]["message"] == "not you" and host.json["request_id"]
                assert host.headers.get("retry-after") == (None if key is None else "7")
                assert host.headers["content-length"] == str(len(host.body))

    middleware = AnthropicMiddleware(Server(HELLO), authorize=authorize)
    asyncio.run(run())
    assert seen == [(path, None), (path, b"Bearer bad"), (path, b"Bearer good")]


WRONG: list[tuple[str, Any]] = [
    *(("ping_interval", value) for value in ("5s", 0, -1, math.nan, math.inf, None, True)),
    *(("commit_after", value) for value in (-1, None, "1", math.nan)),
    *(("stall_timeout", value) for value in (0, -1, math.nan, "never")),
    *(("max_body_bytes", value) for value in (0, -1, 1.5, "1MB", None)),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_times_that_make_no_sense(name: str, value: Any) -> None:
    with pytest.raises(anyclaude.ConfigError, match=f"^{name}: expected a number of .* not {value!r}$") as raised:
        AnthropicMiddleware(Server(HELLO), **{name: value})
    assert raised.value.kind == "config"


def test_times_at_their_edges() -> None:
    host = Host(AnthropicMiddleware(Server(HELLO), commit_after=0, stall_timeout=None, max_body_bytes=1 << 60))
    assert asyncio.run(host.run()).text() == "Hello"
