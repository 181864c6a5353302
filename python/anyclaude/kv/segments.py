"""Where a prompt is cut for mlx-lm's server: it keeps the state at the end of each piece."""

from __future__ import annotations

import hashlib
import json
import logging
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

logger = logging.getLogger("anyclaude.kv")

KNOWN_SYSTEMS = 64
"""Beginnings of prompts whose length is known without rendering them: of more sessions than run at a time."""

# No token is this one.
_NO_TOKEN = -(1 << 62)


class Pieces(NamedTuple):
    """A prompt in pieces, and what each ends: ``system``, ``user`` (worth a copy) or ``assistant``."""

    segments: list[list[int]]
    kinds: list[str]


def cut(prompt: Sequence[int], ends: dict[int, str], last: str) -> Pieces:
    """Cuts a prompt after so many tokens each; ``last`` is what its end is called."""
    inside = sorted(end for end in ends if 0 < end < len(prompt))
    starts = [0, *inside]
    segments = [list(prompt[start:end]) for start, end in zip(starts, [*inside, len(prompt)], strict=True)]
    return Pieces(segments, [*(ends[end] for end in inside), last])


def turn_starts(prompt: Sequence[int], special: frozenset[int]) -> list[int]:
    """Where turns begin: at the special tokens that end none. In a row of them, at the first."""
    return [
        place
        for place in range(1, len(prompt))
        if prompt[place] in special and prompt[place - 1] not in special
    ]


def opening_tokens(tokenizer: Any) -> frozenset[int]:
    """The special tokens that end no answer: with them turns begin."""
    # mlx-lm's tokenizers may have several ends, those that they wrap have one.
    ends: Any = getattr(tokenizer, "eos_token_ids", None)
    if ends is None:
        ends = [tokenizer.eos_token_id]
    return frozenset[int](tokenizer.all_special_ids) - frozenset[int](ends)


class Systems:
    """How many tokens system prompt and tools have at the beginning of prompts: rendered once, not for each turn."""

    def __init__(self) -> None:
        # The length and the checksum of each, by what it was rendered from: prompts themselves are long.
        self._known: OrderedDict[str, tuple[int, bytes]] = OrderedDict()

    def end(self, tokenizer: Any, prompt: Sequence[int], messages: Sequence[Any], named: dict[str, Any]) -> int:
        """The length of what a prompt has in common with all others of the same system messages and tools.

        ``named`` is what the template gets beside the messages. 0 if there is nothing, or the template wants more.
        """
        system = [message for message in messages[: leading_systems(messages)]]
        if not system and not named.get("tools"):
            return 0
        try:
            key = hashlib.sha256(json.dumps([system, named], sort_keys=True, default=repr).encode()).hexdigest()
            known = self._known.get(key)
            if known is not None and known == _summary(prompt, known[0]):
                self._known.move_to_end(key)
                return known[0]
            rendered = tokenizer.apply_chat_template(
                [*system, {"role": "user", "content": ""}], **{**named, "add_generation_prompt": False}
            )
        except Exception as error:  # a template may refuse what it likes
            logger.debug("the end of the system prompt is not known (%s)", type(error).__name__)
            return 0
        end = 0
        for one, other in zip(rendered, prompt, strict=False):
            if one != other:
                break
            end += 1
        self._known[key] = _summary(prompt, end)
        while len(self._known) > KNOWN_SYSTEMS:
            self._known.popitem(last=False)
        return end


class Renders:
    """A tokenizer in the hands of the server, which renders the prompt, and then what comes before the first turn."""

    def __init__(self, tokenizer: Any, systems: Systems) -> None:
        self._tokenizer = tokenizer
        self._systems = systems
        self.prompt: list[int] | None = None
        """The prompt, once it is rendered."""
        self.named: dict[str, Any] = {}
        """What the template got beside the messages."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def apply_chat_template(self, messages: Sequence[Any], *arguments: Any, **named: Any) -> Any:
        """As the tokenizer's own; but of a system prompt that is known, its end alone."""
        if self.prompt is not None and named.get("add_generation_prompt") is False and not arguments:
            # The server looks for the first token that differs.
            end = self._systems.end(self._tokenizer, self.prompt, messages[:-1], _without_flag(named))
            return [*self.prompt[:end], _NO_TOKEN]
        rendered: Any = self._tokenizer.apply_chat_template(messages, *arguments, **named)
        if isinstance(rendered, list):
            self.prompt, self.named = cast("list[int]", rendered), _without_flag(named)
        return cast(Any, rendered)

    def system_end(self, messages: Sequence[Any]) -> int:
        """Where the system prompt of these messages ends in the prompt."""
        return 0 if self.prompt is None else self._systems.end(self._tokenizer, self.prompt, messages, self.named)


def _summary(prompt: Sequence[int], length: int) -> tuple[int, bytes]:
    """The length of a prompt's beginning, of which there may be less, and its checksum."""
    beginning = array("q", prompt[:length])
    return len(beginning), hashlib.sha256(beginning.tobytes()).digest()


def _without_flag(named: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if name != "add_generation_prompt"}


def leading_systems(messages: Sequence[Any]) -> int:
    """How many system messages come first."""
    for number, message in enumerate(messages):
        if message.get("role") != "system":
            return number
    return len(messages)
