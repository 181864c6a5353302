"""Child processes that never outlive their test: each in a group of its own, ended as a group."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = Path(os.environ.get("ANYCLAUDE_TEST_CACHE", ROOT / ".cache"))

# Set by a Claude Code that runs these tests, or by a developer's own setup: none of it may reach a child.
FOREIGN = ("CLAUDE", "ANTHROPIC", "ANYCLAUDE_", "OPENAI_", "MCP_", "RUST_LOG")


def clean_env(**extra: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**env, **extra}


def end_group(process: subprocess.Popen, grace: float = 3) -> None:
    """SIGTERM to the whole group, SIGKILL to what is left of it."""
    for sign, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    process.wait(5)


class Server:
    """A child that serves until it is stopped; its output goes to a file and into failure reports."""

    def __init__(self, command: list[str], log: Path, cwd: Path | None = None, **env: str) -> None:
        self.log = log
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=sink,
                cwd=cwd, env=clean_env(**env), start_new_session=True)
        self.output: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.output.append(line.decode(errors="replace").rstrip("\n"))

    def wait_until(self, ready, seconds: float):
        """Poll `ready` until it gives something; the process must live meanwhile."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            assert self.process.poll() is None, f"exited with {self.process.returncode}\n{self.errors()}"
            assert time.monotonic() < deadline, f"not ready after {seconds} s\n{self.errors()}"
            time.sleep(0.02)
        return found

    def errors(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self) -> int:
        end_group(self.process)
        self._reader.join(5)
        return self.process.returncode
