"""Prompts that are computed before anybody asks: which ones, and one after the other."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from ..errors import ConfigError
from . import files

logger = logging.getLogger("anyclaude.kv")

MAX_FILE_BYTES = 64 << 20
"""Of a file of prompts. Twice the largest request body that is taken."""

MAX_PROMPTS = 100
"""Of one call. More than that fills any budget before the first request comes."""

LAST_PROMPTS = 4
"""So many pairs of system prompt and tools are kept of the last session: its own and those of its subagents."""

LEAST_CHARACTERS = 4000
"""A shorter system prompt with its tools, a thousand tokens, is computed faster than it is worth keeping."""

ATTEMPTS = 20
"""So often a prompt gives way to requests before it is given up: somebody else has computed it by then."""

WRITE_EVERY = 60.0
"""Seconds between two writes of the last session's prompts: subagents change their order with each request."""

ATTRIBUTION = "x-anthropic-billing-header:"
"""How a first line of Claude Code's system prompts begins that differs between sessions; servers never see it."""

LOOK_EVERY = 0.2
"""Seconds between two looks whether a warm-up is still wanted."""

Prompt = Mapping[str, Any] | str | bytes
"""The body of a request for a message, or the text of a system prompt."""

Ask = Callable[[bytes, Callable[[], None]], None]
"""Asks the server for one token on a body of the Messages API. It calls what it is given while the prompt is read,
which raises to make it stop; it raises what goes wrong."""


WaitUntilIdle = Callable[[Callable[[], bool]], None]
"""Returns when the server has nothing to answer, or as soon as what it is given says that it is over."""


class Progress(NamedTuple):
    """How far a warm-up is."""

    done: int
    """Prompts that are computed, or were given up."""
    total: int
    failed: int
    seconds: float
    """Since the first began."""


class NotComputed(RuntimeError):
    """Why a server could not compute a prompt, in words of ours: they hold nothing of the prompt, and are told."""


class GivesWay(ConnectionError):
    """Stops a prompt that is computed for nobody."""


class Warming:
    """A warm-up that waits, is under way or done."""

    def __init__(self, bodies: list[bytes], progress: Callable[[Progress], None] | None) -> None:
        self._bodies = bodies
        self._tell = progress
        self._over = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.progress = Progress(0, len(bodies), 0, 0.0)
        """How far it is."""

    @property
    def done(self) -> bool:
        """Whether nothing more will be computed."""
        return self._over.is_set()

    @property
    def begun(self) -> bool:
        """Whether it has been started, or will not be any more."""
        return self._thread is not None or self.done

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is done; false if that takes longer than ``timeout`` seconds."""
        return self._over.wait(timeout)

    def stop(self) -> None:
        """Computes no more, and leaves what is under way."""
        self._stopped = True
        if self._thread is None:
            self._over.set()

    def start(
        self, ask: Ask, wait_until_idle: WaitUntilIdle, is_busy: Callable[[], bool], after: Warming | None = None
    ) -> None:
        """Begins, in a thread of its own, as soon as ``after`` is done. A second call does nothing."""
        if not self.begun:
            self._thread = threading.Thread(
                target=self._run, args=(ask, wait_until_idle, is_busy, after), name="anyclaude-kv-warm", daemon=True
            )
            self._thread.start()

    def _run(
        self, ask: Ask, wait_until_idle: WaitUntilIdle, is_busy: Callable[[], bool], after: Warming | None
    ) -> None:
        while after is not None and not self._stopped and not after.wait(LOOK_EVERY):
            pass
        after = None  # with all that it was asked for
        begun, failed = time.monotonic(), 0

        def check() -> None:
            if self._stopped or is_busy():
                raise GivesWay("somebody waits")

        try:
            for number, body in enumerate(self._bodies, 1):
                for _ in range(ATTEMPTS):
                    wait_until_idle(lambda: self._stopped)
                    if self._stopped:
                        return
                    try:
                        ask(body, check)
                    except GivesWay:
                        continue
                    except Exception as error:
                        failed += 1
                        why = error if isinstance(error, NotComputed) else type(error).__name__
                        logger.warning("prompt %d of the warm-up failed (%s)", number, why)
                    break
                self.progress = Progress(number, len(self._bodies), failed, time.monotonic() - begun)
                logger.info("warm-up: %d of %d prompts, %.1f s", number, len(self._bodies), self.progress.seconds)
                if self._tell is not None:
                    self._tell(self.progress)
        except Exception:
            logger.exception("the warm-up ended early")
        finally:
            self._over.set()


def bodies(prompts: Iterable[Prompt]) -> list[bytes]:
    """Prompts as bodies of requests for one token.

    Raises ``ConfigError`` that names the prompt by its number.
    """
    if isinstance(prompts, (str, bytes, Mapping)):
        raise ConfigError("warm: expected a list of prompts, not one prompt", "config")
    found: list[bytes] = []
    for number, prompt in enumerate(prompts):
        if number >= MAX_PROMPTS:
            raise ConfigError(f"warm: more than {MAX_PROMPTS} prompts", "config")
        found.append(_body(prompt, f"warm: prompts[{number}]"))
    return found


def _body(prompt: object, name: str) -> bytes:
    if isinstance(prompt, bytes):
        try:
            prompt = prompt.decode()
        except UnicodeDecodeError:
            raise ConfigError(f"{name}: not UTF-8", "config") from None
    if isinstance(prompt, str):
        prompt = _parsed(prompt, name) if prompt.lstrip().startswith("{") else {"system": prompt}
    if not isinstance(prompt, Mapping):
        raise ConfigError(f"{name}: expected a request body or a text, not {type(prompt).__name__}", "config")
    given = dict(cast("Mapping[str, Any]", prompt))
    if not any(given.get(part) for part in ("system", "tools", "messages")):
        raise ConfigError(f"{name}: has neither system, tools nor messages", "config")
    given.setdefault("model", "claude")
    given["messages"] = given.get("messages") or [{"role": "user", "content": "."}]
    # What shapes the answer and not the prompt would only be in the way.
    for part in ("stop_sequences", "tool_choice"):
        given.pop(part, None)
    given["max_tokens"], given["stream"] = 1, False
    try:
        return json.dumps(given).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: not JSON ({type(error).__name__})", "config") from None


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise ConfigError(f"{name}: not JSON ({where})", "config") from None


def read(source: Path | Literal["last"], last: LastPrompts | None) -> list[bytes]:
    """The bodies of a file, or of the last session. What cannot be read is told in the log: the server runs without."""
    try:
        if source == "last":
            return [] if last is None else bodies(last.read())
        return bodies(prompts_of(source))
    except (ConfigError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        logger.warning("nothing is warmed up: %s", why)
        return []


def prompts_of(path: Path) -> list[Prompt]:
    """The prompts of a file: one JSON object, an array of objects and texts, or one such a line.

    Raises ``ConfigError`` that names the line, and ``OSError``.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"warm: the file is larger than {MAX_FILE_BYTES} bytes", "config")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("warm: the file is not UTF-8", "config") from None
    try:
        whole: Any = json.loads(text)
    except (ValueError, RecursionError):
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return [_parsed(line, f"warm: line {number}") for number, line in lines]
    return cast("list[Prompt]", whole if isinstance(whole, list) else [whole])


class LastPrompts:
    """System prompts and tools of the last session, in a file that only its owner can read."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` tells the time in seconds."""
        self._path = folder / "last.json"
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[dict[str, Any]] = []
        self._written: list[dict[str, Any]] = []
        self._written_at: float | None = None

    def note(self, body: bytes) -> None:
        """Takes a request's body; what has changed is written, once in ``WRITE_EVERY`` seconds and at the end."""
        try:
            given: Any = json.loads(body)
            prompt = {part: given[part] for part in ("system", "tools", "model") if given.get(part)}
            if "system" in prompt:
                prompt["system"] = _without_attribution(prompt["system"])
            if len(json.dumps([prompt.get("system"), prompt.get("tools")])) < LEAST_CHARACTERS:
                return
            with self._lock:
                self._kept = [*(other for other in self._kept if other != prompt), prompt][-LAST_PROMPTS:]
                if self._written_at is None or self._clock() - self._written_at >= WRITE_EVERY:
                    self._write()
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            logger.debug("the last system prompt could not be kept (%s)", type(error).__name__)

    def close(self) -> None:
        """Writes what has changed since the last time. More may come."""
        try:
            with self._lock:
                self._write()
        except (OSError, ValueError) as error:
            logger.debug("the last system prompts could not be kept (%s)", type(error).__name__)

    def _write(self) -> None:
        if self._kept != self._written:
            files.write_private(self._path, json.dumps(self._kept).encode())
            self._written, self._written_at = self._kept, self._clock()

    def read(self) -> list[Prompt]:
        """The prompts of the last session, the one that came last first; none if there was no session.

        Raises ``OSError`` and ``ConfigError`` for a file that is no such.
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            return []
        with open(descriptor, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        try:
            found: Any = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, list):
            raise ConfigError("the last session's prompts are damaged", "config")
        return list(reversed(cast("list[Prompt]", found)))


def _without_attribution(system: Any) -> Any:
    """A system prompt as it is rendered: without its first line, if that says whose it is."""
    if isinstance(system, str):
        return system.partition("\n")[2].lstrip("\n") if system.startswith(ATTRIBUTION) else system
    if not isinstance(system, list) or not system:
        return cast(Any, system)
    first, *others = cast("Sequence[Any]", system)
    text: Any = cast("dict[str, Any]", first).get("text") if isinstance(first, dict) else None
    if not isinstance(text, str) or not text.startswith(ATTRIBUTION):
        return cast(Any, system)
    rest = text.partition("\n")[2].lstrip("\n")
    return [{**first, "text": rest}, *others] if rest.strip() else others
