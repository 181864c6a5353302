"""The program under test."""

import os
from pathlib import Path

from .process import ROOT, Server

READY = "anyclaude listening on "


def binary() -> Path:
    return Path(os.environ.get("ANYCLAUDE_BINARY", ROOT / "target" / "release" / "anyclaude"))


class Proxy(Server):
    """`anyclaude serve` on a free port. Options are flags: commit_after="300ms" becomes --commit-after 300ms."""

    def __init__(self, log: Path, backend_url: str, *, backend: str = "openai", key: str = "",
                 env: dict[str, str] | None = None, **flags: str) -> None:
        command = [str(binary()), "serve", "--backend", backend, "--backend-url", backend_url]
        for name, value in flags.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self.command = [*command, "--port", "0"]
        super().__init__(self.command, log, **({"ANYCLAUDE_API_KEY": key} if key else {}), **(env or {}))
        self.wait_until(lambda: self.output, 10)
        assert self.output[0].startswith(READY), self.output
        self.url = self.output[0].removeprefix(READY)
