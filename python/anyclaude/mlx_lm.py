"""The Messages API inside of mlx-lm's server.

As a command, with all flags of ``mlx_lm.server``::

    python -m anyclaude.mlx_lm serve MODEL --port 8080

Or in a script of your own, before its ``run`` or ``main``::

    import mlx_lm.server as server
    anyclaude.mlx_lm.install(server)

``POST /v1/messages`` and ``/v1/messages/count_tokens`` are answered in the server's own handler, through its own
chat completions: its batching stays what it is. Its prompt cache makes room for anyclaude's prefix cache, unless
``cache="off"`` or ``--anyclaude-cache off`` says otherwise.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from email.message import Message
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from ._host import chat_template, check_shape, load, model_config
from ._native import COMMIT_AFTER, MAX_BODY_BYTES, PING_INTERVAL, STALL_TIMEOUT, MessagesApi, Reply
from ._options import Options, messages_api
from ._timing import Timing, checked
from ._turn import LOOK_EVERY, Turn, inner_handler, send_reply
from .errors import ConfigError
from .kv import mlx_lm as mlx_lm_cache
from .kv.handle import PrefixCacheHandle
from .kv.options import Cache, flags, take_flags
from .kv.options import settings as cache_settings
from .kv.warm import NotComputed

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["TESTED", "install", "main"]

TESTED = "0.32.2"
"""The version of mlx-lm that this was tried with."""

# What mlx-lm calls the model that it was started with.
LOADED = "default_model"

_MESSAGES = "/v1/messages"
_COUNT_TOKENS = "/v1/messages/count_tokens"
_CHAT = "/v1/chat/completions"

_USED = ("APIHandler", "_run_http_server", "run", "main")
_USED_OF_HANDLER = ("do_POST", "do_GET", "handle_completion", "handle_chat_completions", "_set_cors_headers")


def install(
    server: ModuleType | None = None,
    *,
    commit_after: float = COMMIT_AFTER,
    ping_interval: float = PING_INTERVAL,
    stall_timeout: float | None = STALL_TIMEOUT,
    max_body_bytes: int = MAX_BODY_BYTES,
    cache: Cache = None,
    **options: Unpack[Options],
) -> PrefixCacheHandle | None:
    """Puts the Messages API and the prefix cache into ``mlx_lm.server``, for servers that are started from now on.

    ``cache`` is a dict of ``anyclaude.kv.options.CacheOptions``, or ``off`` for the server's own. The other settings
    are those of ``anyclaude.asgi.AnthropicMiddleware``. Gives the prefix cache, by which prompts are warmed up and
    numbers are had, or ``None`` if it is off. A second call does nothing, and gives what the first one gave.

    Raises ``ConfigError`` if mlx-lm is not there or of another shape than the tested version, and for a setting that is
    unknown or makes no sense.
    """
    module: Any = load("mlx_lm.server", "mlx-lm", TESTED) if server is None else server
    check_shape(module, "mlx-lm", TESTED, _USED)
    check_shape(module.APIHandler, "mlx-lm", TESTED, _USED_OF_HANDLER)
    timing, settings = checked(commit_after, ping_interval, stall_timeout, max_body_bytes), cache_settings(cache)
    plain = module.APIHandler
    if settings is not None:
        _check_shape_for_cache(module)
    door = Door(plain, options, timing)
    there: Door | None = getattr(plain, "anyclaude", None)
    if there is not None:
        return there.cache
    if settings is not None:
        door.cache = PrefixCacheHandle(settings)
        mlx_lm_cache.put_in(module, door.cache)
        plain = type(plain.__name__, (mlx_lm_cache.UsageHandler, plain), {"plain_usage": plain})
        door.inner = inner_handler(plain)
    handler = type(plain.__name__, (AnthropicHandler, plain), {"anyclaude": door, "plain": plain})
    module.APIHandler = handler
    # The function has the plain handler as its default.
    run: Any = functools.partial(module._run_http_server, handler_class=handler)

    @functools.wraps(module._run_http_server)
    def run_http_server(host: Any, port: Any, response_generator: Any, *arguments: Any, **named: Any) -> Any:
        if door.cache is not None:
            door.cache.serves(functools.partial(door.ask, response_generator))
        return run(host, port, response_generator, *arguments, **named)

    module._run_http_server = run_http_server
    return door.cache


def _check_shape_for_cache(module: Any) -> None:
    try:
        check_shape(module, "mlx-lm", TESTED, mlx_lm_cache.USED)
        check_shape(module.ResponseGenerator, "mlx-lm", TESTED, mlx_lm_cache.USED_OF_GENERATOR)
        check_shape(module.APIHandler, "mlx-lm", TESTED, mlx_lm_cache.USED_OF_HANDLER)
    except ConfigError as error:
        raise ConfigError(f"{error}; without the prefix cache (cache='off') that is not needed", "config") from None


class Door:
    """What all requests of a server share."""

    def __init__(self, handler: Any, options: Options, timing: Timing) -> None:
        self.commit_after, self.ping_interval, self.stall_timeout, self.max_body_bytes = timing
        self.api: MessagesApi = messages_api("mlx-lm", options)
        self.inner = inner_handler(handler)
        self.cache: PrefixCacheHandle | None = None
        self._tokenizer: Any = None

    def tell_model(self, handler: Any) -> None:
        """The window and template of the model that the server was started with, whenever it is loaded."""
        provider = getattr(handler.response_generator, "model_provider", None)
        tokenizer = getattr(provider, "tokenizer", None)
        name = getattr(getattr(provider, "cli_args", None), "model", None)
        loaded, *_ = getattr(provider, "model_key", None) or (None,)
        # Between the two looks another thread may have loaded another model, which clients may ask for by name.
        is_it = loaded is not None and loaded == name and tokenizer is getattr(provider, "tokenizer", None)
        if not is_it or tokenizer is None or tokenizer is self._tokenizer:
            return
        self._tokenizer = tokenizer
        self.api.told_model(LOADED, model_config(name), chat_template(tokenizer))

    def answer(self, handler: Any, path: str) -> None:
        """Answers a POST to one of the paths."""
        # The server speaks HTTP/1.0; a stream that ends with the connection cannot be told from one that broke.
        if handler.request_version == "HTTP/1.1":
            handler.protocol_version = "HTTP/1.1"
        handler.close_connection = True
        self.tell_model(handler)
        body = self._read(handler)
        if body is None:
            return None
        items: list[tuple[str, str]] = handler.headers.items()
        headers = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in items]
        if isinstance(body, Reply):
            return send_reply(handler, body)
        if path == _COUNT_TOKENS:
            return send_reply(handler, self.api.count_tokens(headers, body))
        begun = self.api.exchange(headers, body)
        if isinstance(begun, Reply):
            return send_reply(handler, begun)
        Turn(self, handler, begun, _CHAT).run()
        if self.cache is not None:
            self.cache.note(body)
        return None

    def ask(self, generator: Any, body: bytes, check: Callable[[], None]) -> None:
        """Has a message answered that came from no client, and nobody reads.

        Raises what ``check`` raises, and ``NotComputed`` with the server's status.
        """
        provider = generator.model_provider
        if not provider.cli_args.model:
            raise NotComputed("the server has no model of its own")
        while provider.model is None:
            # Before that nobody knows how its template takes tools.
            if not generator.generation_available():
                raise NotComputed("the server has no model")
            check()
            time.sleep(LOOK_EVERY)
        outer = SimpleNamespace(
            headers=Message(), response_generator=generator, created=int(time.time()), system_fingerprint="",
            request_version="HTTP/1.1", client_address=("warm-up", 0),
        )  # fmt: skip
        self.tell_model(outer)
        begun = self.api.exchange([], body)
        if isinstance(begun, Reply):
            raise NotComputed(f"refused ({begun.status})")
        nobody = Nobody(check)
        self.inner.around(nobody, outer, _CHAT, begun.body).do_POST()
        nobody.end()

    def _read(self, handler: Any) -> bytes | Reply | None:
        """The request's body, the answer to one that cannot be read, or ``None`` when the client has gone."""
        length = handler.headers.get("Content-Length")
        if length is None:
            return self.api.error(411, "Content-Length: the header is required, a chunked body is not taken")
        if not (length.isascii() and length.isdigit()):
            return self.api.error(400, f"Content-Length: {length!r:.40} is no number")
        length = length.lstrip("0") or "0"
        # Python refuses to read numbers of thousands of digits.
        if len(length) > len(str(self.max_body_bytes)) or int(length) > self.max_body_bytes:
            return self.api.error(413, f"the request body is larger than {self.max_body_bytes} bytes (max_body_bytes)")
        body: bytes = handler.rfile.read(int(length))
        return body if len(body) == int(length) else None


class Nobody:
    """In place of the turn of a client."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._stopped: Exception | None = None
        self._status = 0

    def begin(self, status: int, headers: dict[str, str]) -> None:
        """The head of the server's answer is there."""
        self._status = status

    def take(self, data: bytes) -> None:
        """More of the answer is there."""

    def check(self) -> None:
        """Raises when the answer is not wanted any more."""
        try:
            self._check()
        except Exception as error:
            self._stopped = error
            raise

    def end(self) -> None:
        """The answer has ended. Raises if it is none."""
        if self._stopped is not None:
            raise self._stopped
        if self._status != 200:
            raise NotComputed(f"refused ({self._status})")


class AnthropicHandler:
    """What goes before the server's handler: two paths more."""

    anyclaude: Door
    plain: Any
    """The server's own handler class."""
    path: str

    def do_POST(self) -> None:
        cache = self.anyclaude.cache
        with nullcontext() if cache is None else cache.request():
            self._post()

    def _post(self) -> None:
        path = _path(self.path)
        if path not in (_MESSAGES, _COUNT_TOKENS):
            self.plain.do_POST(self)
            return
        try:
            self.anyclaude.answer(self, path)
        except ConnectionError:
            pass  # the client has gone; what was generated for it has been stopped

    def do_GET(self) -> None:
        path = _path(self.path)
        if path not in (_MESSAGES, _COUNT_TOKENS):
            self.plain.do_GET(self)
        else:
            send_reply(self, self.anyclaude.api.method_not_allowed("GET", path))


def _path(target: str) -> str:
    return target.partition("?")[0].rstrip("/")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs ``mlx_lm.server`` with the Messages API in it; the arguments are its own."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] != ["serve"]:
        print("usage: python -m anyclaude.mlx_lm serve [MODEL] [the flags of mlx_lm.server]", file=sys.stderr)
        print(f"\n{flags().format_help()}", file=sys.stderr)
        return 0 if given[:1] in (["--help"], ["-h"]) else 2
    del given[0]
    if "--help" in given or "-h" in given:
        print(flags().format_help())
    try:
        cache, given = take_flags(given)
        server: Any = load("mlx_lm.server", "mlx-lm", TESTED)
        install(server, cache=cache)
    except ConfigError as error:
        print(f"anyclaude: {error}", file=sys.stderr)
        return 2
    if given and not given[0].startswith("-"):
        given.insert(0, "--model")
    sys.argv = ["mlx_lm.server", *given]
    server.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
