"""The program under test."""

import os
import subprocess
from pathlib import Path

from .process import ROOT, Server, clean_env

READY = "anyclaude listening on "


def binary() -> Path:
    return Path(os.environ.get("ANYCLAUDE_BINARY", ROOT / "target" / "release" / "anyclaude"))


def own_folders(parent: Path) -> dict[str, str]:
    """Variables that keep the program away from the files of whoever runs the tests."""
    return {"ANYCLAUDE_HOME": str(parent / "anyclaude"), "XDG_CONFIG_HOME": str(parent / "config")}


def anyclaude(*arguments: str, cwd: Path, timeout: float = 30, env: dict[str, str] | None = None,
              stdin: bytes = b"") -> subprocess.CompletedProcess:
    """One run of the program in `cwd`, with its files there, too; the output as text."""
    variables = clean_env(**own_folders(cwd), **(env or {}))
    done = subprocess.run([str(binary()), *arguments], capture_output=True, timeout=timeout, cwd=cwd, env=variables,
                          input=stdin)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    assert "panicked" not in done.stderr, done.stderr
    return done


class Proxy(Server):
    """`anyclaude serve` on a free port. Options are flags: commit_after="300ms" becomes --commit-after 300ms."""

    def __init__(self, log: Path, backend_url: str = "", *, backend: str = "openai", key: str = "", port: int = 0,
                 env: dict[str, str] | None = None, **flags: str) -> None:
        command = [str(binary()), "serve", "--backend", backend]
        if backend_url:
            command += ["--backend-url", backend_url]
        for name, value in flags.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self.command = [*command, "--port", str(port)]
        self.home = log.parent / "anyclaude"
        variables = {**own_folders(log.parent), **({"ANYCLAUDE_API_KEY": key} if key else {}), **(env or {})}
        super().__init__(self.command, log, log.parent, **variables)
        self.wait_until(lambda: self.output, 10)
        assert self.output[0].startswith(READY), self.output
        self.url = self.output[0].removeprefix(READY)
