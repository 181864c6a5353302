"""The Messages API inside of vllm-mlx, in place of its own.

As a command, with all flags of ``vllm-mlx serve``::

    python -m anyclaude.vllm_mlx serve MODEL --port 8000

Or by two lines in a script of your own, before the model is loaded::

    import vllm_mlx.server as server
    anyclaude.vllm_mlx.install(server)

Requests go through the server's ``/v1/chat/completions`` with everything that it does: batching, its limits, its
keys. Its prompt caches make room for anyclaude's prefix cache, unless ``cache="off"`` or ``--anyclaude-cache off`` says
otherwise. Tool results reach the model's template as such, and where no tool parser was named, calls are read
by anyclaude's, under the name ``anyclaude``, for clients of chat completions too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._host import chat_template, check_shape, load, model_config
from ._native import ToolParser, parse_tools
from .asgi import COUNT_TOKENS, MESSAGES, AnthropicMiddleware, Message, Receive, Refusal, Scope, Send
from .errors import ConfigError
from .kv import vllm_mlx as vllm_mlx_cache
from .kv.handle import PrefixCacheHandle
from .kv.note import CountedUsage
from .kv.options import flags, take_flags
from .kv.options import settings as cache_settings
from .kv.vllm_warm import WARM_UP, asking

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Options
    from .kv.options import Cache
    from .toolcall import ToolEvent

__all__ = ["PARSER", "TESTED", "install", "main"]

logger = logging.getLogger("anyclaude.kv")

TESTED = "0.6.0"
"""The version of vllm-mlx that this was tried with."""

PARSER = "anyclaude"
"""The name of the tool parser, for ``--tool-call-parser``."""

_USED = ("app", "load_model", "_engine", "_model_name", "_model_path", "_enable_auto_tool_choice", "_tool_call_parser")
_USED_FOR_KEYS = ("_api_key", "Request", "HTTPException", "security", "verify_api_key", "check_rate_limit")


def install(
    server: ModuleType | Any | None = None, *, cache: Cache = None, **options: Unpack[Options]
) -> PrefixCacheHandle | None:
    """Puts the Messages API and the prefix cache into ``vllm_mlx.server``, given as that module or as its ``app``.

    Call it before the server's model is loaded; later the Messages API can still be had, the cache cannot. A second
    call does nothing, and gives what the first one gave. The server's key is asked for and its rate limit holds as on
    its own routes.

    ``cache`` is a dict of ``anyclaude.kv.options.CacheOptions``, or ``off`` for the server's own. The other settings
    are those of ``anyclaude.asgi.AnthropicMiddleware``. Gives the prefix cache, by which prompts are warmed up and numbers
    are had, or ``None`` if it is off.

    Raises ``ConfigError`` if vllm-mlx is not there, is of another shape than the tested version, or has started, and
    for an option that is unknown or makes no sense. The server is then as it was. Settings of the server that do not go
    together with the cache are refused when its model is loaded.
    """
    module: Any = load("vllm_mlx.server", "vllm-mlx", TESTED)
    check_shape(module, "vllm-mlx", TESTED, (*_USED, *_USED_FOR_KEYS))
    if server is not None and server is not module and server is not module.app:
        raise ConfigError(f"expected vllm_mlx.server or its app, not {server!r:.100}", "config")
    # The app makes its middlewares when it starts, which is late for telling of a wrong option.
    VllmMiddleware(module.app, module, **options)
    settings = cache_settings(cache)
    for entry in module.app.user_middleware:
        if entry.cls is VllmMiddleware:
            there: PrefixCacheHandle | None = entry.kwargs.get("cache")
            return there
    if settings is not None and module._engine is not None:
        why = "the model has been loaded: install() comes before that"
        if cache is not None:
            raise ConfigError(f"cache: {why}", "config")
        logger.warning("there is no prefix cache: %s", why)
        settings = None
    register_parser = tool_parser(module)
    handle, put_cache = None, None
    if settings is not None:
        handle = PrefixCacheHandle(settings)
        put_cache = vllm_mlx_cache.prepare(module, handle, TESTED)
    try:
        module.app.add_middleware(VllmMiddleware, server=module, cache=handle, **options)
    except RuntimeError as error:
        raise ConfigError(f"the server has started already: install() comes before that ({error})", "config") from error
    # Claude Code asks for titles and sends subagents while it waits for an answer: these queue, they do not fail.
    os.environ.setdefault("VLLM_MLX_SIMPLE_ENGINE_LOCK_ADMISSION", "wait")
    register_parser()
    if put_cache is not None:
        put_cache()
    if not (module._enable_auto_tool_choice and module._tool_call_parser):
        module._enable_auto_tool_choice, module._tool_call_parser = True, PARSER
        if module._engine is not None:  # the model is there already: as load_model() does it
            module._engine.preserve_native_tool_format = module._detect_native_tool_support()
    return handle


class VllmMiddleware(AnthropicMiddleware):
    """The middleware, with what the server's process knows of its model."""

    def __init__(
        self, app: Any, server: Any, cache: PrefixCacheHandle | None = None, **options: Unpack[Options]
    ) -> None:
        super().__init__(app, "vllm-mlx", authorize=self._ask_server, **options)
        self._server = server
        self._cache = cache
        if cache is not None:
            self.app = CountedUsage(app, self.chat_path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cache = self._cache
        if cache is None:
            await super().__call__(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(cache, scope, receive, send)
        else:
            # Prompts that are warmed up give way to what has one of its own.
            is_prompt = scope["type"] == "http" and scope["method"] == "POST" and WARM_UP not in scope
            with cache.request() if is_prompt else nullcontext():
                await super().__call__(scope, receive, send)

    async def _live(self, cache: PrefixCacheHandle, scope: Scope, receive: Receive, send: Send) -> None:
        """From the start of the server to its end."""

        async def started(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                server = self._server
                loop = asyncio.get_running_loop()
                cache.serves(asking(server.app, MESSAGES, lambda: server._api_key, self._only_model, loop))
            await send(message)

        try:
            await self.app(scope, receive, started)
        finally:
            # By now the engine has ended, and nobody touches a state any more.
            cache.close()

    def _only_model(self) -> str | None:
        several = getattr(self._server, "_model_manager", None) is not None
        name: str | None = None if several else self._server._model_name
        return name

    def answered(self, scope: Scope, body: bytes) -> None:
        """What came last is what is warmed up in the next session."""
        if self._cache is not None and WARM_UP not in scope:
            self._cache.note(body)

    async def _ask_server(self, scope: Scope) -> Refusal | None:
        """What the server's own routes depend on."""
        server = self._server
        request = server.Request(scope)
        try:
            await server.verify_api_key(await server.security(request))
            # A message is counted where it goes on to, by the server's chat completions.
            if scope["path"].endswith(COUNT_TOKENS):
                await server.check_rate_limit(request)
        except server.HTTPException as error:
            return Refusal(error.status_code, str(error.detail), dict(error.headers or {}).get("Retry-After"))
        except TypeError:  # the server compares keys as text, which for other characters than ASCII Python does not
            return Refusal(401, "Invalid API key")
        return None

    async def tell_models(self, scope: Scope) -> None:
        """With one model its window and template are at hand; with several, the server lists them."""
        server = self._server
        if server._engine is None or getattr(server, "_model_manager", None) is not None:
            return await super().tell_models(scope)
        name = server._model_name or server._model_path
        config = model_config(server._model_path) or model_config(server._model_name)
        template = chat_template(getattr(server._engine, "tokenizer", None))
        # Without a parser for it, the server leaves thinking in the text.
        leaves_thinking = getattr(server, "_reasoning_parser", None) is None
        self.api.told_model(name, config, template, leaves_thinking)


def tool_parser(server: Any) -> Callable[[], object]:
    """What makes anyclaude's parser known to the server, under the name ``anyclaude``."""
    parsers: Any = load("vllm_mlx.tool_parsers.abstract_tool_parser", "vllm-mlx", TESTED)
    check_shape(parsers, "vllm-mlx", TESTED, ("ToolParser", "ToolParserManager", "ExtractedToolCallInformation"))
    own = {"server": server, "plain": parsers.ToolParser, "found": parsers.ExtractedToolCallInformation}
    parser = type("AnyclaudeToolParser", (AnyclaudeToolParser, parsers.ToolParser), own)
    return lambda: parsers.ToolParserManager.register_module(PARSER, parser)


class AnyclaudeToolParser:
    """What goes before the server's class of parsers: reads all formats that anyclaude knows, the model's first."""

    server: Any
    plain: Any
    """The server's own class of parsers."""
    found: Any
    """Its class of results."""

    REQUIRES_EAGER_STREAMING = True
    """Every piece of the answer comes here, in order."""

    @classmethod
    def supports_native_format(cls) -> bool:
        """Whether the template has a place for tool results; a template that cannot be seen is trusted."""
        template = chat_template(getattr(cls.server._engine, "tokenizer", None))
        return template is None or "tool" in template

    def __init__(self, tokenizer: Any = None) -> None:
        self.plain.__init__(self, tokenizer)
        self._stream: _Deltas | None = None

    def reset(self) -> None:
        """Before the next answer."""
        self.plain.reset(self)
        self._stream = None

    def extract_tool_calls(self, model_output: str, request: dict[str, Any] | None = None) -> Any:
        """Reads a whole answer."""
        found = parse_tools(model_output, model=self.server._model_name, tools=_tools(request))
        thinking = found["thinking"]
        text = found["text"] if thinking is None else f"<think>{thinking}</think>{found['text']}"
        calls = [
            {"id": call["id"], "name": call["name"], "arguments": json.dumps(call["input"], ensure_ascii=False)}
            for call in found["calls"]
        ]
        return self.found(bool(calls), calls, text)

    def extract_tool_calls_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int] | None = None,
        current_token_ids: Sequence[int] | None = None,
        delta_token_ids: Sequence[int] | None = None,
        request: dict[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Takes the next piece of an answer."""
        if self._stream is None:
            self._stream = _Deltas(ToolParser(model=self.server._model_name, tools=_tools(request)))
        return self._stream.delta(self._stream.parser.push(delta_text))

    def finalize_streaming(self, current_text: str) -> dict[str, Any] | None:
        """The answer has ended."""
        return None if self._stream is None else self._stream.delta(self._stream.parser.finish())


class _Deltas:
    """Events of one answer as deltas of chat completions."""

    def __init__(self, parser: ToolParser) -> None:
        self.parser = parser
        self._calls = 0
        self._thinks = False

    def delta(self, events: list[ToolEvent]) -> dict[str, Any] | None:
        """``None`` while nothing is certain."""
        text = ""
        calls: list[dict[str, Any]] = []
        for event in events:
            # The server's field for text is the only one here: thinking goes back between its marks.
            if (event["type"] == "thinking") != self._thinks:
                self._thinks = not self._thinks
                text += "<think>" if self._thinks else "</think>"
            if event["type"] == "thinking":
                text += event["thinking"]
            elif event["type"] == "text":
                text += event["text"]
            elif event["type"] == "tool_start":
                function = {"name": event["name"], "arguments": ""}
                calls.append({"index": self._calls, "id": event["id"], "type": "function", "function": function})
                self._calls += 1
            elif event["type"] == "tool_args":
                calls.append({"index": self._calls - 1, "function": {"arguments": event["json"]}})
        if calls:
            return {"content": text, "tool_calls": calls}
        return {"content": text} if text else None


def _tools(request: dict[str, Any] | None) -> list[dict[str, Any]]:
    return (request or {}).get("tools") or []


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs ``vllm-mlx`` with the Messages API and the prefix cache in it; the other arguments are vllm-mlx's own."""
    asked = sys.argv[1:] if arguments is None else arguments
    if "--help" in asked or "-h" in asked:
        print(flags().format_help())
    try:
        cache, given = take_flags(asked)
        is_server = given[:1] == ["serve"]
        if not is_server and len(given) < len(asked) and given and not given[0].startswith("-"):
            raise ConfigError("the flags of the cache (--anyclaude-...) belong to the command serve", "config")
        handle = install(cache=cache if is_server else "off")
        # Imported now: the parsers that its flag takes are those which are registered by then.
        cli: Any = load("vllm_mlx.cli", "vllm-mlx", TESTED)
        check_shape(cli, "vllm-mlx", TESTED, ("main", "serve_command"))
        if handle is not None:
            cli.serve_command = vllm_mlx_cache.checked(cli.serve_command, handle)
    except ConfigError as error:
        print(f"anyclaude: {error}", file=sys.stderr)
        return 2
    if is_server:
        # What the user says comes later, and wins.
        given[1:1] = ["--enable-auto-tool-choice", "--tool-call-parser", PARSER]
    sys.argv = ["vllm-mlx", *given]
    try:
        cli.main()
    except ConfigError as error:  # flags that do not go together with the cache
        print(f"anyclaude: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
