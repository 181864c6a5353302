"""Small models with random weights, one for each kind of KV state that mlx-lm has."""

from __future__ import annotations

import importlib
import json
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models.cache import make_prompt_cache

VOCABULARY = 512
PREFILL_STEP = 64
WINDOW = 48

_COMMON = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "vocab_size": VOCABULARY, "intermediate_size": 128, "rms_norm_eps": 1e-5,
}
_CONFIGS: dict[str, dict[str, Any]] = {
    # All layers see all tokens.
    "full": {"model_type": "qwen2", **_COMMON},
    # A sliding window in all layers but each second one.
    "rotating": {
        "model_type": "gemma3_text", **_COMMON, "num_hidden_layers": 4, "head_dim": 32, "query_pre_attn_scalar": 32,
        "sliding_window": WINDOW, "sliding_window_pattern": 2,
    },
    # Short convolutions beside attention: a state that only grows.
    "hybrid": {
        "model_type": "lfm2", **_COMMON, "norm_eps": 1e-5, "max_position_embeddings": 4096, "conv_bias": False,
        "conv_L_cache": 3, "block_dim": 64, "block_ff_dim": 128, "block_multiple_of": 16,
        "block_ffn_dim_multiplier": 1.0, "block_auto_adjust_ff_dim": False, "num_hidden_layers": 4,
        "layer_types": ["conv", "full_attention", "conv", "full_attention"],
    },
    # A recurrent layer and attention together in each layer.
    "together": {
        "model_type": "falcon_h1", **_COMMON, "head_dim": 32, "mamba_d_ssm": 64, "mamba_d_head": 32,
        "mamba_n_heads": 2, "mamba_d_state": 16, "rope_theta": 10000.0,
    },
    # Attention within chunks in three layers of four.
    "chunked": {
        "model_type": "llama4", "vocab_size": VOCABULARY, "text_config": {
            "model_type": "llama4", **_COMMON, "num_hidden_layers": 4, "intermediate_size_mlp": 128, "head_dim": 32,
            "rope_theta": 10000.0, "rope_scaling": None, "attention_chunk_size": 2048, "attention_bias": False,
            "interleave_moe_layer_step": 100, "num_experts_per_tok": 1, "num_local_experts": 2,
            "max_position_embeddings": 4096, "use_qk_norm": False,
        },
    },
}
# The same with prompts of several chunks, of which only the last one's beginning is kept. Older versions of mlx-lm read
# no prompt that is longer than a chunk: their own cache breaks.
if tuple(map(int, version("mlx-lm").split(".")[:2])) >= (0, 32):
    _CHUNKED = _CONFIGS["chunked"]
    _CONFIGS["chunks"] = {**_CHUNKED, "text_config": {**_CHUNKED["text_config"], "attention_chunk_size": WINDOW}}

KINDS = [*_CONFIGS, "quantised"]
"""Kinds of states; the quantised one is that of full attention with 8 bits."""


class Model(NamedTuple):
    """A model and how its states are made."""

    kind: str
    model: Any

    def new_state(self) -> list[Any]:
        """An empty state."""
        state = make_prompt_cache(self.model)
        return [layer.to_quantized(group_size=32, bits=8) for layer in state] if self.kind == "quantised" else state

    def read(self, tokens: Sequence[int], state: list[Any]) -> Any:
        """Prefill: reads tokens into a state, and gives the logits after the last."""
        logits = None
        for start in range(0, len(tokens), PREFILL_STEP):
            logits = self.model(mx.array(list(tokens[start : start + PREFILL_STEP]))[None], cache=state)
            mx.eval(logits)
        return logits[0, -1]

    def greedy(self, rest: Sequence[int], state: list[Any], count: int) -> list[int]:
        """Reads the rest of a prompt, and generates tokens; all but the last are in the state then."""
        found: list[int] = []
        logits = self.read(rest, state)
        while True:
            found.append(int(mx.argmax(logits).item()))
            if len(found) == count:
                return found
            logits = self.read(found[-1:], state)


def load(kind: str) -> Model:
    """A model whose greedy answers depend on all of its prompt."""
    return Model(kind, build(_CONFIGS["full" if kind == "quantised" else kind]))


def build(config: dict[str, Any]) -> Any:
    """The model of a configuration, the same each time."""
    module = importlib.import_module(f"mlx_lm.models.{config['model_type']}")
    mx.random.seed(7)
    model = module.Model(module.ModelArgs.from_dict(config))
    # Larger weights than a new model has, so that its answers differ with the prompt.
    model.apply(lambda weights: mx.random.normal(weights.shape) * 0.15 if weights.ndim > 1 else weights)
    mx.eval(model.parameters())
    return model


def with_vocabulary(kind: str, size: int) -> dict[str, Any]:
    """A kind's configuration with another number of tokens."""
    config = {**_CONFIGS[kind], "vocab_size": size}
    if "text_config" in config:
        config["text_config"] = {**config["text_config"], "vocab_size": size}
    return config


def conversation(seed: int, turns: int) -> Iterator[list[int]]:
    """The new tokens of each prompt of a conversation: a beginning that all share, then what was said."""
    fixed, own = random.Random(1), random.Random(seed)
    yield [fixed.randrange(VOCABULARY) for _ in range(90)] + [own.randrange(VOCABULARY) for _ in range(20)]
    for _ in range(turns - 1):
        yield [own.randrange(VOCABULARY) for _ in range(own.randrange(1, 30))]


def write(kind: str, folder: Path, tiny: Path) -> None:
    """A folder that servers load: this model with the tokenizer and the template of the tiny one.

    Its greedy answers are babble that depends on the whole prompt, and go on until `max_tokens`.
    """
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        shutil.copy(tiny / name, folder)
    vocabulary = json.loads((tiny / "config.json").read_text())["vocab_size"]
    config = {**with_vocabulary(kind, vocabulary), "max_position_embeddings": 65536}
    weights = dict(tree_flatten(build(config).parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
