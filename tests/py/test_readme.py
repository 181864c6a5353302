"""The README's Python examples run."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_examples_run() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", README.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, str(README), "exec"), {})
