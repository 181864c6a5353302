"""Every command that the README shows is run here, by its very words."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from support import messages
from support.claude import LATEST, Claude
from support.process import CACHE, ROOT
from support.proxy import READY, binary, own_folders
from support.replies import Answer, Status
from support.stand_ins import Ollama, StandIn

README = (ROOT / "README.md").read_text()
PORT = 4141


def commands() -> set[str]:
    """What stands in shell blocks, and in the table of daily use."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    table = re.findall(r"^\| `(anyclaude[^`]*)` \|", README, re.M)
    return {line for line in lines if line} | set(table)


class MlxLm(StandIn):
    """What mlx_lm.server shows of itself; the real one has tests of its own."""

    name, default_port = "mlx-lm", 8080

    def pages(self, _request) -> dict:
        server = {"server": "BaseHTTP/0.6 Python/3.12.1"}
        return {
            "GET /health": Status(200, {"status": "ok"}, server),
            "GET /v1/models": Status(200, {"object": "list", "data": [{"id": "m", "object": "model"}]}, server),
        }

    def nowhere(self, _request) -> Status:
        return Status(404, "Not Found")

    def check(self, request) -> list[str]:
        """It takes what others do not know: variables of the chat template."""
        return [found for found in super().check(request) if found != "unknown key chat_template_kwargs"]


class World:
    """A user's folder, with `anyclaude` and `claude` on the path and an mlx-lm at its usual address."""

    def __init__(self, folder: Path) -> None:
        self.claude = Claude("", folder)
        self.folder = self.claude.project
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "anyclaude").symlink_to(binary())
        (self.folder / "bin" / "claude").symlink_to(CACHE / "claude" / LATEST / "claude")
        env = self.claude.env()
        del env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_API_KEY"]
        self.env = {**env, **own_folders(folder), "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        assert os.environ.get("ANYCLAUDE_E2E_NETWORK") == "loopback", "default ports: use tests/e2e/isolate.py"
        self.backend = MlxLm()
        self.backend.script(lambda *_: Answer("It works."))

    def run(self, command: str, timeout: float = 60) -> subprocess.CompletedProcess:
        return subprocess.run(["bash", "-c", command], cwd=self.folder, env=self.env, capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL)

    def serving(self, command: str, port: int = PORT) -> subprocess.Popen:
        """A command that serves; returns when it does."""
        process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.env, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        line = process.stdout.readline()
        assert line.startswith(f"{READY}http://127.0.0.1:{port or ''}"), line
        return process


@pytest.fixture
def world(tmp_path):
    here = World(tmp_path)
    yield here
    here.backend.stop()
    assert here.backend.violations == []


def stop(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    process.stdout.close()


def serves(world: World, command: str) -> None:
    process = world.serving(command)
    try:
        assert messages.post(f"http://127.0.0.1:{PORT}", messages.request()).text == "It works."
    finally:
        stop(process)


def cargo_run(world: World, command: str) -> None:
    """What cargo builds and starts; the building is the Makefile's."""
    assert command == "cargo run --release"
    assert 'default-run = "anyclaude"' in (ROOT / "examples/standalone/Cargo.toml").read_text()
    serves(world, "anyclaude")


def make_test(world: World, command: str) -> None:
    """This very test is one of its stages."""
    done = subprocess.run(["make", "-n", command.split()[1]], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "e2e" in done.stdout, done.stderr


def by_hand(world: World, command: str) -> None:
    """The three lines belong together: the proxy, the variables, Claude Code (here without its screen)."""
    block = next(block for block in re.findall(r"```sh\n(.*?)```", README, re.S) if "export ANTHROPIC_BASE_URL" in block)
    serve, export, claude = block.strip().splitlines()
    assert command in (serve, export, claude)
    process = world.serving(serve)
    try:
        done = world.run(f"{export}\n{claude} -p 'Does it work?'")
        assert (done.returncode, done.stdout.strip()) == (0, "It works."), done.stderr
    finally:
        stop(process)


def launches(world: World, command: str) -> None:
    done = world.run(command.replace("ARGS", "-p 'Does it work?'"))
    assert (done.returncode, done.stdout.strip()) == (0, "It works."), done.stderr


def switches(world: World, command: str) -> None:
    other = Ollama()
    process = world.serving("anyclaude serve --backend mlx-lm --port 0", port=0)
    try:
        done = world.run(command)
        assert done.returncode == 0 and "ollama" in done.stdout, done.stderr
    finally:
        stop(process)
        other.stop()


def status(world: World, command: str) -> None:
    process = world.serving("anyclaude serve --port 0", port=0)
    try:
        done = world.run(command)
        assert done.returncode == 0 and "mlx-lm" in done.stdout, done.stderr
    finally:
        stop(process)


def tells(*words: str):
    def check(world: World, command: str) -> None:
        done = world.run(command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(word in done.stdout for word in words), done.stdout

    return check


def traces(world: World, command: str) -> None:
    done = world.run("anyclaude claude --debug 2 -- -p 'Does it work?'")
    assert done.returncode == 0, done.stderr
    listed = world.run(command)
    assert listed.returncode == 0 and "end_turn" in listed.stdout, listed.stderr
    again = world.run("anyclaude trace replay last --offline")
    assert "It works." in again.stdout.replace('"}}', "") or "message_stop" in again.stdout, again.stderr


def why_miss(world: World, command: str) -> None:
    process = world.serving("anyclaude")
    try:
        assert messages.post(f"http://127.0.0.1:{PORT}", messages.request()).text == "It works."
        tells("1 requests, 0 of them read again")(world, command)
    finally:
        stop(process)


def translates(world: World, command: str) -> None:
    (world.folder / "request.json").write_text('{"model": "claude-x", "messages": [{"role": "user", "content": "Hi"}]}')
    tells('"messages":[{"role":"user","content":"Hi"}]')(world, command)


def streams(world: World, command: str) -> None:
    (world.folder / "capture.sse").write_text('data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n')
    tells("event: message_start", "event: message_stop")(world, command)


def parses(world: World, command: str) -> None:
    (world.folder / "answer.txt").write_text("<think>Hm.</think>Hi")
    tells('"text":"Hi"', '"thinking":"Hm."')(world, command)


RUN = {
    "cargo run --release": cargo_run,
    "make test": make_test,
    "anyclaude doctor": tells("mlx-lm at http://127.0.0.1:8080/v1", f"{LATEST} (Claude Code)"),
    "anyclaude": serves,
    "anyclaude serve": serves,
    "anyclaude claude -- ARGS": launches,
    "anyclaude use ollama": switches,
    "anyclaude status": status,
    "anyclaude models": tells("mlx-lm", "  m  "),
    "anyclaude bench prefix": tells("second subagent of a kind", "goals"),
    "anyclaude why-miss": why_miss,
    "anyclaude config show": tells("backend_url", "default"),
    "anyclaude trace list": traces,
    "anyclaude serve --backend mlx-lm --backend-url http://127.0.0.1:8080/v1": by_hand,
    "export ANTHROPIC_BASE_URL=http://127.0.0.1:4141 ANTHROPIC_AUTH_TOKEN=anyclaude": by_hand,
    "claude --permission-mode default": by_hand,
    "anyclaude translate request.json": translates,
    "anyclaude stream capture.sse": streams,
    "anyclaude parse-tools < answer.txt": parses,
}


def test_none_is_left_out():
    assert commands() == set(RUN)


@pytest.mark.parametrize("command", RUN)
def test_command(world, command):
    RUN[command](world, command)
