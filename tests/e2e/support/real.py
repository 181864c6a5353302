"""Real backends, each with the tiny model, on a free port."""

import json
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import httpx

from .process import CACHE, ROOT, Server, clean_env

MODEL = CACHE / "model" / "tiny"
README = (ROOT / "README.md").read_text()


def mlx_lm(port: int, log: Path, model: Path = MODEL) -> Server:
    command = [
        str(CACHE / "venv/mlx/bin/python"), "-m", "mlx_lm", "server", "--model", str(model),
        "--host", "127.0.0.1", "--port", str(port), "--prefill-step-size", "512",
    ]
    # Without a cache folder, even an empty one, its list of models has no body.
    hub = tempfile.mkdtemp(prefix="empty-hub-")
    return Server(command, log, HF_HUB_CACHE=hub, HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")


def llama_cpp(port: int, log: Path) -> Server:
    script = Path(__file__).with_name("llama_server.py")
    command = [str(CACHE / "venv/llama/bin/python"), str(script), str(MODEL / "model.gguf"), str(port)]
    return Server(command, log)


def vllm_mlx(port: int, log: Path, tools: bool = True) -> Server:
    """Without the two flags of tool calls, tool results reach the template as plain text."""
    flags = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"] if tools else []
    command = [
        str(CACHE / "venv/vllm-mlx/bin/vllm-mlx"), "serve", str(MODEL), "--host", "127.0.0.1", "--port", str(port),
        "--offline", *flags, "--prefill-step-size", "512",
    ]
    return Server(command, log, HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")


def embedded_mlx_lm(port: int, log: Path, model: Path = MODEL, flags: tuple[str, ...] = ()) -> Server:
    """With anyclaude in it."""
    return _embedded("mlx", "mlx_lm", model, port, log, *flags)


def embedded_vllm_mlx(port: int, log: Path, model: Path = MODEL, flags: tuple[str, ...] = ()) -> Server:
    """With anyclaude in it, and no flag of tool calls."""
    return _embedded("vllm-mlx", "vllm_mlx", model, port, log, "--offline", *flags)


def _embedded(venv: str, module: str, model: Path, port: int, log: Path, *flags: str) -> Server:
    """By the README's own command."""
    [shown] = re.findall(rf"^python (-m anyclaude\.{module} serve MODEL --port) \d+$", README, re.M)
    own = shown.replace("MODEL", str(model)).split()
    command = [str(CACHE / "venv" / venv / "bin/python"), *own, str(port), "--prefill-step-size", "512", *flags]
    hub = tempfile.mkdtemp(prefix="empty-hub-")
    # Where states are saved unless a test says otherwise.
    home = tempfile.mkdtemp(prefix="empty-cache-")
    return Server(
        command, log, HF_HUB_CACHE=hub, HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", XDG_CACHE_HOME=home)


START = {
    "mlx-lm": mlx_lm, "vllm-mlx": vllm_mlx, "llama.cpp": llama_cpp,
    "mlx-lm embedded": embedded_mlx_lm, "vllm-mlx embedded": embedded_vllm_mlx,
}


class RealBackend:
    """A running server; `kind` is the proxy's word for it."""

    def __init__(self, kind: str, log: Path, **options) -> None:
        self.kind = kind
        port = free_port()
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"
        self._health = f"http://127.0.0.1:{port}/health"
        self._server = START[kind](port, log, **options)
        try:
            self._server.wait_until(self._healthy, 60)
        except BaseException:
            self.stop()
            raise

    def _healthy(self) -> bool:
        try:
            return httpx.get(self._health, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def process(self):
        """The server's process."""
        return self._server.process

    def log(self) -> str:
        """All that the server has told so far."""
        return "\n".join(self._server.output) + self._server.log.read_text(errors="replace")

    def stop(self) -> None:
        self._server.stop()


def unparsed_model(folder: Path) -> Path:
    """The model with a template that says the same in other words: mlx-lm finds no parser for its calls by it."""
    shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns("*.gguf"))
    template, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    words = template.read_text().replace("tool_call.name", "tool_call['name']")
    template.write_text(words)
    config.write_text(json.dumps({**json.loads(config.read_text()), "chat_template": words}))
    return folder


def speaking_model(folder: Path, text: str) -> Path:
    """A model that says this text."""
    command = [str(CACHE / "venv/mlx/bin/python"), "-m", "tiny_model", str(folder), "--text", text]
    env = clean_env(PYTHONPATH=str(ROOT / "tests" / "setup"), PYTHONDONTWRITEBYTECODE="1")
    subprocess.run(command, env=env, check=True)
    return folder


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
