"""Claude Code, and every other client of the Anthropic Messages API, on any local model server.

``Translator`` turns requests into those of a chat-completions server and whole answers back,
``StreamConverter`` turns answers while they stream. Both are plain functions of bytes: no socket is
opened and no thread started. ``ToolParser`` and ``parse_tools`` find the tool calls that models write as
text. ``start_proxy`` puts all of it behind a port; ``anyclaude.asgi``, ``anyclaude.vllm_mlx`` and ``anyclaude.mlx_lm``
put it into a server, on top of ``MessagesApi``.

    >>> import anyclaude
    >>> translator = anyclaude.Translator("mlx-lm")
    >>> translated = translator.request({
    ...     "model": "claude-opus-5-5", "max_tokens": 100, "stream": True,
    ...     "messages": [{"role": "user", "content": "Say hello"}],
    ... })
    >>> translated.dict()["messages"]
    [{'role': 'user', 'content': 'Say hello'}]
    >>> converter = anyclaude.StreamConverter(translated.context)
    >>> converter.push(b'data: {"choices":[{"delta":{"content":"Hello"}}]}\\n\\n')[:20]
    b'event: message_start'
"""

from ._native import (
    PrefixIndex,
    Exchange,
    MessagesApi,
    Reply,
    RequestContext,
    StreamConverter,
    ToolParser,
    Translated,
    Translator,
    __version__,
    parse_tools,
    tool_formats,
)
from .errors import (
    AnyClaudeError,
    BackendError,
    ConfigError,
    ForkError,
    InternalError,
    ProxyError,
    StoppedError,
    TranslateError,
)
from .proxy import Proxy, ProxyEvent, Settings, astart_proxy, start_proxy
from .toolcall import ParsedAnswer, ToolEvent

__all__ = [
    "AnyClaudeError",
    "BackendError",
    "ConfigError",
    "Exchange",
    "ForkError",
    "InternalError",
    "MessagesApi",
    "ParsedAnswer",
    "PrefixIndex",
    "Proxy",
    "ProxyError",
    "ProxyEvent",
    "Reply",
    "RequestContext",
    "Settings",
    "StoppedError",
    "StreamConverter",
    "ToolEvent",
    "ToolParser",
    "TranslateError",
    "Translated",
    "Translator",
    "__version__",
    "astart_proxy",
    "parse_tools",
    "start_proxy",
    "tool_formats",
]
