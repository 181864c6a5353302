"""A scripted stand-in for llama.cpp's server with a model that does not fit here: it tells of its template."""

from .http1 import Request
from .replies import Reply, Status
from .stand_ins import StandIn, model


class LlamaCpp(StandIn):
    """With one model, and a chat template that it shows; told to leave thinking in the text."""

    name, default_port = "llama.cpp", 8080
    takes = frozenset({"chat_template_kwargs", "top_k"})
    model, window = "Qwen3-4B-Thinking-2507-Q4_K_M.gguf", 65536
    # Of each, what a server's reader could look at.
    tags = """{%- for tool in tools %}{{ tool | tojson }}{%- endfor %}<tool_call>{{ tool_call.name }}</tool_call>"""
    inline = """{%- set content = message.content.split('</think>')[-1] %}"""
    field = """{{ message.reasoning_content }}</think>{{ message.content }}"""
    opener = """{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n<think>\n' }}{%- endif %}"""

    def __init__(self, history: str = inline, reasoning: str = "none") -> None:
        self.template, self.reasoning = self.tags + history + self.opener, reasoning
        super().__init__()

    def pages(self, request: Request) -> dict[str, Reply]:
        settings = {"n_ctx": self.window, "params": {"reasoning_format": self.reasoning, "n_predict": -1}}
        return {
            "GET /health": Status(200, {"status": "ok"}),
            "GET /props": Status(200, {
                "default_generation_settings": settings, "total_slots": 1, "model_path": f"/models/{self.model}",
                "chat_template": self.template, "modalities": {"vision": False, "audio": False},
                "chat_template_caps": {"supports_tools": True, "supports_tool_calls": True}}),
            "GET /v1/models": Status(200, {"object": "list", "data": [
                model(self.model, owned_by="llamacpp", meta={"n_ctx_train": 262144})]}),
        }

    def nowhere(self, request: Request) -> Reply:
        return Status(404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}})
