"""What is shared by the doors into servers that are whole programs: what they tell of their model, and of themselves."""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from .errors import ConfigError


def load(module: str, package: str, tested: str) -> ModuleType:
    """Imports a server's module.

    Raises ``ConfigError`` that says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is None or not module.startswith(error.name.partition(".")[0]):
            raise
        message = f"{package} is not installed in this Python: pip install '{package}=={tested}'"
        raise ConfigError(message, "config") from error


def check_shape(module: Any, package: str, tested: str, names: tuple[str, ...]) -> None:
    """Looks for everything that is about to be used.

    Raises ``ConfigError`` that names what is missing and the versions.
    """
    missing = [name for name in names if not hasattr(module, name)]
    if missing:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = "of an unknown version"
        what = ", ".join(missing)
        where = getattr(module, "__name__", None) or f"{module!r:.100}"
        message = f"{package} {version} has no {what} in {where}; anyclaude was tried with {package} {tested}"
        raise ConfigError(message, "config")


def model_config(model: str | None) -> bytes | None:
    """The ``config.json`` of a model that is a folder, or was downloaded into the hub's cache."""
    if not model:
        return None
    path = Path(model) / "config.json"
    if not path.is_file():
        try:
            found = importlib.import_module("huggingface_hub").try_to_load_from_cache(model, "config.json")
        except Exception:  # a name that is none of the hub's, or no hub at all
            return None
        if not isinstance(found, str):
            return None
        path = Path(found)
    try:
        return path.read_bytes()
    except OSError:
        return None


def chat_template(tokenizer: Any) -> str | None:
    """The template of a tokenizer: its only one, or the one for tools."""
    template: Any = getattr(tokenizer, "chat_template", None)
    if isinstance(template, dict):
        named = cast("dict[str, Any]", template)
        template = named.get("tool_use") or named.get("default")
    return template if isinstance(template, str) else None
