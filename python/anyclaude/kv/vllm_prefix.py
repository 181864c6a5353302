"""Where prompts of vllm-mlx's engines may be met again: after system prompt and tools, and where turns begin."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from .note import NOTE, Note
from .prompt import never_breaking
from .segments import leading_systems

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
        system = messages[: leading_systems(messages)]
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


class NotesPrefix:
    """What goes before both engines' ``chat`` and ``stream_chat``."""

    plain: Any
    """The server's own class."""
    tools_for_template: Callable[[Any], Any]

    async def chat(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        self._note(messages, kwargs)
        return await self.plain.chat(self, messages, *args, **kwargs)

    def stream_chat(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        self._note(messages, kwargs)
        stream: AsyncGenerator[Any, None] = self.plain.stream_chat(self, messages, *args, **kwargs)
        return stream

    def _note(self, messages: Any, given: dict[str, Any]) -> None:
        if self._is_cached():
            tools = given.get("tools")
            note_prefix(self, messages, self.tools_for_template(tools) if tools else None, given)

    def _is_cached(self) -> bool:
        raise NotImplementedError
