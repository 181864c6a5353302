#!/usr/bin/env python3
"""What the prefix cache does inside of a server, beside what the server's own cache does, on any model.

    make bench-kv ARGS="--server vllm-mlx-batching --model PATH --tokens 8000"

or, with a Python of your own that has the server and anyclaude:

    python3 tests/bench/kv.py --server mlx-lm --model PATH --python VENV/bin/python --anyclaude $(command -v anyclaude)

Starts the server with anyclaude's cache off, and then with it on, and has `anyclaude bench prefix` send each what a
Claude Code with subagents sends. Then each is restarted in the middle of a day's work. Times are those until an answer
begins, ratios are to the cold start of the same run; what is reused is by the server's own count, where it has one.
Both servers are behind the same proxy, so that both get the same stable prompts: the cache alone makes the difference.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
OWN_CACHE = ROOT / ".cache"

SERVERS = {
    "mlx-lm": ("mlx", "anyclaude.mlx_lm", "mlx-lm", ()),
    "vllm-mlx": ("vllm-mlx", "anyclaude.vllm_mlx", "vllm-mlx", ()),
    "vllm-mlx-batching": ("vllm-mlx", "anyclaude.vllm_mlx", "vllm-mlx", ("--continuous-batching",)),
}
"""Of each its environment in .cache/venv, our module in it, the proxy's word for it, and its flags."""

START_SECONDS = 600
"""How long a large model may take to be read from a disk."""

ANSWER_SECONDS = 1800
"""How long a prompt may take without a cache."""

SAVE_SECONDS = 60
"""How long a state may take to be saved."""

LEAST_TOKENS = 2000
"""Tools with fewer are none of Claude Code's."""

RESTART = "new session after a restart"
AS_THE_NEXT_TURN = ("new session", "second subagent of a kind", "tools in another order")
GOAL_SHARE = 0.8
"""Of the next turn's ratio."""
GOAL_REPEAT = 10.0
GOAL_RESTART = 50.0
NOISE = 0.9
"""What is at least this part of another is no worse than it: the same case differs by more from run to run."""


class Case(NamedTuple):
    """One row of one server."""

    seconds: float
    ratio: float
    reused: float | None
    """The share of the prompt; ``None`` where the server says nothing."""


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="bench-kv-") as folder:
        found = {name: measured(options, name == "with", Path(folder) / name) for name in ("alone", "with")}
    goals = judged(found)
    if options.json:
        report = {
            "server": options.server, "model": options.model, "tokens": options.tokens, "rounds": options.rounds,
            "alone": {case: row._asdict() for case, row in found["alone"].items()},
            "with": {case: row._asdict() for case, row in found["with"].items()},
            "goals": [{"goal": goal, "case": case, "pass": passed} for case, goal, passed in goals],
        }  # fmt: skip
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n")
    show(options, found, goals)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--server", choices=SERVERS, default="mlx-lm")
    parser.add_argument("--model", default=str(OWN_CACHE / "model" / "tiny"), help="a folder, or a name in the hub's cache")
    parser.add_argument("--tokens", type=int, default=8000, help="about how many the first prompt has")
    parser.add_argument("--rounds", type=int, default=1, help="how often everything is measured; medians are shown")
    parser.add_argument("--python", help="one that has the server and anyclaude (default: that of `make embedded`)")
    parser.add_argument("--anyclaude", help="the program (default: that of `make cli`)")
    parser.add_argument("--flags", default="", help="more flags of the server, as one text")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    if options.tokens < LEAST_TOKENS or options.rounds < 1:
        parser.error(f"--tokens begins at {LEAST_TOKENS}, --rounds at 1")
    options.python = options.python or str(OWN_CACHE / "venv" / SERVERS[options.server][0] / "bin" / "python")
    options.anyclaude = options.anyclaude or str(ROOT / "target" / "release" / "anyclaude")
    for name in ("python", "anyclaude"):
        if not os.access(getattr(options, name), os.X_OK):
            parser.error(f"--{name}: there is no program {getattr(options, name)}: run `make cli embedded`, or name it")
    return options


def measured(options: argparse.Namespace, cached: bool, folder: Path) -> dict[str, Case]:
    """All rows of the server, with the cache or without."""
    folder.mkdir()
    with served(options, cached, folder) as port:
        rows = sessions(options, port, folder)
    rounds = [restarted(options, cached, folder) for _ in range(options.rounds)]
    reused = [case.reused for case in rounds if case.reused is not None]
    rows[RESTART] = Case(
        median(case.seconds for case in rounds), median(case.ratio for case in rounds), median(reused) if reused else None
    )
    return rows


@contextmanager
def served(options: argparse.Namespace, cached: bool, folder: Path) -> Iterator[int]:
    """The server, on a free port, with files of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    _, module, _, flags = SERVERS[options.server]
    own = ["--anyclaude-cache-disk", str(folder / "states")] if cached else ["--anyclaude-cache", "off"]
    command = [options.python, "-m", module, "serve", options.model, "--host", "127.0.0.1", "--port", str(port)]
    print(f"{'with' if cached else 'without'} the cache: {options.server} on port {port} ...", file=sys.stderr, flush=True)
    log = folder / "server.log"
    with log.open("ab") as sink:
        server = subprocess.Popen(
            [*command, *flags, *own, *shlex.split(options.flags)],
            stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment(folder), start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(lambda: is_healthy(server, port, log), START_SECONDS, "the server does not start")
        yield port
    finally:
        # Politely: servers save what they keep.
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


def environment(folder: Path) -> dict[str, str]:
    """Some servers keep states in the home folder: this run's are none of the user's. Models stay where they are."""
    hub = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    own = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "HF_HOME": hub}
    return {**os.environ, **own, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


def is_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    if server.poll() is not None:
        raise SystemExit(f"the server ended with {server.returncode}\n{log.read_text(errors='replace')[-2000:]}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def wait_for(ready: Any, seconds: float, why: str) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{why} ({seconds:.0f} s)")
        time.sleep(0.1)


def sessions(options: argparse.Namespace, port: int, folder: Path) -> dict[str, Case]:
    """What a day's work is made of, by the program's own bench."""
    kind = SERVERS[options.server][2]
    command = [
        options.anyclaude, "bench", "prefix", "--backend", kind, "--backend-url", f"http://127.0.0.1:{port}/v1",
        "--rounds", str(options.rounds), "--tokens", str(options.tokens), "--json",
    ]  # fmt: skip
    if model := model_of(port):
        command += ["--model", model]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment(folder))
    if done.returncode:
        raise SystemExit(f"anyclaude bench prefix failed\n{done.stderr[-2000:]}")
    cases = json.loads(done.stdout)["cases"]
    tells = any(case["reused_tokens"] for case in cases)
    return {
        case["case"]: Case(
            case["seconds"], case["ratio"], case["reused_tokens"] / max(1, case["prompt_tokens"]) if tells else None
        )
        for case in cases
    }


def restarted(options: argparse.Namespace, cached: bool, folder: Path) -> Case:
    """A session, the end of the server, and another session with its system prompt and tools."""
    prompt, before = Prompt(options.tokens), saved(folder)
    with served(options, cached, folder) as port:
        ask(port, Prompt(50), "Say hello.")  # what a process does once is part of no prompt
        cold, _ = ask(port, prompt, "What is this project about?")
        if cached:
            wait_for(lambda: saved(folder) - before, SAVE_SECONDS, "nothing was saved")
    with served(options, cached, folder) as port:
        ask(port, Prompt(50), "Say hello.")
        seconds, reused = ask(port, prompt, "Which tests does it have?")
    return Case(seconds, cold / seconds, reused)


def saved(folder: Path) -> set[Path]:
    """The files of states."""
    return set((folder / "states").glob("*.safetensors"))


class Prompt:
    """System prompt and tools of about so many tokens, which no server has seen."""

    def __init__(self, tokens: int) -> None:
        words = random.Random(time.time_ns())
        text = "".join(f"{words.choice(WORDS)} " for _ in range(tokens))
        half = len(text) // 2
        self.system = f"You are helper number {words.getrandbits(64)}. {text[:half]}"
        parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
        pieces = [text[half + at : half + at + 1000] for at in range(0, len(text) - half, 1000)]
        self.tools = [
            {"type": "function", "function": {"name": f"Tool{number}", "description": piece, "parameters": parameters}}
            for number, piece in enumerate(pieces)
        ]


WORDS = "the a file line test word value index record answer module method reads writes opens returns small often".split()


def ask(port: int, prompt: Prompt, words: str) -> tuple[float, float | None]:
    """Seconds until the answer begins, and the share of the prompt that was reused."""
    body = {
        "model": "default_model", "max_tokens": 8, "stream": True, "stream_options": {"include_usage": True},
        "tools": prompt.tools,
        "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": words}],
    }  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        body["model"] = model_of(port) or body["model"]
        begun = time.monotonic()
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"the server answered {answer.status}: {answer.read(500)!r}")
        return read(answer, begun)
    finally:
        connection.close()


def model_of(port: int) -> str | None:
    """vllm-mlx wants its model by name, mlx-lm may have no list."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/v1/models")
        names = [model["id"] for model in json.loads(connection.getresponse().read())["data"]]
        return names[0] if len(names) == 1 else None
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def read(answer: http.client.HTTPResponse, begun: float) -> tuple[float, float | None]:
    seconds, reused = None, None
    for line in answer:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        for choice in event.get("choices") or []:
            delta = choice.get("delta") or {}
            if seconds is None and any(delta.get(name) for name in ("content", "reasoning", "tool_calls")):
                seconds = time.monotonic() - begun
        usage = event.get("usage")
        if usage and "prompt_tokens_details" in usage:
            reused = (usage["prompt_tokens_details"] or {}).get("cached_tokens", 0) / max(1, usage["prompt_tokens"])
    return (time.monotonic() - begun if seconds is None else seconds), reused


def judged(found: dict[str, dict[str, Case]]) -> list[tuple[str, str, bool]]:
    """The goals: what, of which row, and whether it was met."""
    alone, own = found["alone"], found["with"]
    goals = [("same request", f"at least {GOAL_REPEAT:.0f} x", own["same request"].ratio >= GOAL_REPEAT)]
    wanted = GOAL_SHARE * own["next turn"].ratio
    goals += [(case, f"{GOAL_SHARE:.0%} of the next turn", own[case].ratio >= wanted) for case in AS_THE_NEXT_TURN]
    goals.append((RESTART, f"at least {GOAL_RESTART:.0f} x", own[RESTART].ratio >= GOAL_RESTART))
    goals += [
        (case, "no less than the engine's own", is_no_worse(row, alone[case]))
        for case, row in own.items() if case != "cold"
    ]  # fmt: skip
    return goals


def is_no_worse(own: Case, other: Case) -> bool:
    """By seconds or by ratio: the cold starts of two runs differ, and a ratio goes with its own."""
    return own.ratio >= NOISE * other.ratio or NOISE * own.seconds <= other.seconds


def show(options: argparse.Namespace, found: dict[str, dict[str, Case]], goals: list[tuple[str, str, bool]]) -> None:
    """One table for people."""
    alone, own = found["alone"], found["with"]
    width = max(map(len, own))
    print(f"{options.server}, {options.model}, {options.tokens} tokens: seconds to the first token, and times as fast as cold\n")
    print(f"{'case':{width}}  {'own cache':>17}  {'with anyclaude':>17}  reused  goals")
    for case, row in own.items():
        missed = [goal for of, goal, passed in goals if of == case and not passed]
        has = any(of == case for of, _, _ in goals)
        verdict = "missed: " + "; ".join(missed) if missed else "met" if has else ""
        reused = "-" if row.reused is None else f"{row.reused:.0%}"
        print(
            f"{case:{width}}  {alone[case].seconds:8.2f} {alone[case].ratio:6.1f} x"
            f"  {row.seconds:8.2f} {row.ratio:6.1f} x  {reused:>6}  {verdict}"
        )
    print(f"\n{sum(passed for *_, passed in goals)} of {len(goals)} goals met")


if __name__ == "__main__":
    sys.exit(main())
