"""`anyclaude.asgi.AnthropicMiddleware` around scripted apps."""

from __future__ import annotations

import asyncio
import functools
import gc
import gzip
import json
import logging
import re
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest

import anyclaude
from anyclaude.asgi import AnthropicMiddleware
from asgi_host import CALL, CALLED, REQUEST, STOP, App, Host, Server, answer, begin, chunk, streams
from corpus import Case, cases

HELLO = streams(chunk(role="assistant"), chunk(content="Hel"), chunk(content="lo"), STOP)
WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2},
}


def ask(chat: App, body: Any = None, backend: str = "openai", **options: Any) -> tuple[Server, Host]:
    """One request through a middleware of its own."""
    server = Server(chat)
    scope = {name: options.pop(name) for name in ("path", "method", "headers", "root_path") if name in options}

    async def run() -> Host:
        return await Host(AnthropicMiddleware(server, backend, **options), body, **scope).run()

    return server, asyncio.run(run())


def test_a_stream() -> None:
    server, host = ask(HELLO)
    assert host.status == 200 and host.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert host.headers["cache-control"] == "no-cache" and host.headers["request-id"].startswith("req_")
    assert host.kinds()[0] == "message_start" and host.kinds()[-1] == "message_stop"
    assert host.text() == "Hello" and host.events[0]["message"]["usage"]["input_tokens"] > 0
    [body], [scope] = server.bodies, server.scopes
    assert body["model"] == "tiny" and body["messages"] == [{"role": "user", "content": "Say hello"}]
    assert scope["path"] == "/v1/chat/completions" and scope["query_string"] == b"" and scope["extensions"] == {}
    headers = dict(scope["headers"])
    assert headers[b"authorization"] == b"Bearer key" and b"accept-encoding" not in headers
    assert len([name for name, _ in scope["headers"] if name == b"content-length"]) == 1


def test_a_whole_answer() -> None:
    async def chat(_try: int, _receive: Any, send: Any) -> None:
        await answer(send, 200, WHOLE)

    _, host = ask(chat, {**REQUEST, "stream": False})
    assert host.status == 200 and host.json["content"] == [{"type": "text", "text": "Hello"}]
    assert host.json["usage"]["input_tokens"] == 7 and host.headers["request-id"].startswith("req_")
    # Some servers answer so although they were asked for a stream.
    _, host = ask(chat)
    assert host.text() == "Hello" and host.kinds()[-1] == "message_stop"


def test_tools_and_thinking() -> None:
    tools = [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]
    chat = streams(chunk(reasoning_content="Hm."), chunk(content="I look."), chunk(tool_calls=[CALL]), CALLED)
    server, host = ask(chat, {**REQUEST, "tools": tools})
    assert server.bodies[0]["tools"][0]["function"]["name"] == "Bash"
    starts = [event["content_block"]["type"] for event in host.events if event["type"] == "content_block_start"]
    assert starts == ["thinking", "text", "tool_use"]
    assert json.loads(host.text("partial_json")) == {"command": "ls"} and host.text("thinking") == "Hm."


def test_count_tokens() -> None:
    server, host = ask(HELLO, path="/v1/messages/count_tokens")
    assert host.status == 200 and host.json["input_tokens"] > 0 and server.bodies == []
    assert host.headers["x-anyclaude-token-count"] == "estimated"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_other_methods(method: str) -> None:
    _, host = ask(HELLO, method=method)
    assert (host.status, host.headers["allow"]) == (405, "POST")
    assert host.body == b"" if method == "HEAD" else host.json["error"]["message"].endswith("use POST")


@pytest.mark.parametrize("path", ["/", "/v1/models/x", "/v1/messages/batches", "/v1/message", "/messages"])
def test_all_else_is_the_apps(path: str) -> None:
    server = Server(HELLO)

    async def run() -> None:
        host = await Host(AnthropicMiddleware(server), path=path).run()
        assert (host.status, host.json) == (418, path)
        seen: list[str] = []

        async def send(message: dict[str, Any]) -> None:
            seen.append(message["type"])

        for kind in ("lifespan", "websocket"):
            await AnthropicMiddleware(server)({"type": kind, "path": "/v1/messages"}, host.receive, send)
        assert seen == ["lifespan.seen", "websocket.seen"]

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/llm/v1/messages", "/v1/messages"])
def test_below_a_mount(path: str) -> None:
    server, host = ask(HELLO, path=path, root_path="/llm")
    assert host.text() == "Hello"
    assert server.scopes[0]["path"] == path.replace("messages", "chat/completions")
    assert server.scopes[0]["raw_path"] == server.scopes[0]["path"].encode()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "JSON"),
        (b"{", 400, "JSON"),
        (b"[1]", 400, "object"),
        (b"\xff\xfe", 400, ""),
        ({"model": "m"}, 400, "messages"),
        (b"[" * 100_000, 400, ""),
        ({**REQUEST, "messages": "x"}, 400, "messages"),
        ({**REQUEST, "messages": [{"role": "user", "content": "x" * 3000}]}, 413, "larger than 2048 bytes"),
    ],
)
def test_hostile_bodies(body: Any, status: int, said: str) -> None:
    limit = {"max_body_bytes": 2048} if status == 413 else {}
    server, host = ask(HELLO, body, **limit)
    assert host.status == status and said in host.json["error"]["message"] and server.bodies == []
    assert host.json["type"] == "error" and host.json["request_id"] == host.headers["request-id"]


def test_compressed_bodies() -> None:
    body = gzip.compress(json.dumps(REQUEST).encode())
    _, host = ask(HELLO, body, headers=[(b"Content-Encoding", b"gzip")])
    assert host.text() == "Hello"
    _, host = ask(HELLO, b"nonsense", headers=[(b"content-encoding", b"gzip")])
    assert host.status == 400 and "not sound gzip" in host.json["error"]["message"]
    _, host = ask(HELLO, body, headers=[(b"content-encoding", b"rot13")])
    assert host.status == 400 and "rot13" in host.json["error"]["message"]


def test_errors_before_the_answer() -> None:
    async def busy(_try: int, _receive: Any, send: Any) -> None:
        await answer(send, 429, {"error": {"message": "slow down"}}, retry_after="7")

    _, host = ask(busy)
    assert host.status == 429 and host.json["error"]["type"] == "rate_limit_error"
    assert host.headers["retry-after"] == "7" and host.json["request_id"] == host.headers["request-id"]

    async def page(_try: int, _receive: Any, send: Any) -> None:
        await answer(send, 200, b"<html>hello</html>", "text/html")

    _, host = ask(page)
    assert host.status >= 500 and host.json["type"] == "error"

    async def nothing(_try: int, _receive: Any, _send: Any) -> None:
        pass

    _, host = ask(nothing)
    assert host.status == 502 and "without an answer" in host.json["error"]["message"]

    async def zipped(_try: int, _receive: Any, send: Any) -> None:
        await answer(send, 200, gzip.compress(b"{}"), content_encoding="gzip")

    _, host = ask(zipped)
    assert host.status == 502 and "around AnthropicMiddleware" in host.json["error"]["message"]


def test_an_app_that_raises() -> None:
    async def run(chat: App) -> Host:
        host = Host(AnthropicMiddleware(Server(chat)))
        # The owner sees the failure in the server's log; the client only that there was one.
        with pytest.raises(KeyError, match="secret"):
            await host.run()
        return host

    async def at_once(_try: int, _receive: Any, _send: Any) -> None:
        raise KeyError("secret")

    async def later(_try: int, _receive: Any, send: Any) -> None:
        await begin(send)
        await send({"type": "http.response.body", "body": chunk(content="Hel"), "more_body": True})
        raise KeyError("secret")

    host = asyncio.run(run(at_once))
    assert host.status == 500 and host.json["error"]["message"] == "the server failed with KeyError"
    host = asyncio.run(run(later))
    assert host.status == 200 and host.ended and host.kinds()[-1] == "error" and b"secret" not in host.body


def test_a_broken_stream_ends_in_an_error() -> None:
    _, host = ask(streams(chunk(content="Hel")))
    assert host.ended and host.kinds()[-1] == "error"
    _, host = ask(streams(chunk(content="Hel"), b'data: {"error":{"message":"out of memory"}}\n\n'))
    assert host.kinds()[-1] == "error" and "out of memory" in host.events[-1]["error"]["message"]


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "after the head"])
def test_a_refused_parameter_is_left_out(waits: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def chat(tries: int, _receive: Any, send: Any) -> None:
        if tries == 1:
            if waits:
                await host.until(lambda host: bool(host.bodies))
            return await answer(send, 400, {"error": {"message": "Unrecognized request argument: stream_options"}})
        await HELLO(tries, _receive, send)

    server = Server(chat)
    middleware = AnthropicMiddleware(server, commit_after=0.01 if waits else 60)

    async def run() -> None:
        nonlocal host
        host = Host(middleware)
        await host.run()
        assert host.text() == "Hello" and host.kinds().count("message_start") == 1
        assert [("stream_options" in body) for body in server.bodies] == [True, False]
        assert "refuses stream_options" in caplog.text
        await Host(middleware).run()
        assert "stream_options" not in server.bodies[2]

    host: Host
    asyncio.run(run())


def test_a_refusal_after_the_head_is_an_event() -> None:
    async def chat(_try: int, _receive: Any, send: Any) -> None:
        await host.until(lambda host: bool(host.bodies))
        await answer(send, 503, {"error": {"message": "loading"}})

    async def run() -> None:
        nonlocal host
        host = Host(AnthropicMiddleware(Server(chat), commit_after=0.01))
        await host.run()
        assert host.status == 200 and host.ended and "loading" in host.events[-1]["error"]["message"]

    host: Host
    asyncio.run(run())


def test_nothing_waits_for_what_comes_after_it() -> None:
    async def chat(_try: int, _receive: Any, send: Any) -> None:
        await begin(send)
        await host.until(lambda host: b"message_start" in host.body)
        for piece in ("one", "two", "three"):
            await send({"type": "http.response.body", "body": chunk(content=piece), "more_body": True})
            # The event is with the client before the app goes on.
            assert piece.encode() in host.bodies[-1]
        await send({"type": "http.response.body", "body": STOP})
        assert host.ended

    async def run() -> None:
        nonlocal host
        host = Host(AnthropicMiddleware(Server(chat), commit_after=60))
        await host.run()

    host: Host
    asyncio.run(run())


def test_pings_while_the_app_reads_the_prompt() -> None:
    async def chat(_try: int, _receive: Any, send: Any) -> None:
        await host.until(lambda host: host.body.count(b"event: ping") >= 4)
        await HELLO(1, _receive, send)

    async def run() -> None:
        nonlocal host
        host = Host(AnthropicMiddleware(Server(chat), commit_after=0.02, ping_interval=0.02))
        await host.run()
        assert host.text() == "Hello" and host.kinds()[0] == "message_start"

    host: Host
    asyncio.run(run())


def test_an_app_that_falls_silent_is_cancelled() -> None:
    cancelled = []

    async def chat(_try: int, _receive: Any, send: Any) -> None:
        await begin(send)
        await send({"type": "http.response.body", "body": chunk(content="Hel"), "more_body": True})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    _, host = ask(chat, commit_after=0.01, stall_timeout=0.1, ping_interval=0.03)
    assert host.ended and "silent for 0.1 s" in host.events[-1]["error"]["message"]
    assert cancelled and b"event: ping" in host.body


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("manner", ["listens", "sends", "ignores"])
def test_a_client_that_leaves_stops_the_app(manner: str, stream: bool) -> None:
    stopped: list[str] = []

    async def chat(_try: int, receive: Any, send: Any) -> None:
        started.set()
        try:
            if manner == "listens":
                stopped.append((await receive())["type"])
            elif manner == "sends" and stream:
                await begin(send)
                while True:
                    await send({"type": "http.response.body", "body": chunk(content="x"), "more_body": True})
                    await asyncio.sleep(0)
            else:
                await asyncio.Event().wait()
        except (OSError, asyncio.CancelledError) as error:
            stopped.append(type(error).__name__)
            raise

    async def run() -> None:
        nonlocal started
        started = asyncio.Event()
        host = Host(AnthropicMiddleware(Server(chat)), {**REQUEST, "stream": stream})
        task = asyncio.ensure_future(host.run())
        await started.wait()
        if manner == "sends" and stream:
            await host.until(lambda host: len(host.bodies) > 3)
        host.gone.set()
        await task
        assert not host.ended

    started: asyncio.Event
    asyncio.run(run())
    expected = {"listens": "http.disconnect", "sends": "ClientGone" if stream else "CancelledError"}
    assert stopped == [expected.get(manner, "CancelledError")]


def test_a_cancelled_request_cancels_the_app() -> None:
    stopped = []

    async def chat(_try: int, _receive: Any, _send: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def run() -> None:
        nonlocal started
        started = asyncio.Event()
        task = asyncio.ensure_future(Host(AnthropicMiddleware(Server(chat))).run())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    started: asyncio.Event
    asyncio.run(run())
    assert stopped == [True]


def test_what_an_app_does_after_its_answer_is_let_be() -> None:
    done: list[str] = []

    async def chat(_try: int, receive: Any, send: Any) -> None:
        await HELLO(1, receive, send)
        done.append((await receive())["type"])  # as servers have it: the answer is out
        await asyncio.sleep(0.01)
        done.append("after")

    ask(chat)
    assert done == ["http.disconnect", "after"]


def test_a_slow_client_holds_the_app_back() -> None:
    sent = 0

    async def chat(_try: int, _receive: Any, send: Any) -> None:
        nonlocal sent
        await begin(send)
        for _ in range(100):
            await send({"type": "http.response.body", "body": chunk(content="x"), "more_body": True})
            sent += 1
        await send({"type": "http.response.body", "body": STOP})

    async def run() -> None:
        host = Host(AnthropicMiddleware(Server(chat), stall_timeout=0.05, ping_interval=0.02, commit_after=0.01))
        reads = asyncio.Event()
        plain = host.send

        async def slow(message: dict[str, Any]) -> None:
            if len(host.bodies) == 5:
                await reads.wait()
            await plain(message)

        host.send = slow  # type: ignore[method-assign]
        task = asyncio.ensure_future(host.run())
        await host.until(lambda host: len(host.bodies) == 5)
        await asyncio.sleep(0.2)  # several times the patience with the app, which is not at fault
        assert sent <= 5
        reads.set()
        await task
        assert host.kinds()[-1] == "message_stop" and sent == 100

    asyncio.run(run())


def test_requests_side_by_side() -> None:
    together = 8

    async def chat(_try: int, _receive: Any, send: Any) -> None:
        await begin(send)
        await all_here.wait()
        for piece in "Hello":
            await send({"type": "http.response.body", "body": chunk(content=piece), "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": STOP})

    async def run() -> None:
        nonlocal all_here
        all_here = asyncio.Barrier(together) if sys.version_info >= (3, 11) else Barrier(together)
        middleware = AnthropicMiddleware(Server(chat))
        hosts = await asyncio.gather(*(Host(middleware).run() for _ in range(together)))
        assert [host.text() for host in hosts] == ["Hello"] * together
        assert len({host.headers["request-id"] for host in hosts}) == together

    all_here: Any
    asyncio.run(run())


class Barrier:
    """The one of newer Pythons."""

    def __init__(self, parties: int) -> None:
        self.missing = parties
        self.all_here = asyncio.Event()

    async def wait(self) -> None:
        self.missing -= 1
        if self.missing == 0:
            self.all_here.set()
        await self.all_here.wait()


def test_models_are_asked_for_once() -> None:
    server = Server(HELLO)
    middleware = AnthropicMiddleware(server)

    async def run() -> None:
        for _ in range(3):
            await Host(middleware).run()

    asyncio.run(run())
    assert server.lists == 1 and [body["model"] for body in server.bodies] == ["tiny"] * 3
    server, _ = ask(HELLO, models_path=None)
    assert server.lists == 0 and server.bodies[0]["model"] == "default"
    server, _ = ask(HELLO, model="mine")
    assert server.lists == 0 and server.bodies[0]["model"] == "mine"


def golden_streams() -> list[Any]:
    """The cases of streams that end in an orderly way, to clients that want one."""
    fit = []
    for parameter in cases("stream"):
        [case] = parameter.values
        asks = json.loads(case.sections.get("request", '{"stream": true}')).get("stream")
        if asks and case.dialect == "chat" and (case.word("end") or "closed") == "closed":
            fit.append(parameter)
    assert len(fit) > 50
    return fit


class Seeded:
    """An API whose ids are those of the golden files."""

    def __init__(self, api: anyclaude.MessagesApi) -> None:
        self.wants_models = api.wants_models
        self.exchange = functools.partial(api.exchange, seed=0)


@pytest.mark.parametrize("case", golden_streams())
def test_the_golden_streams(case: Case) -> None:
    """The bytes are those of the library."""
    stream = case.stream()
    middle = len(stream) // 2
    middleware = AnthropicMiddleware(Server(streams(stream[:middle], stream[middle:])), case.backend)
    words = [word.partition("@") for word in (case.word("models") or "").split()]
    models = [{"id": name, "max_model_len": int(window or 0)} for name, _, window in words]
    middleware.api.told_list(json.dumps({"data": models}).encode())
    middleware.api = Seeded(middleware.api)  # type: ignore[assignment]
    if "request" in case.sections:
        host = asyncio.run(Host(middleware, case.bytes_of("request")).run())
        assert host.status == 200 and host.body == case.bytes_of("events")
        return
    # The file tells of no request but its estimate.
    host = asyncio.run(Host(middleware, {**REQUEST, "model": "claude-test"}).run())
    estimate = re.compile(rb'"input_tokens":\d+')
    assert estimate.sub(b"", host.body) == estimate.sub(b"", case.bytes_of("events"))


def test_the_models_own_words_go_back_as_it_wrote_them() -> None:
    """The answer is remembered under the conversation that Claude Code names in its headers."""
    tools = [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]
    written = '{ "command" :  "ls" }'
    call = {**CALL, "function": {"name": "Bash", "arguments": written}}
    server = Server(streams(chunk(tool_calls=[call]), CALLED))
    middleware = AnthropicMiddleware(server)
    headers = [[b"X-Claude-Code-Session-Id", b"one"]]

    async def run() -> None:
        host = await Host(middleware, {**REQUEST, "tools": tools}, headers=headers).run()
        [block] = [event["content_block"] for event in host.events if event["type"] == "content_block_start"]
        said = {"role": "assistant", "content": [{**block, "input": {"command": "ls"}}]}
        result = {"type": "tool_result", "tool_use_id": block["id"], "content": "here"}
        turns = [*REQUEST["messages"], said, {"role": "user", "content": [result]}]
        await Host(middleware, {**REQUEST, "tools": tools, "messages": turns}, headers=headers).run()

    asyncio.run(run())
    [again] = [message for message in server.bodies[1]["messages"] if message["role"] == "assistant"]
    assert again["tool_calls"][0]["function"]["arguments"] == written


def test_another_kind_of_loop() -> None:
    host = Host(AnthropicMiddleware(Server(HELLO)))
    with pytest.raises(RuntimeError, match="needs asyncio"):
        host.app(host.scope, host.receive, host.send).send(None)  # type: ignore[attr-defined]


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(anyclaude.ConfigError, match="backend"):
        AnthropicMiddleware(Server(HELLO), "no-such-server")
    with pytest.raises(anyclaude.ConfigError, match="tols"):
        AnthropicMiddleware(Server(HELLO), tols="auto")  # type: ignore[call-arg]


def test_calls_that_do_not_fit_are_told(caplog: pytest.LogCaptureFixture) -> None:
    tools = [{"name": "Bash", "input_schema": {"type": "object", "required": ["command", "why"]}}]
    with caplog.at_level(logging.WARNING, "anyclaude"):
        ask(streams(chunk(tool_calls=[CALL]), CALLED), {**REQUEST, "tools": tools})
    assert "does not fit its tool" in caplog.text and "why" in caplog.text


def test_it_imports_no_framework_and_starts_no_thread() -> None:
    code = """
import asyncio, sys, threading
sys.path.insert(0, sys.argv[1])
from test_asgi import HELLO, ask
_, host = ask(HELLO)
assert host.text() == "Hello"
assert threading.active_count() == 1
print(sorted({"fastapi", "starlette", "uvicorn", "anyio"} & set(sys.modules)))
"""
    code = code.replace("from test_asgi", "import pytest\nfrom test_asgi")
    done = subprocess.run(
        [sys.executable, "-c", code, str(__import__("pathlib").Path(__file__).parent)], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_no_growth() -> None:
    middleware = AnthropicMiddleware(Server(HELLO))

    async def run(times: int) -> None:
        for _ in range(times):
            await Host(middleware, {**REQUEST, "messages": [{"role": "user", "content": "x" * 5000}]}).run()

    async def grows() -> int:
        await run(300)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        await run(300)
        gc.collect()
        assert len(asyncio.all_tasks()) == 1
        return tracemalloc.get_traced_memory()[0] - before

    middleware.app.bodies = Forgetful()  # type: ignore[attr-defined]
    middleware.app.scopes = Forgetful()  # type: ignore[attr-defined]
    tracemalloc.start()
    try:
        assert asyncio.run(grows()) < 300 * 100
    finally:
        tracemalloc.stop()


class Forgetful(list):  # type: ignore[type-arg]
    """Keeps nothing."""

    def append(self, _item: Any) -> None:
        pass
