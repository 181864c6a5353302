"""Saved states: what is written comes back, and what is damaged does not."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlx_lm.models.cache as mlx_cache
import pytest
from anyclaude.errors import ConfigError
from anyclaude.kv import PrefixCache, disk, files
from anyclaude.kv.disk import DiskStore
from anyclaude.kv.fingerprint import VOLATILE
from small_models import KINDS, Model, load

TOKENS = list(range(300))
MANY = 1 << 30


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> Model:
    return load(request.param)


@pytest.fixture(scope="module")
def full() -> Model:
    return load("full")


def read_in(model: Model, tokens: list[int]) -> list:
    state = model.new_state()
    model.read(tokens, state)
    return state


def saved(model: Model, folder: Path, *prompts: list[int], max_bytes: int = MANY, scope: str = "model") -> DiskStore:
    """A folder with the states of these prompts, each used after the one before."""
    store = DiskStore(folder, max_bytes)
    for number, tokens in enumerate(prompts):
        state = PrefixCache(max_bytes=MANY, disk=store)
        assert state.store(scope, tokens, read_in(model, tokens), pinned=True)
        assert store.flush(30)
        manifest = folder / f"{files.key(scope, files.packed(tokens))}.json"
        os.utime(manifest, (used := time.time() - 1000 + number, used))
    return store


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_restart(model: Model, tmp_path: Path) -> None:
    """All kinds of states go on from the disk as they would have without."""
    saved(model, tmp_path, TOKENS).close()
    cache = PrefixCache(max_bytes=MANY, disk=DiskStore(tmp_path, MANY))
    prompt = [*TOKENS, 7, 8, 9]
    found = cache.fetch("model", prompt)
    assert found is not None and found.tokens == 300
    assert model.greedy(prompt[300:], found.state, 8) == model.greedy(prompt, model.new_state(), 8)
    assert cache.held("model", prompt) == 300 and cache.stats()["loaded"] == 1
    assert cache.fetch("another", prompt) is None


def test_what_goes_on_otherwise(full: Model, tmp_path: Path) -> None:
    """Of a state that can be cut, the beginning that fits; of others, nothing."""
    saved(full, tmp_path, TOKENS).close()
    prompt = [*TOKENS[:250], 400, 401]
    found = PrefixCache(max_bytes=MANY, disk=DiskStore(tmp_path, MANY)).fetch("model", prompt)
    assert found is not None and found.tokens == 250
    assert full.greedy(prompt[250:], found.state, 8) == full.greedy(prompt, full.new_state(), 8)
    rotating = load("rotating")
    saved(rotating, tmp_path / "rotating", TOKENS).close()
    assert PrefixCache(max_bytes=MANY, disk=DiskStore(tmp_path / "rotating", MANY)).fetch("model", prompt) is None


def test_the_longest_is_found(full: Model, tmp_path: Path) -> None:
    """Among states that begin alike, whatever their order on disk."""
    prompts = [[*TOKENS[:200], number, *TOKENS[200:280]] for number in (400, 401, 402)]
    store = saved(full, tmp_path, *prompts, TOKENS[::-1], [450, *TOKENS])
    for prompt in prompts:
        key, length = store.find("model", [*prompt, 7]) or ("", 0)
        assert length == len(prompt) and key == files.key("model", files.packed(prompt))
        assert (store.find("model", prompt[:230]) or ("", 0))[1] == 230
        assert (store.find("model", prompt[:150]) or ("", 0))[1] == 150
    assert (store.find("model", [*TOKENS[:200], 403]) or ("", 0))[1] == 200
    assert store.find("model", []) is store.find("model", [499, 1]) is store.find("other", prompts[0]) is None
    assert store.find("model", ["x"]) is None and store.find("model", [1 << 80]) is None  # type: ignore[list-item]


def test_the_latest(full: Model, tmp_path: Path) -> None:
    """Of a scope, if it is not too large."""
    saved(full, tmp_path, TOKENS, [450, *TOKENS]).close()
    saved(full, tmp_path, [451, *TOKENS], scope="other").close()
    store = DiskStore(tmp_path, MANY)
    assert store.latest("model", MANY) == [450, *TOKENS] and store.latest("other", MANY) == [451, *TOKENS]
    assert store.latest("model", 1000) is None and store.latest("nobody", MANY) is None


def test_nothing_is_saved_twice_or_for_this_process_alone(full: Model, tmp_path: Path) -> None:
    store = saved(full, tmp_path, TOKENS)
    before = names(tmp_path)
    for scope, tokens in (("model", TOKENS), ("model", TOKENS[:50]), (f"{VOLATILE}1", TOKENS)):
        store.save(scope, tokens, read_in(full, tokens))
    assert store.flush(30) and names(tmp_path) == before and store.stats()["saves"] == 1


def test_only_its_owner_can_read(full: Model, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "kv"
    os.umask(0o000)
    try:
        saved(full, folder, TOKENS)
    finally:
        os.umask(0o022)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def damage(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x20
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("pattern", ["*.safetensors", "*.json"])
def test_flipped_bytes(full: Model, tmp_path: Path, pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    """In a hundred places, the first and last among them. Each is a miss with a warning, and the files go."""
    saved(full, tmp_path / "good", TOKENS).close()
    [good] = (tmp_path / "good").glob(pattern)
    size, order = good.stat().st_size, random.Random(5)
    for number, place in enumerate([0, 7, 8, size - 1, *(order.randrange(size) for _ in range(96))]):
        folder = tmp_path / str(number)
        folder.mkdir(mode=0o700)
        for path in (tmp_path / "good").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        damage(folder / good.name, place)
        caplog.clear()
        store = DiskStore(folder, MANY)
        cache = PrefixCache(max_bytes=MANY, disk=store)
        assert cache.fetch("model", [*TOKENS, 1]) is None, place
        assert store.stats()["damaged"] == 1 and not list(folder.glob("*.json")), place
        assert [record.levelname for record in caplog.records if record.name == "anyclaude.kv"] == ["WARNING"]
        DiskStore(folder, MANY)
        assert not list(folder.iterdir()), "the state of a damaged manifest stays"


@pytest.mark.parametrize("pattern", ["*.safetensors", "*.json"])
@pytest.mark.parametrize("size", [0, 1, 100, 1000, -1])
def test_cut_short(full: Model, tmp_path: Path, pattern: str, size: int) -> None:
    saved(full, tmp_path, TOKENS).close()
    [path] = tmp_path.glob(pattern)
    before = path.stat().st_size
    os.truncate(path, size if 0 <= size < before else before - 1)
    store = DiskStore(tmp_path, MANY)
    assert PrefixCache(max_bytes=MANY, disk=store).fetch("model", [*TOKENS, 1]) is None
    assert store.stats()["damaged"] == 1 and not list(tmp_path.iterdir())


def test_a_state_in_anothers_place(full: Model, tmp_path: Path) -> None:
    """Each file is whole; what they say of each other is not true."""
    saved(full, tmp_path, TOKENS, [*TOKENS[::-1]]).close()
    one, other = tmp_path.glob("*.safetensors")
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    store = DiskStore(tmp_path, MANY)
    assert PrefixCache(max_bytes=MANY, disk=store).fetch("model", [*TOKENS, 1]) is None
    assert store.stats()["damaged"] == 1
    [left] = tmp_path.glob("*.json")
    left.rename(tmp_path / f"{'0' * 32}.json")
    assert DiskStore(tmp_path, MANY).stats()["entries"] == 0 and not list(tmp_path.iterdir())


WRONG: list[dict] = [
    {"format": 2}, {"tokens": ["x"]}, {"tokens": []}, {"tokens": [1 << 70]}, {"state": "../x"}, {"scope": None},
    {"more": 1}, {"classes": ["mx"]}, {"classes": 5},
]


@pytest.mark.parametrize("change", WRONG)
def test_manifests_that_are_well_formed_and_wrong(
    full: Model, tmp_path: Path, change: dict, caplog: pytest.LogCaptureFixture
) -> None:
    """Those of another version go without a warning."""
    saved(full, tmp_path, TOKENS).close()
    [path] = tmp_path.glob("*.json")
    text = json.dumps({**json.loads(path.read_bytes().partition(b"\n")[2]), **change}).encode()
    path.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    assert DiskStore(tmp_path, MANY).stats()["entries"] == 0 and not list(tmp_path.iterdir())
    assert ("is damaged" in caplog.text) == ("format" not in change)


def test_files_of_others_stay(full: Model, tmp_path: Path) -> None:
    for name in ("notes.txt", "model.safetensors", "last.json", ".hidden"):
        (tmp_path / name).write_text("mine")
    (tmp_path / f"{'a' * 32}.json").symlink_to(tmp_path / "notes.txt")
    (tmp_path / f"{'b' * 32}.json").mkdir()
    store = saved(full, tmp_path, TOKENS)
    assert store.stats()["entries"] == 1
    assert {path.name for path in tmp_path.iterdir() if path.is_file() and path.stat().st_size == 4} >= {
        "notes.txt", "model.safetensors", "last.json", ".hidden",
    }


def test_the_least_recently_used_go_first(full: Model, tmp_path: Path) -> None:
    prompts = [[number, *TOKENS] for number in range(1, 6)]
    one = saved(full, tmp_path / "one", prompts[0]).stats()["bytes"]
    store = saved(full, tmp_path / "all", *prompts)
    cache = PrefixCache(max_bytes=MANY, disk=store)
    assert cache.fetch("model", [*prompts[0], 1]) is not None  # used just now
    store.close()
    left = DiskStore(tmp_path / "all", int(one * 3.5))
    assert left.stats()["entries"] == 3 and left.stats()["bytes"] <= one * 3.5 and left.stats()["removed"] == 2
    found = [left.find("model", prompt) for prompt in prompts]
    assert [bool(one) for one in found] == [True, False, False, True, True]
    assert len(list((tmp_path / "all").iterdir())) == 6
    too_large = DiskStore(tmp_path / "small", 10)
    too_large.save("model", TOKENS, read_in(full, TOKENS))
    assert too_large.stats()["saves_skipped"] == 1 and not list((tmp_path / "small").iterdir())


def test_what_nobody_asks_for_is_removed(full: Model, tmp_path: Path) -> None:
    saved(full, tmp_path, TOKENS).close()
    [manifest] = tmp_path.glob("*.json")
    os.utime(manifest, (0, time.time() - disk.STALE_AFTER - 10))
    assert DiskStore(tmp_path, MANY).stats()["entries"] == 0 and not list(tmp_path.iterdir())


def test_a_full_volume(
    full: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(disk, "FREE_BYTES", 1 << 60)
    store = DiskStore(tmp_path, MANY)
    store.save("model", TOKENS, read_in(full, TOKENS))
    assert store.flush(30) and store.stats()["saves_skipped"] == 1 and not list(tmp_path.iterdir())
    assert "too little room" in caplog.text


def test_a_write_that_fails(full: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the middle of a file: nothing of it stays, the state in memory does."""
    store = DiskStore(tmp_path, MANY)
    cache = PrefixCache(max_bytes=MANY, disk=store)
    state = read_in(full, TOKENS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        assert cache.store("model", TOKENS, state, pinned=True) and store.flush(30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.stats()["save_failures"] == 1 and not list(tmp_path.iterdir())
    assert "could not be saved" in caplog.text and cache.fetch("model", [*TOKENS, 1]) is not None


def test_a_folder_that_goes_meanwhile(full: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Saving fails with a warning; what was computed is there; when the folder is back, the next is saved."""
    folder = tmp_path / "kv"
    store = saved(full, folder, TOKENS)
    cache = PrefixCache(max_bytes=MANY, disk=store)
    folder.rename(tmp_path / "away")
    other = [5, *TOKENS]
    assert cache.store("model", other, read_in(full, other), pinned=True) and store.flush(30)
    assert store.stats()["save_failures"] == 1 and "could not be saved" in caplog.text
    assert cache.fetch("model", [*other, 1]) is not None and cache.fetch("model", [*TOKENS, 1]) is None
    (tmp_path / "away").rename(folder)
    store.save("model", other, read_in(full, other))
    assert store.flush(30) and len(list(folder.glob("*.json"))) == 2


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"cache\.disk: .*file.* cannot be used"):
        DiskStore(tmp_path / "file", MANY)
    with pytest.raises(ConfigError, match=r"cache\.disk"):
        DiskStore(tmp_path / "file" / "below", MANY)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(ConfigError, match="can be written by other users"):
        DiskStore(tmp_path / "open", MANY)


CHILD = """
import os, sys, threading
from pathlib import Path
from anyclaude.kv import PrefixCache, files
from anyclaude.kv.disk import DiskStore
sys.path.insert(0, {tests!r})
from small_models import load
model, store = load("full"), DiskStore(Path({folder!r}), 1 << 30)
cache = PrefixCache(max_bytes=1 << 30, disk=store)
if {stop!r}:
    # Where the system is asked to make it last: there the child says so, and waits for its end.
    done = os.fsync
    calls = iter(range(100))
    def fsync(descriptor):
        done(descriptor)
        if next(calls) == {stop!r} - 1:
            print("now", flush=True)
            threading.Event().wait()
    files.os.fsync = fsync
for first in {prompts!r}:
    tokens = [first, *range(300)]
    state = model.new_state()
    model.read(tokens, state)
    assert cache.store("model", tokens, state, pinned=True)
    store.flush(60)
print("done", flush=True)
os._exit(0)
"""


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts another process that saves states of the full model; none outlives its test."""
    started: list[subprocess.Popen] = []

    def start(folder: Path, prompts: list[int], stop: int = 0) -> subprocess.Popen:
        code = CHILD.format(tests=str(Path(__file__).parent), folder=str(folder), prompts=prompts, stop=stop)
        started.append(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_killed_in_the_middle_of_a_save(
    full: Model, tmp_path: Path, child: Callable[..., subprocess.Popen], stop: int
) -> None:
    """With the state written, with the manifest written, with both in place: nothing older is lost."""
    saved(full, tmp_path, [50, *TOKENS]).close()
    process = child(tmp_path, [51], stop)
    assert process.stdout is not None and process.stdout.readline() == "now\n"
    beside = DiskStore(tmp_path, MANY)  # another server that starts now leaves what is being written alone
    assert beside.stats()["entries"] == (2 if stop == 3 else 1) and len(list(tmp_path.iterdir())) > 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    store = DiskStore(tmp_path, MANY)
    cache = PrefixCache(max_bytes=MANY, disk=store)
    assert cache.fetch("model", [50, *TOKENS, 1]) is not None
    assert (cache.fetch("model", [51, *TOKENS, 1]) is not None) == (stop == 3)
    assert len(list(tmp_path.iterdir())) == 2 * store.stats()["entries"] and store.stats()["damaged"] == 0


@pytest.mark.timeout(300)
def test_two_servers_share_a_folder(
    full: Model, tmp_path: Path, child: Callable[..., subprocess.Popen], caplog: pytest.LogCaptureFixture
) -> None:
    """Two processes save the same prompts and others at the same time, beside one that saves here."""
    children = [child(tmp_path, [*range(1, 9), own]) for own in (20, 21)]
    store = saved(full, tmp_path, *([number, *TOKENS] for number in range(4, 10)))
    for process in children:
        assert process.wait(200) == 0 and process.stdout is not None and process.stdout.read() == "done\n"
    with caplog.at_level(logging.WARNING, "anyclaude.kv"):
        fresh = PrefixCache(max_bytes=MANY, disk=DiskStore(tmp_path, MANY))
        for number in [*range(1, 10), 20, 21]:
            prompt = [number, *TOKENS, 3]
            found = fresh.fetch("model", prompt)
            assert found is not None and found.tokens == 301, number
            assert full.greedy(prompt[301:], found.state, 3) == full.greedy(prompt, full.new_state(), 3)
    assert not caplog.records and len(list(tmp_path.iterdir())) == 2 * 11
    # What another has removed is a miss without a word.
    for path in tmp_path.iterdir():
        path.unlink()
    assert PrefixCache(max_bytes=MANY, disk=store).fetch("model", [4, *TOKENS, 3]) is None
    assert store.stats()["damaged"] == 0


EVICTING = """
import random, sys, time
from pathlib import Path
from anyclaude.kv.disk import DiskStore
sys.path.insert(0, {tests!r})
from small_models import load
model, store, order = load("full"), DiskStore(Path({folder!r}), {max_bytes!r}), random.Random({seed!r})
state = model.new_state()
model.read(list(range(301)), state)
found = 0
for _ in range(150):
    tokens = [order.randrange(12), *range(300)]
    known = store.find("model", tokens)
    if known is None or known[1] != 301:
        store.save("model", tokens, state)
        store.flush(60)
    elif (loaded := store.load(known[0])) is not None:
        assert loaded[0] == tokens
        found += 1
store.close()
print(found, store.stats()["removed"], store.stats()["damaged"], store.stats()["save_failures"])
"""


@pytest.mark.timeout(300)
def test_processes_that_make_room_for_each_other(full: Model, tmp_path: Path) -> None:
    """Each removes what others have found a moment ago: that is a miss without a word."""
    size = saved(full, tmp_path / "one", TOKENS).stats()["bytes"]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", EVICTING.format(
                tests=str(Path(__file__).parent), folder=str(tmp_path / "kv"), max_bytes=size * 5, seed=seed
            )],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for seed in range(3)
    ]  # fmt: skip
    for process in started:
        said, told = process.communicate(timeout=200)
        found, removed, damaged, failures = (int(number) for number in said.split())
        assert found > 0 and removed > 0 and damaged == failures == 0 and told == ""


def test_removed_while_it_is_loaded(full: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another process, which has saved it anew since: what is there now stays."""
    store = saved(full, tmp_path, TOKENS)
    [manifest], [state] = tmp_path.glob("*.json"), tmp_path.glob("*.safetensors")
    plain = mlx_cache.load_prompt_cache

    def load(path: str) -> Any:
        state.unlink()
        kept = manifest.read_bytes()
        manifest.unlink()
        (tmp_path / "new").write_bytes(kept)
        (tmp_path / "new").rename(manifest)
        return plain(path)

    monkeypatch.setattr(mlx_cache, "load_prompt_cache", load)
    [key] = store._entries
    assert store.load(key) is None and store.stats()["damaged"] == 0 and manifest.exists()
    monkeypatch.undo()

    def replaced(path: Path) -> Any:
        read = files.read_manifest(path)
        (tmp_path / "new").write_bytes(b"newer")
        (tmp_path / "new").rename(path)
        return read

    # Another server puts a newer one in its place between the look at it and the look for its state.
    monkeypatch.setattr(disk.files, "read_manifest", with_plain(files.read_manifest, replaced))
    assert DiskStore(tmp_path, MANY).stats()["entries"] == 0
    assert manifest.read_bytes() == b"newer"


def with_plain(plain: Callable[[Path], Any], then: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """A function that calls another, within which the plain one is in its place."""

    def once(path: Path) -> Any:
        files.read_manifest = plain
        return then(path)

    return once


def test_an_engine_without_memory(
    full: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is whole, and stays."""
    saved(full, tmp_path, TOKENS).close()
    store = DiskStore(tmp_path, MANY)

    def fails(path: str) -> Any:
        raise RuntimeError("[metal::malloc] Attempting to allocate too much")

    with monkeypatch.context() as patched:
        patched.setattr(mlx_cache, "load_prompt_cache", fails)
        cache = PrefixCache(max_bytes=MANY, disk=store)
        assert cache.fetch("model", [*TOKENS, 1]) is cache.fetch("model", [*TOKENS, 1]) is None
    assert store.stats()["damaged"] == 0 and caplog.text.count("could not be read") == 1
    assert PrefixCache(max_bytes=MANY, disk=DiskStore(tmp_path, MANY)).fetch("model", [*TOKENS, 1]) is not None


def test_tidied_up_while_a_save_begins(full: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server takes the new file for one that was left: what is saved is private all the same."""
    store, other = DiskStore(tmp_path, MANY), DiskStore(tmp_path, MANY)
    plain, begun = files.fcntl.flock, []

    def flock(descriptor: int, how: int) -> None:
        if how == files.fcntl.LOCK_EX and not begun:
            begun.append(descriptor)
            other._tidy()
            assert not list(tmp_path.iterdir())
        plain(descriptor, how)

    monkeypatch.setattr(files.fcntl, "flock", flock)
    before = os.umask(0o022)
    try:
        store.save("model", TOKENS, read_in(full, TOKENS))
        assert store.flush(30) and store.stats()["saves"] == 1 and begun
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_large_files_are_checked_in_pieces(full: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PIECE_BYTES", 4096)
    monkeypatch.setattr(files, "READ_BYTES", 1000)
    saved(full, tmp_path, TOKENS).close()
    [manifest] = tmp_path.glob("*.json")
    entry = files.read_manifest(manifest)
    assert len(entry.digests) == -(-entry.size // 4096) > 3
    cache = PrefixCache(max_bytes=MANY, disk=DiskStore(tmp_path, MANY))
    assert cache.fetch("model", [*TOKENS, 1]) is not None
