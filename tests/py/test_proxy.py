"""``start_proxy``: its handle, its events, threads, event loops, forks and the end of Python."""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import typing
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import anyclaude
from anyclaude import ConfigError, ForkError, ProxyError, StoppedError

REQUEST = {"model": "claude-opus-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def proxy() -> Iterator[anyclaude.Proxy]:
    with anyclaude.start_proxy(backend="demo") as proxy:
        yield proxy


def ask(proxy: anyclaude.Proxy, **change: object) -> httpx.Response:
    return httpx.post(f"{proxy.url}/v1/messages", json={**REQUEST, **change})


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)


def test_a_request_and_what_is_told_of_it(proxy: anyclaude.Proxy) -> None:
    answer = ask(proxy)
    assert answer.json()["type"] == "message"
    events = [proxy.next_event(10) for _ in range(3)]
    assert [event and event["type"] for event in events] == ["request_started", "first_token", "done"]
    assert {event.get("request_id") for event in events if event} == {answer.headers["request-id"]}
    assert proxy.next_event(0) is None
    stats = proxy.stats()
    assert (stats["requests"], stats["active"]) == (1, 0)
    assert proxy.backend()["kind"] == "demo"
    assert proxy.warnings() == []
    [report] = proxy.prefix_reports()
    assert report["request_id"] == answer.headers["request-id"]
    assert proxy.prefix_reports("no such session") == []
    assert str(proxy.port) in proxy.url
    assert repr(proxy) == f"<anyclaude.Proxy at {proxy.url}>"


def test_failures_are_events_too(proxy: anyclaude.Proxy) -> None:
    answer = ask(proxy, messages=[{"role": 7}])
    assert answer.status_code == 400
    started, failed = proxy.next_event(10), proxy.next_event(10)
    assert started and started["type"] == "request_started" and started["model"] is None
    assert failed and failed["type"] == "error"
    assert (failed["status"], failed["kind"]) == (400, "invalid_request_error")
    assert failed["message"] == answer.json()["error"]["message"]


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="bakend: no such setting; did you mean backend?"):
        anyclaude.start_proxy({"bakend": "demo"})
    with pytest.raises(ConfigError, match="must be a JSON object"):
        anyclaude.start_proxy("[1]", port=0)
    with pytest.raises(ConfigError, match="commit_after"):
        anyclaude.start_proxy(backend="demo", commit_after="soon")
    with pytest.raises(TypeError, match="not int"):
        anyclaude.start_proxy(7)  # type: ignore[arg-type]
    for text in ('{"api_key": "secret", ', b"\xff secret", "[" * 100_000 + "secret"):
        with pytest.raises(ConfigError) as raised:
            anyclaude.start_proxy(text, port=0)
        assert "secret" not in str(raised.value) and raised.value.__cause__ is raised.value.__context__ is None


def test_settings_of_both_kinds() -> None:
    for config in ({"backend": "openai"}, '{"backend": "openai"}', b'{"backend": "openai"}'):
        with anyclaude.start_proxy(config, backend="demo") as proxy:
            assert proxy.backend()["kind"] == "demo"
    with anyclaude.start_proxy(b'{"backend": "demo"}') as proxy:
        assert proxy.backend()["kind"] == "demo"


def test_the_settings_of_the_stub_are_those_of_the_core() -> None:
    schema = subprocess.run(
        [sys.executable, "-m", "anyclaude", "config", "schema"], capture_output=True, text=True, check=True
    )
    assert set(typing.get_type_hints(anyclaude.Settings)) == set(json.loads(schema.stdout)["properties"])


def test_a_port_that_is_taken(proxy: anyclaude.Proxy) -> None:
    with pytest.raises(ProxyError, match="cannot listen") as raised:
        anyclaude.start_proxy(backend="demo", port=proxy.port)
    assert raised.value.kind == "io"


def test_another_backend(proxy: anyclaude.Proxy) -> None:
    info = proxy.set_backend("ollama", model="qwen3")
    assert (info["kind"], info["model"]) == ("ollama", "qwen3")
    with pytest.raises(ConfigError, match="nope"):
        proxy.set_backend("nope")
    with pytest.raises(ConfigError, match="modle"):
        proxy.set_backend("demo", modle="x")


def test_after_the_stop() -> None:
    proxy = anyclaude.start_proxy(backend="demo")
    ask(proxy)
    proxy.stop()
    proxy.stop()
    assert [event["type"] for event in proxy.events()] == ["request_started", "first_token", "done"]
    with pytest.raises(StoppedError):
        proxy.next_event()
    with pytest.raises(StoppedError):
        proxy.set_backend("demo")
    assert proxy.stats()["requests"] == 1
    with pytest.raises(httpx.ConnectError):
        ask(proxy)


def test_times_that_are_none(proxy: anyclaude.Proxy) -> None:
    with pytest.raises(ValueError, match="grace: -1 is no time in seconds"):
        proxy.stop(-1)
    with pytest.raises(ValueError, match="timeout: NaN"):
        proxy.next_event(float("nan"))
    for timeout in (float("nan"), -1):
        with pytest.raises(ValueError, match="timeout: .* is no time in seconds"):
            asyncio.run(asyncio.wait_for(proxy.anext_event(timeout), 10))


def test_waiting_for_events_leaves_the_loops_own_threads_alone(proxy: anyclaude.Proxy) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        waiting = [asyncio.ensure_future(proxy.anext_event()) for _ in range(4)]
        await asyncio.sleep(0.01)
        begun = loop.time()
        await asyncio.to_thread(int)
        assert loop.time() - begun < 0.2
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(main())
    for thread in threading.enumerate():
        if thread.name == "anyclaude-event":
            thread.join(5)
            assert not thread.is_alive()


def test_a_thread_that_waits_lets_others_run_and_is_told_of_the_end(proxy: anyclaude.Proxy) -> None:
    ended = threading.Event()

    def wait() -> None:
        assert [event["type"] for event in proxy.events()] == []
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    proxy.stop()
    assert ended.wait(10)
    thread.join()


def test_many_threads(proxy: anyclaude.Proxy) -> None:
    pulled: list[str] = []

    def pull() -> None:
        for event in proxy.events():
            pulled.append(event["type"])

    pullers = [threading.Thread(target=pull) for _ in range(4)]
    askers = [threading.Thread(target=lambda: [ask(proxy) for _ in range(5)]) for _ in range(4)]
    for thread in pullers + askers:
        thread.start()
    for thread in askers:
        thread.join()
    proxy.stop()
    for thread in pullers:
        thread.join()
    assert sorted(pulled) == sorted(["request_started", "first_token", "done"] * 20)


def test_an_event_loop_goes_on() -> None:
    async def main() -> None:
        async with await anyclaude.astart_proxy(backend="demo") as proxy:
            waiting = asyncio.create_task(proxy.anext_event())
            await asyncio.sleep(0)
            async with httpx.AsyncClient() as client:
                await client.post(f"{proxy.url}/v1/messages", json=REQUEST)
            first = await waiting
            assert first and first["type"] == "request_started"
            begun = time.monotonic()
            while (event := await proxy.anext_event(10)) and event["type"] != "done":
                pass
            assert await proxy.anext_event(0.01) is None
            assert time.monotonic() - begun < 5
        assert [event async for event in proxy.aevents()] == []

    asyncio.run(main())


def test_a_cancelled_wait_loses_no_event() -> None:
    async def main() -> None:
        async with await anyclaude.astart_proxy(backend="demo") as proxy:
            waiting = asyncio.create_task(proxy.anext_event())
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            async with httpx.AsyncClient() as client:
                await client.post(f"{proxy.url}/v1/messages", json=REQUEST)
            types = [event["type"] for _ in range(3) if (event := await proxy.anext_event(10))]
            assert types == ["request_started", "first_token", "done"]

    asyncio.run(main())


def test_ctrl_c_ends_a_wait() -> None:
    # Who is started in a shell's background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with anyclaude.start_proxy(backend="demo") as proxy:
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                proxy.next_event()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_child_gets_a_clear_error_and_may_start_its_own() -> None:
    done = python(
        """
import os, warnings, anyclaude
warnings.simplefilter("ignore", DeprecationWarning)  # what Python says of forks beside threads
proxy = anyclaude.start_proxy(backend="demo")
child = os.fork()
if child == 0:
    for call in (lambda: proxy.url, proxy.stats, proxy.stop, lambda: proxy.next_event(0)):
        try:
            call()
        except anyclaude.ForkError as error:
            assert error.kind == "forked", error.kind
        else:
            os._exit(1)
    assert "parent" in repr(proxy)
    anyclaude.Translator("mlx-lm").request({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]})
    with anyclaude.start_proxy(backend="demo") as own:
        assert own.url != ""
    del proxy
    raise SystemExit(0)  # with all that Python does at its end
assert os.waitpid(child, 0)[1] == 0
proxy.stop()
"""
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_python_ends_with_proxies_running() -> None:
    done = python(
        """
import threading, anyclaude
proxies = [anyclaude.start_proxy(backend="demo") for _ in range(3)]
threading.Thread(target=lambda: list(proxies[0].events())).start()
threading.Thread(target=lambda: list(proxies[1].events()), daemon=True).start()
threading.Timer(0.2, proxies[0].stop).start()
proxies[2].itself = proxies[2]
"""
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_nobody_refers_to_stops() -> None:
    proxy = anyclaude.start_proxy(backend="demo")
    url, gone = proxy.url, weakref.ref(proxy)
    del proxy
    gc.collect()
    assert gone() is None
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_threads_or_sockets_stay_behind() -> None:
    def counts() -> tuple[int, int]:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    def once() -> None:
        with anyclaude.start_proxy(backend="demo") as proxy:
            ask(proxy)

    once()
    before = counts()
    for _ in range(20):
        once()
    assert counts() == before


def test_a_fork_error_is_a_proxy_error() -> None:
    assert issubclass(ForkError, ProxyError) and issubclass(StoppedError, ProxyError)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a copied listener stays open until the child ends")
def test_a_child_keeps_no_port_open() -> None:
    proxy = anyclaude.start_proxy(backend="demo")
    port = proxy.port
    # A child of a fork that does nothing, as one of a pool.
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    try:
        proxy.stop()
        with pytest.raises(httpx.ConnectError):
            ask(proxy)
        anyclaude.start_proxy(backend="demo", port=port).stop()
    finally:
        os.close(writer)
        os.waitpid(child, 0)
