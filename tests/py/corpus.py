"""The golden files: one case a file, sections between lines that begin with ``=== ``.

core/tests/support/mod.rs tells what the sections mean.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import anyclaude

GOLDEN = Path(__file__).parent.parent / "golden"


@dataclass
class Case:
    name: str
    sections: dict[str, str]

    @property
    def backend(self) -> str:
        return self.word("backend") or "openai"

    @property
    def dialect(self) -> str:
        return self.word("dialect") or "chat"

    def word(self, section: str) -> str | None:
        text = self.sections.get(section)
        return None if text is None else text.strip()

    def bytes_of(self, section: str) -> bytes:
        return self.sections[section].encode()

    def line_of(self, section: str) -> bytes:
        """A section that is one line, without its end."""
        return self.sections[section].removesuffix("\n").encode()

    def stream(self) -> bytes:
        """The bytes of the server's stream; as one JSON string where an editor would change them."""
        text = self.sections["stream"]
        return json.loads(text).encode() if text.startswith('"') else text.encode()

    def translator(self) -> anyclaude.Translator:
        return anyclaude.Translator(self.backend, dialect=self.dialect)

    def translate(self) -> anyclaude.Translated:
        words = [word.partition("@") for word in (self.word("models") or "").split()]
        models = [(name, int(window)) if window else name for name, _, window in words]
        return self.translator().request(self.bytes_of("request"), seed=0, models=models)

    def context(self) -> anyclaude.RequestContext:
        if "request" in self.sections:
            return self.translate().context
        return anyclaude.RequestContext.for_model(
            "claude-test", self.backend, estimated_input_tokens=100, dialect=self.dialect
        )


def cases(folder: str) -> list[Any]:
    """Every case of a folder, as parameters of a test."""
    paths = sorted((GOLDEN / folder).glob("*.txt"))
    assert paths, f"no cases in {folder}"
    return [pytest.param(read(path), id=path.stem) for path in paths]


def read(path: Path) -> Case:
    sections: dict[str, str] = {}
    name = None
    # Not splitlines(): it also cuts at characters that are text here.
    for line in path.read_bytes().decode().split("\n"):
        if line.startswith("=== "):
            name = line.removeprefix("=== ").strip()
            sections[name] = ""
        else:
            assert name is not None, f"{path.name}: a case begins with a section"
            sections[name] += line + "\n"
    # The file's last line end is none of a line that follows.
    sections[name] = sections[name].removesuffix("\n")
    return Case(path.stem, sections)


def error_body(error: anyclaude.AnyClaudeError) -> bytes:
    """The error as the golden files have it."""
    body = {**error.api_error, "request_id": "req_0"}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
