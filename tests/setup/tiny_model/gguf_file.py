"""The same model as one GGUF file: what llama.cpp loads."""

import json
from pathlib import Path

import gguf
from tokenizers import Tokenizer

from .shape import Shape
from .tokenizer import MARKS, SPECIAL, Script
from .weights import Weights

TOP = {"model.embed_tokens": "token_embd", "lm_head": "output", "model.norm": "output_norm"}
PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write(path: Path, shape: Shape, tokenizer: Tokenizer, script: Script, weights: Weights, template: str) -> None:
    out = gguf.GGUFWriter(str(path), "qwen2")
    out.add_name("tiny-scripted")
    out.add_block_count(shape.layers)
    out.add_context_length(shape.context)
    out.add_embedding_length(shape.hidden)
    out.add_feed_forward_length(shape.inter)
    out.add_head_count(shape.heads)
    out.add_head_count_kv(shape.kv_heads)
    out.add_rope_freq_base(shape.rope_theta)
    out.add_layer_norm_rms_eps(shape.rms_eps)
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_tokenizer(out, tokenizer, script, len(weights["lm_head.weight"]))
    out.add_chat_template(template)
    for name, tensor in weights.items():
        out.add_tensor(gguf_name(name), tensor)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def add_tokenizer(out: gguf.GGUFWriter, tokenizer: Tokenizer, script: Script, vocabulary: int) -> None:
    own = {*MARKS, *script.text, *script.tool}
    tokens = [f"[PAD{i}]" for i in range(vocabulary)]
    types = [gguf.TokenType.UNUSED] * vocabulary
    for token, index in tokenizer.get_vocab().items():
        tokens[index] = token
        if token in SPECIAL:
            types[index] = gguf.TokenType.CONTROL
        elif token in own:
            types[index] = gguf.TokenType.USER_DEFINED
        else:
            types[index] = gguf.TokenType.NORMAL
    out.add_vocab_size(vocabulary)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("qwen2")
    out.add_token_list(tokens)
    out.add_token_types(types)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    out.add_token_merges([" ".join(merge) for merge in merges])
    pad = tokenizer.token_to_id("<|endoftext|>")
    out.add_eos_token_id(tokenizer.token_to_id("<|im_end|>"))
    out.add_pad_token_id(pad)
    out.add_bos_token_id(pad)
    out.add_add_bos_token(False)


def gguf_name(name: str) -> str:
    stem, kind = name.rsplit(".", 1)
    if stem in TOP:
        return f"{TOP[stem]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{PARTS[part]}.{kind}"
