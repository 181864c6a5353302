"""What the functions of anyclaude raise."""

from __future__ import annotations

import json
from typing import Any


class AnyClaudeError(Exception):
    """Any failure of anyclaude. A wrong type of argument is a plain ``TypeError``."""

    kind: str
    """The family of failure, such as ``config`` or ``invalid_request``."""
    retryable: bool
    """Whether the same call may succeed later."""
    status: int
    """The HTTP status with which a server of the Messages API answers."""
    api_error: dict[str, Any]
    """The JSON body that belongs to that status; ``request_id`` is the server's to add."""

    def __init__(
        self,
        message: str,
        kind: str = "internal",
        retryable: bool = False,
        status: int = 500,
        api_error: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.status = status
        if api_error is None:
            self.api_error = {"type": "error", "error": {"type": "api_error", "message": message}}
        else:
            self.api_error = json.loads(api_error)


class ConfigError(AnyClaudeError):
    """A setting is missing, unknown or of the wrong shape."""


class TranslateError(AnyClaudeError):
    """The client's request cannot be understood, or asks for something that is not done here."""


class BackendError(AnyClaudeError):
    """The server refused, failed, or answered with something that is no answer."""


class InternalError(AnyClaudeError):
    """A defect of anyclaude. The object that was called may take no more calls."""


class ProxyError(AnyClaudeError):
    """A socket, file or thread of a proxy failed, or cannot be used here."""


class StoppedError(ProxyError):
    """The proxy has been stopped."""


class ForkError(ProxyError):
    """The proxy runs in the parent of this process. Start another here."""
