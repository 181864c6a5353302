"""The command line that an installation brings. What it prints is checked against the corpus of the Rust program."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

SCRIPT = str(Path(sys.executable).with_name("anyclaude"))
MODULE = [sys.executable, "-m", "anyclaude"]


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_script_and_the_module_are_the_same() -> None:
    assert output(SCRIPT, "--help") == output(*MODULE, "--help")
    assert output(SCRIPT, "--version").startswith("anyclaude ")


def test_exit_codes() -> None:
    assert subprocess.run([SCRIPT, "serve", "--nope"], capture_output=True).returncode == 2
    assert subprocess.run([SCRIPT, "stream", "missing.json"], capture_output=True).returncode == 1


def test_arguments_that_are_no_unicode() -> None:
    done = subprocess.run([*MODULE, "stream", b"\xff.json"], capture_output=True)
    assert done.returncode == 1 and b"Traceback" not in done.stderr


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [[SCRIPT], MODULE], ids=["script", "module"])
def test_it_serves_until_a_signal(command: list[str], sign: signal.Signals, tmp_path: Path) -> None:
    serving = subprocess.Popen(
        [*command, "serve", "--backend", "demo", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ANYCLAUDE_HOME": str(tmp_path)},
    )
    with serving:
        assert serving.stdout
        url = serving.stdout.readline().split()[-1]
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        assert httpx.post(f"{url}/v1/messages", json=body).json()["role"] == "assistant"
        serving.send_signal(sign)
        _, errors = serving.communicate(timeout=20)
    assert serving.returncode == 0
    assert errors == "stopping; a second signal stops at once\n"


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as out:
        done = subprocess.run([SCRIPT, "config", "schema"], stdout=out, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
