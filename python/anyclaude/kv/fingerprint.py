"""What a KV state belongs to, in one short text: states of two scopes are never taken for each other."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import logging
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from .._host import chat_template

logger = logging.getLogger("anyclaude.kv")

VOLATILE = "volatile:"
"""How a scope begins that no other process will ever have: its states stay out of the disk."""

# Files up to this size are read whole: configurations, tokenizers, adapters' settings. Weights are larger.
WHOLE_BYTES = 64 << 20

# Of weights these many pieces, evenly spread, are read beside their size and time of change: a fine-tune that was
# copied with its times still differs there, and 256 KB a file are read in milliseconds.
PIECES = 64
PIECE_BYTES = 4096

# Git's and SHA-256, by which the hub's cache names its files.
_CHECKSUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

# More files than any model has. Whoever names a home folder as a model does not wait for all of it.
MAX_FILES = 2000


def scope(
    model: str | None,
    *,
    adapter: str | None = None,
    draft: str | None = None,
    tokenizer: Any = None,
    template_args: Mapping[str, Any] | None = None,
    cache: Sequence[Any] = (),
    quantisation: Mapping[str, Any] | None = None,
) -> str:
    """The scope of what a loaded model computes; equal in two processes only where their KV states are.

    ``model`` and ``draft`` are folders or names in the hub's cache, ``adapter`` is a folder. ``tokenizer`` tells its
    template; ``template_args`` are those that the server gives to every rendering. ``cache`` is a new, empty state of
    the model, whose classes and sizes count; ``quantisation`` is what the server does to states later.

    What cannot be read makes a scope of this process alone (``VOLATILE``), with a warning. Reads files: call it once
    for each model that is loaded.
    """
    try:
        parts = {
            "model": _folder(model),
            "adapter": None if adapter is None else _folder(adapter),
            "draft": None if draft is None else _folder(draft),
            "template": chat_template(tokenizer),
            "template_args": dict(template_args or {}),
            "cache": [_shape(layer) for layer in cache],
            "quantisation": dict(quantisation or {}),
            "engine": _version("mlx-lm"),
        }
        # Without `default`: what has no text of its own has none that means the same in another process.
        text = json.dumps(parts, sort_keys=True)
    except (OSError, ValueError, TypeError) as error:
        logger.warning("the model's files cannot be told from others (%s): its states stay in memory", error)
        return VOLATILE + secrets.token_hex(16)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _folder(name: str | None) -> list[Any]:
    """What tells a folder's files from others."""
    if not name:
        raise ValueError("the model has no name")
    folder = _place(name)
    files = sorted(path for path in _walk(folder) if not path.name.startswith("."))
    if not any(path.suffix in (".safetensors", ".npz", ".gguf") for path in files):
        raise ValueError("the folder has no weights")
    return [[path.relative_to(folder).as_posix(), *_content(path)] for path in files]


def _place(name: str) -> Path:
    """The folder of a model."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    hub: Any = importlib.import_module("huggingface_hub")
    try:
        return Path(cast(str, hub.snapshot_download(name, local_files_only=True)))
    except Exception as error:  # whatever the hub's versions raise for a name that is none of its own
        raise ValueError(f"neither a folder nor in the hub's cache ({type(error).__name__})") from error


def _walk(folder: Path) -> Iterator[Path]:
    for count, path in enumerate(folder.rglob("*")):
        if count >= MAX_FILES:
            raise ValueError(f"the folder has more than {MAX_FILES} files")
        if path.is_file():
            yield path


def _content(path: Path) -> list[Any]:
    """What tells a file's content from another's."""
    real = path.resolve()
    status = real.stat()
    is_hubs = path.is_symlink() and real.parent.name == "blobs" and real.parent.parent.name.startswith("models--")
    if is_hubs and _CHECKSUM.fullmatch(real.name):
        # In the hub's cache the name is the content's checksum, and times are those of the download.
        return [status.st_size, real.name]
    digest = hashlib.sha256()
    with real.open("rb") as file:
        if status.st_size <= WHOLE_BYTES:
            for piece in iter(lambda: file.read(1 << 20), b""):
                digest.update(piece)
            return [status.st_size, digest.hexdigest()]
        for number in range(PIECES):
            file.seek((status.st_size - PIECE_BYTES) * number // (PIECES - 1))
            digest.update(file.read(PIECE_BYTES))
    # Pieces miss what has changed between them; the time does not.
    return [status.st_size, status.st_mtime_ns, digest.hexdigest()]


def _shape(layer: Any) -> list[Any]:
    """A layer's class and sizes; what it holds is no part of them."""
    sizes = {
        name: value
        for name, value in sorted(cast("dict[str, Any]", getattr(layer, "__dict__", {})).items())
        if isinstance(value, (int, float, str)) and not name.startswith("_")
    }
    inner = cast("Sequence[Any]", getattr(layer, "caches", ()))
    return [type(layer).__name__, sizes, [_shape(part) for part in inner]]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
