"""What users may set, in Python and on the command line, and what tells models apart."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from anyclaude.errors import ConfigError
from anyclaude.kv import fingerprint, options
from anyclaude.kv.fingerprint import VOLATILE, scope
from mlx_lm.models.cache import KVCache, RotatingKVCache


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = options.settings(None)
    assert found is not None and found == options.settings({})
    assert found.disk == tmp_path / "anyclaude" / "kv" and found.disk_bytes == 10 * 10**9 and found.warm is None
    assert options.settings("off") is None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(options.default_disk()).startswith(str(tmp_path))


def test_settings(tmp_path: Path) -> None:
    (tmp_path / "prompts").write_text("{}")
    given: options.CacheOptions = {
        "memory": 5000, "disk": tmp_path / "kv", "disk_bytes": "1GB", "warm": str(tmp_path / "prompts"),
    }
    found = options.settings(given)
    assert found == options.CacheSettings(5000, tmp_path / "kv", 10**9, tmp_path / "prompts", True)
    last = options.settings({"warm": "last", "disk": str(tmp_path)})
    assert last is not None and last.warm == "last" and not last.has_own_memory


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("of", "cache: expected a dict of settings or 'off', not 'of'"),
        (5, "cache: expected a dict"),
        ({"memroy": 5}, "cache: 'memroy' is no setting; there are memory, disk, disk_bytes, warm"),
        ({5: 5}, "cache: 5 is no setting"),
        ({"memory": "lots"}, "cache.memory: expected a share such as 25% or a size such as 8GB, not 'lots'"),
        ({"disk_bytes": "25%"}, "cache.disk_bytes: expected a size such as 8GB"),
        ({"disk": ""}, "cache.disk: expected a folder or 'off', not ''"),
        ({"disk": b"x"}, "cache.disk: expected a folder"),
        ({"disk": "a\0b"}, "cache.disk: a path has no NUL in it"),
        ({"disk": "~nobody-of-that-name/x"}, "cache.disk: "),
        ({"warm": "/no/such/file"}, "cache.warm: there is no file '/no/such/file'"),
        ({"warm": 5}, "cache.warm: expected a file or 'last', not 5"),
        ({"warm": "last", "disk": "off"}, "cache.warm: the last session is kept on disk, which is off"),
    ],
)
def test_settings_that_make_no_sense(given: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        options.settings(given)
    assert str(raised.value).startswith(message) and raised.value.kind == "config"


def test_flags() -> None:
    line = "--model m --anyclaude-cache-memory=8GB --port 1 --anyclaude-warm last --anyclaude-cache-disk /x"
    line += " -- --anyclaude-x"
    assert options.take_flags(line.split()) == (
        {"memory": "8GB", "warm": "last", "disk": "/x"}, ["--model", "m", "--port", "1", "--", "--anyclaude-x"],
    )
    assert options.take_flags(["--anyclaude-cache", "off"]) == ("off", [])
    assert options.take_flags(["--anyclaude-cache", "on", "x"]) == ({}, ["x"])
    shown = options.flags().format_help()
    assert all(flag in shown for flag in ("--anyclaude-cache ", "-cache-memory", "-cache-disk ", "-disk-size", "-warm"))


def test_the_readme_has_them_all() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    named = [action.option_strings[0] for action in options.flags()._actions]
    assert len(named) == 5
    for flag in named:
        assert f"| `{flag} " in text, flag
    for name in options.CacheOptions.__annotations__:
        assert f" | `{name}` | " in text, name
    for default in (options.MEMORY, options.DISK_BYTES):
        assert f" | `{default}` | " in text, default


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--anyclaude-cach off", "unrecognized arguments: --anyclaude-cach"),
        ("--anyclaude-cache-mem 8GB", "unrecognized arguments: --anyclaude-cache-mem"),
        ("--anyclaude-cache", "argument --anyclaude-cache: expected one argument"),
        ("--anyclaude-cache-memory --port", "argument --anyclaude-cache-memory: expected one argument"),
        ("--anyclaude-cache yes", "argument --anyclaude-cache: invalid choice"),
        ("--anyclaude-cache off --anyclaude-warm x", "--anyclaude-cache off leaves nothing to set with --anyclaude-warm"),
    ],
)
def test_flags_that_make_no_sense(line: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        options.take_flags(line.split())
    assert str(raised.value).startswith(message)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """As on disk: a configuration, a tokenizer, and weights too large to be read whole."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(fingerprint.WHOLE_BYTES + 5000)
    return folder


def test_what_makes_another_scope(model: Path, tmp_path: Path) -> None:
    plain = scope(str(model), cache=[KVCache()])
    assert not plain.startswith(VOLATILE) and scope(str(model), cache=[KVCache()]) == plain
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)  # with its times
    assert scope(str(copy), cache=[KVCache()]) == plain
    found = {
        plain, scope(str(model), cache=[KVCache(), KVCache()]), scope(str(model), cache=[RotatingKVCache(8)]),
        scope(str(model), cache=[RotatingKVCache(9)]), scope(str(model), cache=[KVCache()], adapter=str(model)),
        scope(str(model), cache=[KVCache()], draft=str(model)),
        scope(str(model), cache=[KVCache()], template_args={"enable_thinking": False}),
        scope(str(model), cache=[KVCache()], quantisation={"kv_bits": 8}),
    }
    for name, text in (("config.json", "{ }"), ("tokenizer.json", "[]"), ("extra.jinja", "x")):
        (copy / name).write_text(text)
        found.add(scope(str(copy), cache=[KVCache()]))
    weights = copy / "model.safetensors"
    times = weights.stat()
    with weights.open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"x")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    found.add(scope(str(copy), cache=[KVCache()]))
    os.utime(weights, ns=(0, 1))
    found.add(scope(str(copy), cache=[KVCache()]))
    assert len(found) == 13


@pytest.mark.parametrize("name", [None, "", "/no/such/folder", "nobody/nothing"])
def test_models_that_cannot_be_read_share_nothing(name: str | None, caplog: pytest.LogCaptureFixture) -> None:
    one, other = scope(name), scope(name)
    assert one.startswith(VOLATILE) and other.startswith(VOLATILE) and one != other
    assert "stays in memory" in caplog.text or "stay in memory" in caplog.text


def test_folders_that_are_called_like_the_hubs(tmp_path: Path) -> None:
    """What is in them counts, not what it is called."""
    found: list[str] = []
    for number, name in enumerate(("blobs", "models--mine/blobs")):
        for byte in b"ab":
            folder = tmp_path / f"{number}{byte}" / name
            folder.mkdir(parents=True)
            (folder / "model.safetensors").write_bytes(bytes([byte]) * 1000)
            found.append(scope(str(folder)))
    assert len(set(found)) == 2 and found[:2] == found[2:]


def test_a_model_of_the_hubs_cache(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by its name; the same again where it was downloaded at another time."""
    import huggingface_hub.constants as constants

    found = []
    for number in range(2):
        repository = tmp_path / f"hub{number}" / "models--some--model"
        snapshot, blobs = repository / "snapshots" / "abc", repository / "blobs"
        snapshot.mkdir(parents=True)
        blobs.mkdir()
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc")
        for path in model.iterdir():
            checksum = hashlib.sha256(path.name.encode()).hexdigest()
            shutil.copy2(path, blobs / checksum)
            os.utime(blobs / checksum, (number, number))
            (snapshot / path.name).symlink_to(Path("../../blobs") / checksum)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / f"hub{number}"))
        found.append(scope("some/model"))
    assert found[0] == found[1] and not found[0].startswith(VOLATILE)
