"""Scripted stand-ins for LM Studio, Ollama and vLLM, which cannot be installed here.

They are not these servers: they follow the documented APIs and the error bodies that their users report, on
their default ports. What they show is that the proxy understands these documents, and no more.
"""

import time

from .backend import CHAT, Backend
from .http1 import Request
from .replies import Answer, Reply, Status, usage



class StandIn(Backend):
    """A scripted backend with a server's own pages beside the chat."""

    name = ""
    default_port = 0
    window = 0
    takes: frozenset[str] = frozenset()
    """What its chat takes beyond OpenAI's reference."""

    def check(self, request: Request) -> list[str]:
        known = {f"unknown key {key}" for key in self.takes}
        return [violation for violation in super().check(request) if violation not in known]

    def __init__(self) -> None:
        super().__init__(self.default_port)
        self.script(lambda *_: Answer(f"I stand in for {self.name}.", usage=usage(1200, 40)))

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def posts(self) -> list[str]:
        return [request.path for request in self.others if request.method == "POST"]

    def other(self, request: Request) -> Reply | None:
        path = request.path.split("?")[0]
        if (request.method, path) == ("POST", CHAT):
            return self.refusal(request.json)
        pages = self.pages(request)
        return pages.get(f"{request.method} {path}") or self.nowhere(request)

    def pages(self, request: Request) -> dict[str, Reply]:
        raise NotImplementedError

    def nowhere(self, request: Request) -> Reply:
        raise NotImplementedError

    def refusal(self, body: dict) -> Reply | None:
        """The error for a chat request that the server does not take."""


class LMStudio(StandIn):
    """With one loaded model, a larger one on disk that no request may load, and one for embeddings."""

    name, default_port = "lmstudio", 1234
    model, window = "qwen3-coder-30b", 32768

    def pages(self, request: Request) -> dict[str, Reply]:
        large = model("big-model-70b", type="llm", arch="llama", compatibility_type="gguf", quantization="Q4_K_M",
                       publisher="lmstudio-community", state="not-loaded", max_context_length=131072,
                       capabilities=["tool_use"])
        loaded = model(self.model, type="llm", arch="qwen3moe", compatibility_type="mlx", quantization="4bit",
                      publisher="mlx-community", state="loaded", max_context_length=262144,
                      loaded_context_length=self.window, capabilities=["tool_use"])
        embedding = model("text-embedding-nomic-embed-text-v1.5", type="embeddings", arch="nomic-bert",
                          compatibility_type="gguf", quantization="Q4_0", publisher="nomic-ai", state="not-loaded",
                          max_context_length=2048)
        models = [large, loaded, embedding]
        return {
            "GET /api/v0/models": Status(200, {"object": "list", "data": models}),
            "GET /v1/models": Status(200, {"object": "list", "data": [
                model(one["id"], owned_by="organization_owner") for one in models]}),
            **{f"GET /api/v0/models/{one['id']}": Status(200, one) for one in models},
        }

    def nowhere(self, request: Request) -> Reply:
        return Status(200, {"error": f"Unexpected endpoint or method. ({request.method} {request.path})"})

    def refusal(self, body: dict) -> Reply | None:
        if isinstance(body.get("tool_choice"), dict):
            return Status(400, {"error": "Invalid tool_choice type: 'object'. "
                                         "Supported string values: none, auto, required"})
        if body.get("response_format", {}).get("type") == "json_object":
            return Status(400, {"error": "'response_format.type' must be 'json_schema' or 'text'"})
        if body["model"] not in (self.model, "big-model-70b"):
            return Status(404, {"error": {"message": f"Model \"{body['model']}\" not found",
                                          "type": "invalid_request_error", "param": "model",
                                          "code": "model_not_found"}})
        return None


class Ollama(StandIn):
    """With a model for tools in memory, cut to a small window, and one on disk that takes no tools."""

    name, default_port = "ollama", 11434
    model, window = "qwen3:8b", 16384
    toolless = "gemma3:4b"

    def __init__(self, loaded: str = "") -> None:
        self.loaded = loaded or self.model
        super().__init__()

    def pages(self, request: Request) -> dict[str, Reply]:
        asked = request.json.get("model") if request.method == "POST" and request.body else ""
        known = {self.model: (["completion", "tools", "thinking"], "qwen3", 40960),
                 self.toolless: (["completion", "vision"], "gemma3", 131072)}
        if asked in known:
            capabilities, family, longest = known[asked]
            show: Reply = Status(200, {
                "modelfile": f"FROM {asked}", "parameters": "stop \"<|im_end|>\"\ntemperature 0.6",
                "template": "{{ .Prompt }}", "details": details(family), "capabilities": capabilities,
                "model_info": {"general.architecture": family, f"{family}.context_length": longest,
                               f"{family}.block_count": 36},
                "modified_at": "2026-01-01T00:00:00Z"})
        else:
            show = Status(404, {"error": f"model '{asked}' not found"})
        return {
            "GET /": Status(200, "Ollama is running", {"content-type": "text/plain; charset=utf-8"}),
            "GET /api/version": Status(200, {"version": "0.13.2"}),
            "GET /api/tags": Status(200, {"models": [
                {"name": name, "model": name, "modified_at": "2026-01-01T00:00:00Z", "size": 5_200_000_000,
                 "digest": "500a1f067a9f", "details": details(family)} for name, (_, family, _) in known.items()]}),
            "GET /api/ps": Status(200, {"models": [
                {"name": self.loaded, "model": self.loaded, "size": 6_600_000_000, "digest": "500a1f067a9f",
                 "details": details("qwen3"), "expires_at": "2036-01-01T00:00:00Z", "size_vram": 6_600_000_000,
                 "context_length": self.window}]}),
            "POST /api/show": show,
            "GET /v1/models": Status(200, {"object": "list", "data": [
                model(name, owned_by="library") for name in known]}),
        }

    def nowhere(self, request: Request) -> Reply:
        return Status(404, "404 page not found", {"content-type": "text/plain"})

    def refusal(self, body: dict) -> Reply | None:
        if body["model"] == self.toolless and "tools" in body:
            return ollama_error(400, f"registry.ollama.ai/library/{self.toolless} does not support tools")
        if body["model"] not in (self.model, self.toolless):
            return ollama_error(404, f"model \"{body['model']}\" not found, try pulling it first")
        return None


class VLLM(StandIn):
    """Counts one token per four bytes of the messages, and insists on its window."""

    name, default_port = "vllm", 8000
    takes = frozenset({"chat_template_kwargs", "top_k"})
    model, window = "Qwen/Qwen3-Coder-30B-A3B-Instruct", 40960

    def pages(self, request: Request) -> dict[str, Reply]:
        return {
            "GET /version": Status(200, {"version": "0.13.0"}),
            "GET /health": Status(200, b""),
            "GET /v1/models": Status(200, {"object": "list", "data": [
                model(self.model, owned_by="vllm", root=self.model, parent=None, max_model_len=self.window,
                      permission=[])]}),
        }

    def nowhere(self, request: Request) -> Reply:
        return Status(404, {"detail": "Not Found"})

    def refusal(self, body: dict) -> Reply | None:
        if body["model"] != self.model:
            return vllm_error(404, f"The model `{body['model']}` does not exist.", "NotFoundError")
        prompt = sum(len(str(message)) for message in body["messages"]) // 4
        wanted = body.get("max_completion_tokens") or body.get("max_tokens") or 0
        if prompt > self.window:
            return vllm_error(400, f"This model's maximum context length is {self.window} tokens. However, your request "
                                   f"has {prompt} input tokens. Please reduce the length of the input messages.")
        if prompt + wanted > self.window:
            return vllm_error(400, f"'max_tokens' or 'max_completion_tokens' is too large: {wanted}. This model's maximum "
                                   f"context length is {self.window} tokens and your request has {prompt} input tokens "
                                   f"({wanted} > {self.window} - {prompt}).")
        return None


class Careless(StandIn):
    """Somebody's web server on the port of llama.cpp: it says 200 to everything, and is no model server."""

    name, default_port = "careless", 8080

    def other(self, request: Request) -> Reply | None:
        return Status(200, "<!doctype html><title>My blog</title>", {"content-type": "text/html"})


def model(name: str, **more) -> dict:
    return {"id": name, "object": "model", "created": int(time.time()), **more}


def details(family: str) -> dict:
    return {"parent_model": "", "format": "gguf", "family": family, "families": [family], "parameter_size": "8.2B",
            "quantization_level": "Q4_K_M"}


def ollama_error(code: int, message: str) -> Status:
    return Status(code, {"error": {"message": message, "type": "api_error", "param": None, "code": None}})


def vllm_error(code: int, message: str, kind: str = "BadRequestError") -> Status:
    return Status(code, {"error": {"message": message, "type": kind, "param": None, "code": code}})
