"""`python -m tiny_model DIR [--gguf FILE] [--text TEXT]`: write the model."""

import argparse
from pathlib import Path

from . import TEXT, gguf_file, hf_files, tokenizer, weights
from .shape import Shape


def main() -> None:
    parser = argparse.ArgumentParser(prog="tiny_model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gguf", type=Path, help="also write this GGUF file")
    parser.add_argument("--text", default=TEXT, help="what it says instead of TEXT")
    options = parser.parse_args()

    shape = Shape()
    template = Path(__file__).with_name("template.jinja").read_text()
    script = tokenizer.Script(options.text)
    words = tokenizer.build(script)
    tensors = weights.build(shape, words, script)
    hf_files.write(options.folder, shape, words, tensors, template)
    if options.gguf:
        gguf_file.write(options.gguf, shape, words, script, tensors, template)


main()
