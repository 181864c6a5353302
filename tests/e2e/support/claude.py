"""Runs a real Claude Code, headless, with a home of its own and no way out but the proxy."""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from .process import CACHE, clean_env, end_group

LATEST, OLD = "2.1.330", "2.1.197"

QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_BUG_COMMAND": "1",
}


@dataclass
class Run:
    """What the user of one headless run got to see."""

    code: int
    seconds: float
    events: list[dict]
    errors: str
    result: dict = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.result.get("result") or ""

    @property
    def failed(self) -> bool:
        return bool(self.result.get("is_error")) or self.code != 0

    @property
    def calls(self) -> list[dict]:
        """The tool_use blocks that Claude Code took from the answers."""
        return [block for block in self.blocks("assistant") if block["type"] == "tool_use"]

    @property
    def results(self) -> list[str]:
        """The tool results, as text, in order."""
        return [flat(block.get("content")) for block in self.blocks("user") if block["type"] == "tool_result"]

    def blocks(self, kind: str):
        for event in self.events:
            content = event["message"]["content"] if event["type"] == kind else []
            yield from (block for block in content if isinstance(block, dict))

    def __str__(self) -> str:
        lines = [json.dumps(event)[:1500] for event in self.events if event["type"] != "system"]
        return "\n".join([f"exit code {self.code} after {self.seconds:.1f} s", *lines, self.errors[-2000:]])


class Claude:
    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.home = home / "home"
        self.project = home / "project"
        self.home.mkdir(parents=True)
        self.project.mkdir()
        # The first-run questions, answered.
        config = {"hasCompletedOnboarding": True, "projects": {str(self.project): {"hasTrustDialogAccepted": True}}}
        (self.home / ".claude.json").write_text(json.dumps(config))

    def run(self, prompt: str = "Do what the tests say.", *, tools: str = "", version: str = LATEST,
            model: str = "", timeout: float = 60, options: tuple[str, ...] = (), **env: str) -> Run:
        """One headless run. `tools` lists what may run without asking ("Bash,Read"); `env` adds variables."""
        command = [str(CACHE / "claude" / version / "claude"), "-p", prompt,
                   "--output-format", "stream-json", "--verbose", *options]
        if tools:
            command += ["--allowedTools", tools]
        if model:
            command += ["--model", model]
        start = time.monotonic()
        process = subprocess.Popen(
            command, cwd=self.project, env=self.env(**env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as late:
            end_group(process)
            seen = (late.stdout or b"").decode(errors="replace")[-3000:]
            raise AssertionError(f"Claude Code still ran after {timeout} s\n{seen}") from None
        finally:
            end_group(process)
        events = [json.loads(line) for line in out.decode().splitlines() if line.startswith("{")]
        run = Run(process.returncode, time.monotonic() - start, events, err.decode(errors="replace"))
        run.result = next((event for event in events if event["type"] == "result"), {})
        return run

    def env(self, **extra: str) -> dict[str, str]:
        """The whole environment of a Claude Code that talks to the proxy."""
        own = {
            "HOME": str(self.home),
            "CLAUDE_CONFIG_DIR": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "client-secret",
            "NO_PROXY": "127.0.0.1,localhost",
            **QUIET,
        }
        return clean_env(**{**own, **extra})


def flat(content) -> str:
    """A tool result's content as text."""
    if isinstance(content, list):
        return "\n".join(part.get("text", f"[{part['type']}]") for part in content)
    return content or ""
