"""The proxy: ``start_proxy``, its handle, and what it tells of requests.

It runs on threads of its own, which never call into Python. Functions that may wait let other Python
threads run meanwhile; each has an awaitable twin, with an ``a`` before its name, that lets the event loop
run.
"""

from __future__ import annotations

import atexit
import json
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Union, cast

from . import _native
from .errors import StoppedError

if TYPE_CHECKING:
    from asyncio import Future

    from typing_extensions import Self, Unpack

_T = TypeVar("_T")


class Settings(TypedDict, total=False):
    """The keys of a configuration; ``anyclaude config schema`` describes each. Times are texts such as ``250ms``."""

    backend: str
    backend_url: str | None
    api_key: str | None
    backend_api: Literal["chat", "messages"]
    model: str | None
    context_window: int | None
    tools: Literal["auto", "on", "text", "off"]
    tool_format: str
    prompt_opens_thinking: Literal["auto", "on", "off"]
    backend_stream: Literal["auto", "on", "off"]
    images: Literal["auto", "on", "off"]
    max_output_tokens: int | None
    pin_lines: list[str]
    host: str
    port: int
    inbound_token: str | None
    allowed_hosts: list[str]
    allowed_origins: list[str]
    commit_after: str
    ping_interval: str
    connect_timeout: str
    first_byte_timeout: str
    stall_timeout: str
    header_timeout: str
    body_timeout: str
    max_body_bytes: int
    debug: int
    home: str | None
    trace_max_bytes: int
    trace_max_age: str
    run_file: bool
    claude_path: str | None
    proxy_only: bool
    worker_threads: int | None


class RequestStartedEvent(TypedDict):
    """A request is on its way to the backend, or has failed before."""

    type: Literal["request_started"]
    request_id: str
    model: str | None
    backend_model: str | None
    stream: bool
    estimated_input_tokens: int


class FirstTokenEvent(TypedDict):
    """The model has said something, ``ms`` milliseconds after the request came."""

    type: Literal["first_token"]
    request_id: str
    ms: int


class ToolCallEvent(TypedDict):
    """The model calls a tool; its arguments may still be coming."""

    type: Literal["tool_call"]
    request_id: str
    id: str
    name: str


class DoneEvent(TypedDict):
    """The request was answered, ``ms`` milliseconds after it came."""

    type: Literal["done"]
    request_id: str
    status: int
    stop_reason: str | None
    input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    ms: int


class ErrorEvent(TypedDict):
    """The request failed."""

    type: Literal["error"]
    request_id: str
    status: int
    kind: str
    message: str
    ms: int


class CancelledEvent(TypedDict):
    """The client went away before the end."""

    type: Literal["cancelled"]
    request_id: str
    ms: int


class MissedEvent(TypedDict):
    """So many events were dropped here, because nobody pulled them in time."""

    type: Literal["missed"]
    count: int


ProxyEvent = Union[
    RequestStartedEvent, FirstTokenEvent, ToolCallEvent, DoneEvent, ErrorEvent, CancelledEvent, MissedEvent
]
"""What happens to requests: plain dicts, told apart by their ``type``."""

# How often it is looked whether somebody still waits for an event, in seconds.
_SLICE = 0.25


class Proxy:
    """A running proxy. Any number of threads may use one.

    As a context manager it stops at the end of the block. It stops at once when nobody refers to it any
    more, and when Python ends.
    """

    def __init__(self, native: _native.Proxy) -> None:
        """``start_proxy`` makes one."""
        self._native = native
        _running.add(self)

    @property
    def url(self) -> str:
        """What clients set as ``ANTHROPIC_BASE_URL``."""
        return self._native.url

    @property
    def port(self) -> int:
        """The bound port."""
        return self._native.port

    def stats(self) -> dict[str, int]:
        """Counters since the start."""
        return self._native.stats()

    def backend(self) -> dict[str, Any]:
        """The backend that requests go to now."""
        return self._native.backend()

    def warnings(self) -> list[str]:
        """What users should know of this backend: windows that are too small, prompts that it cuts."""
        return self._native.warnings()

    def prefix_reports(self, session: str = "") -> list[dict[str, Any]]:
        """The last prefix reports of the sessions whose id begins so, the oldest first."""
        return self._native.prefix_reports(session)

    def set_backend(self, backend: str, **choice: Any) -> dict[str, Any]:
        """From now on requests go to another backend; those in flight end on the one they began with.

        The keys are those of the settings that tell of the backend. Raises ``ConfigError`` for a choice that
        makes no sense, ``StoppedError`` after the stop.
        """
        return self._native.set_backend({"backend": backend, **choice})

    def next_event(self, timeout: float | None = None) -> ProxyEvent | None:
        """The next event since the start; ``None`` when none came within ``timeout`` seconds.

        Each event goes to one caller. Some thousand wait to be pulled, then the oldest make room. Raises
        ``StoppedError`` once the proxy has stopped and all have been read.
        """
        return self._native.next_event(timeout)

    def events(self) -> Iterator[ProxyEvent]:
        """The events until the proxy stops."""
        while True:
            try:
                event = self.next_event()
            except StoppedError:
                return
            if event is not None:
                yield event

    def stop(self, grace: float = 5.0) -> None:
        """Takes no more requests, waits up to ``grace`` seconds for those in flight, then breaks them off."""
        self._native.stop(grace)

    async def anext_event(self, timeout: float | None = None) -> ProxyEvent | None:
        """As ``next_event``. May be cancelled without an event being lost."""
        from asyncio import sleep
        from time import monotonic

        if timeout is not None:
            self._native.wait_event(min(timeout, 0.0))  # refuses what is no time
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            await sleep(0)  # others have their turn however many events there are
            if (event := self._native.next_event(0.0)) is not None:
                return event
            # Another reader may then be faster.
            if not await self._wait_event(deadline):
                return None

    async def _wait_event(self, deadline: float | None) -> bool:
        """Waits on a thread of its own: the event loop's own ones are few, and others need them."""
        from asyncio import get_running_loop
        from threading import Thread
        from time import monotonic

        native, loop = self._native, get_running_loop()
        future: Future[bool] = loop.create_future()

        def settle(came: bool, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(came)
            else:
                future.set_exception(error)

        def wait() -> None:
            came, error = False, None
            try:
                # A caller that was cancelled is seen between two slices.
                while not came and not future.done():
                    left = _SLICE if deadline is None else deadline - monotonic()
                    if left <= 0.0:
                        break
                    came = native.wait_event(min(left, _SLICE))
            except BaseException as raised:
                error = raised
            try:
                loop.call_soon_threadsafe(settle, came, error)
            except RuntimeError:
                pass  # the loop has been closed: nobody waits

        # Python's end does not wait for it.
        Thread(target=wait, name="anyclaude-event", daemon=True).start()
        return await future

    async def aevents(self) -> AsyncIterator[ProxyEvent]:
        """As ``events``."""
        while True:
            try:
                event = await self.anext_event()
            except StoppedError:
                return
            if event is not None:
                yield event

    async def astop(self, grace: float = 5.0) -> None:
        """As ``stop``."""
        await _in_thread(self._native.stop, grace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.astop()

    def __repr__(self) -> str:
        from .errors import ForkError

        try:
            return f"<anyclaude.Proxy at {self._native.url}>"
        except ForkError:
            return "<anyclaude.Proxy of the parent process>"


def start_proxy(config: dict[str, Any] | str | bytes | None = None, **settings: Unpack[Settings]) -> Proxy:
    """Starts a proxy, and returns when its port is bound; any free one unless ``port`` says which.

    ``config`` is an object as in a configuration file, or its JSON; keyword arguments win over it. Neither
    files nor variables are read. Raises ``ConfigError`` that names the key, ``ProxyError`` where the address
    cannot be bound.

        >>> import anyclaude
        >>> with anyclaude.start_proxy(backend="demo") as proxy:
        ...     proxy.url[:17], proxy.stats()["requests"]
        ('http://127.0.0.1:', 0)
    """
    return Proxy(_native.start_proxy(_merged(config, settings)))


async def astart_proxy(config: dict[str, Any] | str | bytes | None = None, **settings: Unpack[Settings]) -> Proxy:
    """As ``start_proxy``: ``async with await astart_proxy() as proxy: ...``."""
    return Proxy(await _in_thread(_native.start_proxy, _merged(config, settings)))


def _merged(config: dict[str, Any] | str | bytes | None, settings: Settings) -> dict[str, Any] | str | bytes:
    if config is None:
        return {**settings}
    if not settings:
        return config
    if not isinstance(config, dict):
        try:
            parsed: Any = json.loads(config)
        except (ValueError, RecursionError):
            return config  # which is refused, in words that do not repeat it
        if not isinstance(parsed, dict):
            return config  # which is refused, in words
        config = cast("dict[str, Any]", parsed)
    return {**config, **settings}


async def _in_thread(call: Callable[..., _T], *arguments: Any) -> _T:
    # An import of anyclaude brings no event loop.
    from asyncio import to_thread

    return await to_thread(call, *arguments)


_running: weakref.WeakSet[Proxy] = weakref.WeakSet()


def _stop_all() -> None:
    """Before Python takes itself apart. In a child of the process that started them they are not ours."""
    from .errors import AnyClaudeError

    for proxy in list(_running):
        try:
            proxy.stop(grace=0.0)
        except AnyClaudeError:
            pass


atexit.register(_stop_all)
