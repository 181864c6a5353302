"""A byte-level BPE tokenizer with Qwen2's pre-tokenizer, trained on the standard library of this Python."""

import glob
import json
import os
import sysconfig

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from . import TEXT, TOOL_CALL

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tool_call>", "</tool_call>", "<tools>", "</tools>", "<tool_response>", "</tool_response>"]
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
VOCABULARY = 4000
CORPUS_CHARACTERS = 3_000_000


class Script:
    """The two answers as tokens of their own: in a chain of unique tokens, the current one tells the next."""

    def __init__(self, text: str = TEXT) -> None:
        json.loads(TOOL_CALL)
        taken = set(SPECIAL + MARKS)
        self.text = unique_pieces(text, taken)
        self.tool = unique_pieces(f"\n{TOOL_CALL}\n", taken)


def build(script: Script) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN_SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    plain = MARKS + script.text + script.tool
    tokenizer.add_tokens([AddedToken(s, special=False, normalized=False) for s in plain])
    return tokenizer


def corpus():
    """Source files of the standard library in a fixed order: on every machine, without a download."""
    read = 0
    for path in sorted(glob.glob(os.path.join(sysconfig.get_path("stdlib"), "*.py"))):
        with open(path, encoding="utf-8", errors="ignore") as file:
            text = file.read()
        yield text
        read += len(text)
        if read > CORPUS_CHARACTERS:
            return


def unique_pieces(text: str, taken: set[str]) -> list[str]:
    """Cut `text` at blanks into pieces of at least 8 characters, none of them in `taken`; adds them there."""
    pieces: list[str] = []
    current = ""
    for index, word in enumerate(text.split(" ")):
        current += word if index == 0 else " " + word
        if len(current) >= 8 and current not in taken:
            pieces.append(current)
            taken.add(current)
            current = ""
    while current and pieces and (current in taken or len(current) < 8):
        last = pieces.pop()
        taken.discard(last)
        current = last + current
    if current:
        pieces.append(current)
        taken.add(current)
    return pieces
