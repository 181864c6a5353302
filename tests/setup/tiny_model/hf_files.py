"""The model as a folder in the Hugging Face layout: what mlx-lm loads."""

import json
from pathlib import Path

from safetensors.numpy import save_file
from tokenizers import Tokenizer

from .shape import Shape
from .weights import Weights


def write(folder: Path, shape: Shape, tokenizer: Tokenizer, weights: Weights, template: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "mlx"})
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(template)
    end, pad = tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")
    dump(folder / "generation_config.json", {"eos_token_id": [end, pad], "pad_token_id": pad, "do_sample": False})
    dump(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape.context,
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": template,
    })
    dump(folder / "config.json", {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "intermediate_size": shape.inter,
        "vocab_size": len(weights["lm_head.weight"]),
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.rms_eps,
        "rope_theta": shape.rope_theta,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "use_sliding_window": False,
        "torch_dtype": "float32",
        "bos_token_id": pad,
        "eos_token_id": end,
    })


def dump(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1))
