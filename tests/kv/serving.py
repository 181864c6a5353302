"""mlx-lm's own server without its web part, with the prefix cache in it or with its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import mlx.core as mx
import mlx_lm.server as server
from anyclaude.kv import mlx_lm as own
from anyclaude.kv import options
from anyclaude.kv.handle import PrefixCacheHandle
from mlx.utils import tree_flatten
from small_models import _CONFIGS, load, with_vocabulary  # pyright: ignore[reportPrivateUsage]

TINY = Path(__file__).parents[2] / ".cache/model/tiny"

FLAGS = {
    "adapter_path": None, "draft_model": None, "num_draft_tokens": 3, "trust_remote_code": False, "chat_template": "",
    "use_default_chat_template": False, "chat_template_args": {}, "decode_concurrency": 32, "prompt_concurrency": 8,
    "prefill_step_size": 64, "prompt_cache_size": 10, "prompt_cache_bytes": None, "kv_bits": None, "kv_group_size": 32,
    "quantized_kv_start": 0, "pipeline": False, "temp": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "max_tokens": 512,
}


class Answer(NamedTuple):
    """Of one request."""

    tokens: list[int]
    prompt: list[int]
    reused: int
    """As the server counts it."""
    written: int | None


class Serving:
    """A server's generator in this process."""

    def __init__(
        self, model: Path, cache: options.Cache = None, own_cache: bool = False,
        handle: PrefixCacheHandle | None = None, **flags: Any,
    ) -> None:  # fmt: skip
        """``off`` leaves the server as it is, ``own_cache`` its own cache; ``handle`` is that of another."""
        module: Any = SimpleNamespace(LRUPromptCache=server.LRUPromptCache, ResponseGenerator=server.ResponseGenerator)
        settings = options.settings(cache)
        self.handle = handle or (None if settings is None else PrefixCacheHandle(settings))
        if self.handle is not None:
            own.put_in(module, self.handle)
        provider = server.ModelProvider(SimpleNamespace(**{**FLAGS, **flags}, model=str(model)))
        make: Any = server.LRUPromptCache if own_cache else module.LRUPromptCache
        self.cache: Any = make(provider.cli_args.prompt_cache_size)
        self.generator: Any = module.ResponseGenerator(provider, self.cache)

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *error: object) -> None:
        self.generator.stop_and_join()

    def begin(
        self, messages: Sequence[dict[str, Any]] | str, tools: Any = None, tokens: int = 12, seed: int | None = None,
        **template: Any,
    ) -> tuple[Any, Iterator[Any]]:
        """Asks, and gives the server's context and its tokens to come."""
        kind = "text" if isinstance(messages, str) else "chat"
        prompt, chat = (messages, []) if isinstance(messages, str) else ("", json.loads(json.dumps(messages)))
        request = server.CompletionRequest(kind, prompt, chat, tools, None)
        return self.generator.generate(request, server.GenerationArguments(
            model=server.ModelDescription("default_model", "default_model", None),
            sampling=server.SamplingArguments(0.0, 1.0, 0, 0.0, 0.0, 0.0),
            logits=server.LogitsProcessorArguments(None, 0.0, 20, 0.0, 20, 0.0, 20),
            stop_words=[], max_tokens=tokens, num_draft_tokens=3, logprobs=False, top_logprobs=-1, seed=seed,
            chat_template_kwargs=template or None,
        ))  # fmt: skip

    def ask(self, *arguments: Any, **named: Any) -> Answer:
        """Asks, and waits for the whole answer."""
        context, rest = self.begin(*arguments, **named)
        tokens = [one.token for one in rest]
        ticket = self.generator.anyclaude_ticket() if self.handle is not None else None
        return Answer(tokens, context.prompt, context.prompt_cache_count, ticket and ticket.written)

    def stats(self) -> dict[str, int]:
        """Of the cache."""
        assert self.handle is not None
        return self.handle.stats()


def model_folder(kind: str, folder: Path) -> Path:
    """A model of ``small_models`` as a folder, with the words and the template of the tiny one. It babbles."""
    folder.mkdir()
    config = with_vocabulary(kind, json.loads((TINY / "config.json").read_text())["vocab_size"])
    _CONFIGS["in a folder"] = config
    try:
        model = load("in a folder").model
    finally:
        del _CONFIGS["in a folder"]
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())), {"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(config))
    for path in TINY.iterdir():
        if path.name.startswith(("tokenizer", "chat_template")):
            shutil.copy(path, folder)
    return folder
