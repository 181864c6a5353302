"""Real backends, each with the tiny model, on a free port."""

import json
import shutil
import socket
import tempfile
from pathlib import Path

import httpx

from .process import CACHE, Server

MODEL = CACHE / "model" / "tiny"


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


START = {"mlx-lm": mlx_lm, "vllm-mlx": vllm_mlx, "llama.cpp": llama_cpp}


class RealBackend:
    """A running server; `kind` is the proxy's word for it."""

    def __init__(self, kind: str, log: Path, **options) -> None:
        self.kind = kind
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/v1"
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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
