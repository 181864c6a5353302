"""Hand-built weights: two attention heads read the prompt, the output layer follows the script."""

import numpy as np
from tokenizers import Tokenizer

from .shape import Shape
from .tokenizer import Script

Weights = dict[str, np.ndarray]

# How the template ends a prompt whose last message is a tool result.
RESULT_TAIL = "</tool_response><|im_end|>\n<|im_start|>assistant\n"

# How strongly a token of the script asks for the next: well above what the heads say about starting a call, which
# is still heard in the middle of an answer. With 3.0 every tenth answer at temperature 1 went astray.
LINK = 6.0


def build(shape: Shape, tokenizer: Tokenizer, script: Script) -> Weights:
    vocabulary = -(-tokenizer.get_vocab_size() // 64) * 64
    noise = np.random.default_rng(0)
    weights = filler(shape, noise)

    # The last dimensions of the residual stream are reserved for what the two heads find.
    words = shape.hidden - 8
    saw_tools_mark, saw_result_mark, has_tools, after_result, one = range(words, words + 5)

    embedding = normal(noise, vocabulary, shape.hidden)
    embedding[:, words:] = 0
    embedding *= np.sqrt(shape.hidden) / np.linalg.norm(embedding, axis=1, keepdims=True)
    embedding[:, one] = 2.0
    embedding[tokenizer.token_to_id("<tools>"), saw_tools_mark] = 8.0
    embedding[tokenizer.token_to_id("</tool_response>"), saw_result_mark] = 8.0

    tail = tokenizer.encode(RESULT_TAIL, add_special_tokens=False).ids
    find_anywhere(weights, shape, mark=saw_tools_mark, out=has_tools)
    find_at_distance(weights, shape, distance=len(tail) - 1, mark=saw_result_mark, out=after_result)

    def ids(tokens: list[str]) -> list[int]:
        return [tokenizer.token_to_id(token) for token in tokens]

    text = ids([*script.text, "<|im_end|>"])
    call = ids(["<tool_call>", *script.tool, "</tool_call>", "<|im_end|>"])
    output = np.zeros((vocabulary, shape.hidden), np.float32)
    for chain in (text, call):
        for current, following in zip([tail[-1], *chain], chain):
            output[following, :words] += LINK * embedding[current, :words] / np.sqrt(shape.hidden)
    output[text[0], one] += 1.0  # whatever was not foreseen: the text
    output[call[0], one] -= 6.0  # never a call without tools, even when sampling
    output[call[0], has_tools] += 6.0
    output[call[0], after_result] -= 10.0

    weights["model.embed_tokens.weight"] = embedding
    weights["lm_head.weight"] = output
    weights["model.norm.weight"] = np.ones(shape.hidden, np.float32)
    return weights


def filler(shape: Shape, noise: np.random.Generator) -> Weights:
    """Every layer at its usual cost, but adding nothing to the residual stream."""
    weights: Weights = {}
    hidden, kv = shape.hidden, shape.kv_heads * shape.head_dim
    for layer in range(shape.layers):
        at = f"model.layers.{layer}."
        for name, rows in (("q", hidden), ("k", kv), ("v", kv)):
            weights[f"{at}self_attn.{name}_proj.weight"] = normal(noise, rows, hidden) * hidden**-0.5
            weights[f"{at}self_attn.{name}_proj.bias"] = np.zeros(rows, np.float32)
        weights[f"{at}self_attn.o_proj.weight"] = np.zeros((hidden, hidden), np.float32)
        weights[f"{at}mlp.gate_proj.weight"] = normal(noise, shape.inter, hidden) * hidden**-0.5
        weights[f"{at}mlp.up_proj.weight"] = normal(noise, shape.inter, hidden) * hidden**-0.5
        weights[f"{at}mlp.down_proj.weight"] = np.zeros((hidden, shape.inter), np.float32)
        weights[f"{at}input_layernorm.weight"] = np.ones(hidden, np.float32)
        weights[f"{at}post_attention_layernorm.weight"] = np.ones(hidden, np.float32)
    attention = "model.layers.0.self_attn."
    for name in "qkv":
        weights[f"{attention}{name}_proj.weight"][:] = 0  # the two heads are set by hand below
    return weights


def find_anywhere(weights: Weights, shape: Shape, *, mark: int, out: int) -> None:
    """Head 0: is the mark anywhere in the context? The slowest rotary pair hardly sees positions."""
    at = "model.layers.0.self_attn."
    slowest = shape.head_dim // 2 - 1
    weights[at + "q_proj.bias"][slowest] = 24.0
    weights[at + "k_proj.weight"][slowest, mark] = 3.0
    weights[at + "v_proj.weight"][0, mark] = 1.0
    weights[at + "o_proj.weight"][out, 0] = 1.0


def find_at_distance(weights: Weights, shape: Shape, *, distance: int, mark: int, out: int) -> None:
    """Second head: is the mark exactly `distance` tokens back? Its query is rotated back by that much."""
    at = "model.layers.0.self_attn."
    half, first = shape.head_dim // 2, shape.head_dim
    frequency = shape.rope_theta ** (-np.arange(half) / half)
    score = np.cos(frequency * (np.arange(shape.context)[:, None] - distance)).sum(1)
    lead = score[distance] - np.delete(score, distance).max()
    strength = np.sqrt(20.0 * np.sqrt(shape.head_dim) / lead)  # 20 nats over the best other position
    query, key = weights[at + "q_proj.bias"], weights[at + "k_proj.bias"]
    query[first : first + half] = strength * np.cos(frequency * distance)
    query[first + half : 2 * first] = -strength * np.sin(frequency * distance)
    key[first : first + half] = strength
    weights[at + "v_proj.weight"][first, mark] = 1.0
    weights[at + "o_proj.weight"][out, first] = 1.0


def normal(noise: np.random.Generator, *size: int) -> np.ndarray:
    return noise.standard_normal(size).astype(np.float32)
