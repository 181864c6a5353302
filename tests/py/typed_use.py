"""What a user writes, for the type checker: every name with its exact type. It is never run."""

from collections.abc import AsyncIterator, Iterator

from typing_extensions import assert_type

import anyclaude
import anyclaude.mlx_lm
import anyclaude.vllm_mlx
from anyclaude.asgi import AnthropicMiddleware, Receive, Scope, Send
from anyclaude.proxy import DoneEvent


def translate(body: dict[str, object]) -> None:
    translator = anyclaude.Translator("mlx-lm", max_output_tokens=100, tools="text")
    translated = translator.request(body, models=[("qwen3", 32_768), "other"])
    assert_type(translated.body, bytes)
    assert_type(translated.notes, list[str])
    converter = anyclaude.StreamConverter(translated.context)
    assert_type(converter.push(b"") + converter.finish(), bytes)
    assert_type(converter.ended, bool)
    for event in anyclaude.ToolParser("hermes").push("x"):
        if event["type"] == "tool_start":
            assert_type(event["name"], str)
    assert_type(anyclaude.parse_tools("x")["text"], str)
    translator.request(7)  # pyright: ignore[reportArgumentType]


def proxy() -> None:
    with anyclaude.start_proxy({"port": 0}, backend="demo", pin_lines=["Date"]) as proxy:
        assert_type(proxy, anyclaude.Proxy)
        assert_type(proxy.url, str)
        assert_type(proxy.events(), Iterator[anyclaude.ProxyEvent])
        event = proxy.next_event(1)
        if event and event["type"] == "done":
            assert_type(event, DoneEvent)
    anyclaude.start_proxy(bakend="demo")  # pyright: ignore[reportCallIssue]


async def aproxy() -> None:
    async with await anyclaude.astart_proxy(backend="demo") as proxy:
        assert_type(await proxy.anext_event(), anyclaude.ProxyEvent | None)
        assert_type(proxy.aevents(), AsyncIterator[anyclaude.ProxyEvent])


def embedded() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    AnthropicMiddleware(app, "vllm-mlx", commit_after=0.5, tools="text")
    AnthropicMiddleware(app, tools="sometimes")  # pyright: ignore[reportArgumentType]
    handle = anyclaude.mlx_lm.install(stall_timeout=None, pin_lines=["Date"], cache={"memory": "8GB", "disk": "off"})
    if handle is not None:
        handle.warm(["You are ...", {"system": "You are ..."}], lambda progress: print(progress.done)).wait(9.0)
        print(handle.stats()["bytes"])
    anyclaude.mlx_lm.install(cache="off")
    anyclaude.mlx_lm.install(cache="of")  # pyright: ignore[reportArgumentType]
    anyclaude.vllm_mlx.install(modle="x")  # pyright: ignore[reportCallIssue]
    begun = anyclaude.MessagesApi({"backend": "mlx-lm"}).exchange([], b"{}")
    if isinstance(begun, anyclaude.Exchange):
        assert_type(begun.push(b""), bytes)
    else:
        assert_type(begun.headers, list[tuple[bytes, bytes]])


def errors() -> None:
    try:
        translate({})
    except anyclaude.AnyClaudeError as error:
        assert_type(error.kind, str)
        assert_type(error.status, int)
