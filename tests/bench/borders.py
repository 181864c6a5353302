#!/usr/bin/env python3
"""What crossing into Python costs: sizes, import time, calls a second, and when to let go of the interpreter.

Run by `make bench-python` with the Python that the wheel is installed in. Figures are of this machine; the
table at the end is what `DETACH_FROM` in python/src/interpreter.rs was chosen by.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import anyclaude
from anyclaude import _native

ROUNDS = 5
SECONDS = 0.3
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":" hello"}}]}\n\n'
CHUNK = {"choices": [{"index": 0, "delta": {"content": " hello"}}]}
SMALL = json.dumps(
    {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Say hello"}]}
).encode()


def request(size: int) -> bytes:
    """A request of about so many bytes, most of them tools, as Claude Code's are."""
    tool = {
        "name": "Tool",
        "description": "Does what it says. " * 60,
        "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
    }
    tools = [{**tool, "name": f"Tool{number}"} for number in range(size // len(json.dumps(tool)))]
    return json.dumps({**json.loads(SMALL), "tools": tools}).encode()


def per_second(call: Callable[[], object]) -> float:
    """Calls a second, the median of several rounds."""
    rates: list[float] = []
    for _ in range(ROUNDS):
        calls, begun = 0, time.perf_counter()
        while (took := time.perf_counter() - begun) < SECONDS:
            for _ in range(20):
                call()
            calls += 20
        rates.append(calls / took)
    return statistics.median(rates)


def sizes_and_import() -> None:
    compiled = Path(_native.__file__ or "")
    print(f"compiled module     {compiled.stat().st_size / 1e6:8.2f} MB, stripped")
    for wheel in sorted(Path(".cache/wheel").glob("*.whl")):
        print(f"wheel               {wheel.stat().st_size / 1e6:8.2f} MB  {wheel.name}")

    def start(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        return time.perf_counter() - begun

    bare = statistics.median(start("pass") for _ in range(15))
    with_us = statistics.median(start("import anyclaude") for _ in range(15))
    print(f"import anyclaude    {(with_us - bare) * 1e3:8.1f} ms more than {bare * 1e3:.1f} ms of a bare Python")


def calls() -> None:
    translator = anyclaude.Translator("mlx-lm")
    large = request(97_000)
    converter = anyclaude.StreamConverter(anyclaude.RequestContext.for_model("m"))
    parser = anyclaude.ToolParser("hermes", tools=[{"name": "Bash", "input_schema": {"type": "object"}}])
    print("\ncalls a second from Python")
    for name, call in (
        ("StreamConverter.push, one token", lambda: converter.push(TOKEN)),
        ("StreamConverter.push_chunk, one token as a dict", lambda: converter.push_chunk(CHUNK)),
        ("ToolParser.push, one token", lambda: parser.push(" hello")),
        (f"Translator.request, {len(SMALL)} bytes", lambda: translator.request(SMALL)),
        (f"Translator.request, {len(large)} bytes", lambda: translator.request(large)),
        ("a Python call that does nothing", lambda: None),
    ):
        print(f"  {name:50} {per_second(call):12,.0f}")


def push_cost(size: int, detached: bool, busy: bool) -> tuple[float, float]:
    """Seconds that a push takes, and the share of a core that another Python thread gets meanwhile."""
    data = TOKEN * max(1, size // len(TOKEN))
    before = _native._detach_from(0 if detached else sys.maxsize)
    turns, ended = 0, threading.Event()

    def spin() -> None:
        nonlocal turns
        while not ended.is_set():
            turns += 1

    other = threading.Thread(target=spin)
    if busy:
        other.start()
    took: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        converter = anyclaude.StreamConverter(anyclaude.RequestContext.for_model("m"))
        start = time.perf_counter()
        converter.push(data)
        took.append(time.perf_counter() - start)
    elapsed = time.perf_counter() - began
    ended.set()
    if busy:
        other.join()
    _native._detach_from(before)
    return statistics.median(took), turns / elapsed


def threshold() -> None:
    print("\nStreamConverter.push: keeping the interpreter, or letting go of it")
    print("     bytes    alone, us       beside a busy thread, us    turns of that thread, a ms")
    print("             keep     go        keep        go                keep        go")
    for size in (64, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20):
        alone = [push_cost(size, detached, busy=False)[0] * 1e6 for detached in (False, True)]
        beside = [push_cost(size, detached, busy=True) for detached in (False, True)]
        times = [took * 1e6 for took, _ in beside]
        turns = [rate / 1e3 for _, rate in beside]
        print(
            f"{size:10,} {alone[0]:8.1f} {alone[1]:8.1f}  {times[0]:9.1f} {times[1]:9.1f}"
            f"         {turns[0]:9.0f} {turns[1]:9.0f}"
        )


if __name__ == "__main__":
    sizes_and_import()
    calls()
    threshold()
