"""Where prompts of vllm-mlx's engines may be met again: after system prompt and tools, and where turns begin."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from .note import NOTE, Note
from .prompt import never_breaking

# The engines have a rendering of their own for each; they take the same for it.
RENDER = "_apply_chat_template"


def note_prefix(engine: Any, messages: Sequence[Any], tools: Any, given: Mapping[str, Any]) -> None:
    """Notes the text of system prompt and tools, with which the prompt of these messages begins.

    It is what two prompts have in common that differ in their first message only, rendered as the engine does.
    ``tools`` are as the template gets them, ``given`` are the other arguments of ``chat`` and ``stream_chat``.
    """
    note = NOTE.get()
    if note is None:  # no request for chat completions: another route of the server's, or a script
        NOTE.set(note := Note())
    note.prefix = None
    with never_breaking("find the system prompt"):
        system = messages[: _leading(messages)]
        if not system and not tools:
            return
        one, other = (
            getattr(engine, RENDER)(
                [*system, {"role": "user", "content": content}],
                tools,
                chat_template_kwargs=dict(given.get("chat_template_kwargs") or {}),
                enable_thinking=given.get("enable_thinking"),
            )
            for content in ("Alpha", "Bravo")
        )
        note.prefix = os.path.commonprefix([one, other])


def _leading(messages: Sequence[Any]) -> int:
    """How many system messages come first."""
    for number, message in enumerate(messages):
        if message.get("role") != "system":
            return number
    return len(messages)


def opening_tokens(tokenizer: Any) -> frozenset[int]:
    """The special tokens that end no answer: with them turns begin."""
    ends: Any = getattr(tokenizer, "eos_token_ids", None)
    if ends is None:
        ends = [tokenizer.eos_token_id]
    return frozenset[int](tokenizer.all_special_ids) - frozenset[int](ends)
