"""What users of the doors inside a server may set. Unset, each follows what is known of server and model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._native import MessagesApi


class Options(TypedDict, total=False):
    """Settings of the translation."""

    model: str
    """The server's model for requests that ask for a Claude model; by default the loaded one."""
    max_output_tokens: int
    """The most tokens that any answer may have."""
    context_window: int
    """The most tokens that prompt and answer may have together."""
    tools: Literal["auto", "on", "text", "off"]
    """How the model gets its tools."""
    tool_format: str
    """The format of calls that is looked for in the model's text: ``auto``, ``off`` or a name."""
    prompt_opens_thinking: bool
    """Prompts end in the marker that opens thinking, and the server leaves thinking in the text."""
    backend_stream: bool
    """The server is asked for streams."""
    images: bool
    """Images are sent to the model."""
    pin_lines: Sequence[str]
    """What lines begin with that are kept as a conversation saw them first."""


def messages_api(backend: str, options: Options) -> MessagesApi:
    """The API for a kind of server.

    Raises ``ConfigError`` that names the setting.
    """
    from ._native import MessagesApi

    return MessagesApi(json.dumps({"backend": backend, **options}))
