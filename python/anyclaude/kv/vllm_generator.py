"""mlx-lm's generator of batches, as vllm-mlx's scheduler gets it: prompts halt where their states are worth a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .prompt import Prompt, never_breaking

USED = ("insert", "insert_segments", "next", "extract_cache", "remove", "stream")
"""What is used of mlx-lm's class."""


class Tokens(list[int]):
    """The tokens of a prompt that are to be computed, as they go through the scheduler into a batch."""

    prompt: Prompt


class CachedGenerator:
    """What goes before mlx-lm's generator of batches."""

    plain: Any
    mx: Any
    stream: Any
    empty: list[Any] | None = None
    """A new state of the model; ``None`` without the cache."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._stops: dict[int, tuple[Prompt, list[int]]] = {}
        self.plain.__init__(self, *args, **kwargs)

    def insert(self, prompts: Sequence[Any], *args: Any, **kwargs: Any) -> list[int]:
        """Has prompts halt where a copy of their states is worth it, and says what was read before."""
        if self.empty is None or not all(isinstance(tokens, Tokens) for tokens in prompts):
            uids: list[int] = self.plain.insert(self, prompts, *args, **kwargs)
            return uids
        segments: list[list[list[int]]] = []
        before: list[list[int]] = []
        stops: list[list[int]] = []
        for tokens in prompts:
            run = tokens.prompt
            # The scheduler may have thought better of what was found.
            run.took(len(run.tokens) - len(tokens))
            stops.append(run.stops(self.empty))
            segments.append(list(run.segments(stops[-1])))
            before.append(run.tokens[: run.reused])
        generator: Any = self
        # Penalties look at all tokens of a prompt, whether they were computed for it or not.
        uids = generator.insert_segments(segments, *args, all_tokens=before, **kwargs)
        for uid, tokens, places in zip(uids, prompts, stops):
            if places:
                self._stops[uid] = (tokens.prompt, places)
        return uids

    def next(self) -> Any:
        result = self.plain.next(self)
        if self._stops:
            for response in result[0]:
                self._halted(response)
        return result

    def _halted(self, response: Any) -> None:
        known = self._stops.get(response.uid)
        if known is None:
            return
        prompt, places = known
        at = prompt.reused + response.progress[0]
        if response.end_of_prompt or not places:
            del self._stops[response.uid]
        elif response.end_of_segment and at == places[0]:
            places.pop(0)
            with never_breaking("take a state out of a batch"), self.mx.stream(self.stream):
                generator: Any = self
                state, _ = generator.extract_cache([response.uid])[response.uid]
                prompt.keep(state, at)

    def abandon(self, uid: int | None, prompt: Prompt) -> None:
        """Keeps what has been computed of a prompt and its answer, which nobody waits for any more."""
        self._stops.pop(-1 if uid is None else uid, None)
        generator: Any = self
        with never_breaking("take a state out of a batch"), self.mx.stream(self.stream):
            found = generator.extract_cache([] if uid is None else [uid])
            for state, tokens in found.values():
                if len(tokens) > prompt.reused:
                    prompt.end(state, tokens)
