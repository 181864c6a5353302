"""What is computed before anybody asks: reading it, giving way, and the last session."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anyclaude.errors import ConfigError
from anyclaude.kv import options, warm
from anyclaude.kv.handle import PrefixCacheHandle

TOOLS = [{"name": "Bash", "description": "runs " * 2000, "input_schema": {"type": "object"}}]


def handle(folder: Path, **more: Any) -> PrefixCacheHandle:
    settings = options.settings({"disk": str(folder), "memory": "10MB", **more})
    assert settings is not None
    return PrefixCacheHandle(settings)


class Server:
    """What a handle asks: says what it was asked, and takes as long as it is told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.begun, self.go_on = threading.Semaphore(0), threading.Event()
        self.go_on.set()

    def ask(self, body: bytes, check: Callable[[], None]) -> None:
        self.asked.append(json.loads(body))
        self.begun.release()
        while not self.go_on.wait(0.01):
            check()
        if "fails" in str(self.asked[-1].get("system")):
            raise RuntimeError("no")


def test_bodies() -> None:
    found = [json.loads(body) for body in warm.bodies([
        "You are a clerk.",
        {"system": "s", "tools": TOOLS, "max_tokens": 500, "stream": True, "tool_choice": {"type": "any"}},
        '{"messages": [{"role": "user", "content": "x"}], "model": "m"}', b'{"tools": [1]}',
    ])]  # fmt: skip
    assert all(body["max_tokens"] == 1 and body["stream"] is False and "tool_choice" not in body for body in found)
    assert [body.get("system") for body in found] == ["You are a clerk.", "s", None, None]
    assert [body["model"] for body in found] == ["claude", "claude", "m", "claude"]
    assert found[2]["messages"] == [{"role": "user", "content": "x"}] and len(found[1]["messages"]) == 1


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("one", "warm: expected a list of prompts"),
        ([5], r"warm: prompts\[0\]: expected a request body or a text, not int"),
        (["x", "{"], r"warm: prompts\[1\]: not JSON \(line 1\)"),
        ([b"\xff"], r"warm: prompts\[0\]: not UTF-8"),
        ([{"system": ""}], r"warm: prompts\[0\]: has neither system, tools nor messages"),
        ([{"system": {1, 2}}], r"warm: prompts\[0\]: not JSON \(TypeError\)"),
        (["x"] * 101, "warm: more than 100 prompts"),
    ],
)
def test_what_is_no_prompt(prompts: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        warm.bodies(prompts)


@pytest.mark.parametrize(
    "text",
    ['{"system": "a"}\n{"system": "b"}\n', '[{"system": "a"}, "b"]', '\ufeff"a"\n\n"b"', '{"system": "a"}\n"b"'],
)
def test_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "prompts").write_text(text)
    assert [json.loads(body)["system"] for body in warm.read(tmp_path / "prompts", None)] == ["a", "b"]
    (tmp_path / "one").write_text('{"system": "a",\n "tools": []}')
    assert len(warm.read(tmp_path / "one", None)) == 1


def test_files_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server runs without, and says why."""
    (tmp_path / "broken").write_text('{"system": "secret"}\n{"system": "sec')
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    for name, why in (("broken", "line 2"), ("binary", "not UTF-8"), ("gone", "No such file")):
        assert warm.read(tmp_path / name, None) == []
        assert why in caplog.text
    assert "sec" not in caplog.text


def test_one_after_the_other(tmp_path: Path) -> None:
    server, seen, kv = Server(), [], handle(tmp_path)
    warming = kv.warm(["a", "fails", "b"], seen.append)
    assert not warming.wait(0.05) and server.asked == [], "there is no server yet"
    kv.serves(server.ask)
    assert warming.wait(10) and [body["system"] for body in server.asked] == ["a", "fails", "b"]
    assert [(one.done, one.total, one.failed) for one in seen] == [(1, 3, 0), (2, 3, 1), (3, 3, 1)]
    assert warming.progress == seen[-1]
    assert kv.warm(["c"]).wait(10) and server.asked[-1]["system"] == "c"


def test_it_gives_way_to_requests(tmp_path: Path) -> None:
    """It does not begin while one is answered, and leaves what it is at when one comes; then it begins again."""
    server, kv = Server(), handle(tmp_path)
    kv.serves(server.ask)
    with kv.request():
        warming = kv.warm(["a"])
        assert not warming.wait(0.3) and server.asked == []
    assert server.begun.acquire(timeout=10)
    assert warming.wait(10)
    server.go_on.clear()
    warming = kv.warm(["b"])
    assert server.begun.acquire(timeout=10)
    with kv.request():
        assert not server.begun.acquire(timeout=0.3), "it goes on beside a request"
    assert server.begun.acquire(timeout=10)
    server.go_on.set()
    assert warming.wait(10) and [body["system"] for body in server.asked] == ["a", "b", "b"]


def test_the_end_of_the_server_ends_it(tmp_path: Path) -> None:
    server, kv = Server(), handle(tmp_path)
    server.go_on.clear()
    kv.serves(server.ask)
    warming = kv.warm(["a", "b"])
    assert server.begun.acquire(timeout=10)
    kv.close()
    assert warming.wait(10) and len(server.asked) == 1
    for thread in threading.enumerate():
        if thread.name == "anyclaude-kv-warm":
            thread.join(10)
            assert not thread.is_alive()


def body(system: Any, **more: Any) -> bytes:
    request = {"model": "m", "system": system, "tools": TOOLS, "messages": [{"role": "user", "content": "hi"}], **more}
    return json.dumps(request).encode()


def test_one_call_after_the_other(tmp_path: Path) -> None:
    """Prompts of a second call wait for those of the first, before the server runs and after."""
    server, kv = Server(), handle(tmp_path)
    first = kv.warm(["a", "b"])
    second = kv.warm(["c"])
    server.go_on.clear()
    kv.serves(server.ask)
    third = kv.warm(["d"])
    assert server.begun.acquire(timeout=10) and not server.begun.acquire(timeout=0.3)
    kv.serves(server.ask)  # the same once more
    fourth = kv.warm(["e"])
    server.go_on.set()
    assert all(one.wait(10) for one in (first, second, third, fourth))
    assert [body["system"] for body in server.asked] == ["a", "b", "c", "d", "e"]


def test_why_it_failed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In words of ours; those of others may hold the prompt."""

    def ask(body: bytes, check: Callable[[], None]) -> None:
        raise warm.NotComputed("refused (503)") if b"ours" in body else RuntimeError("secret")

    kv = handle(tmp_path)
    kv.serves(ask)
    assert kv.warm(["ours", "other"]).wait(10)
    assert "prompt 1 of the warm-up failed (refused (503))" in caplog.text
    assert "prompt 2 of the warm-up failed (RuntimeError)" in caplog.text and "secret" not in caplog.text


def test_the_attribution_line(tmp_path: Path) -> None:
    """It differs with each request, and makes no other prompt; it is not kept."""
    last = warm.LastPrompts(tmp_path)
    for number in range(3):
        line = f"x-anthropic-billing-header: cch={number};"
        for system in (
            [{"type": "text", "text": line}, {"type": "text", "text": "one"}],
            [{"type": "text", "text": f"{line}\n\ntwo"}], f"{line}\nthree", [{"type": "text", "text": "four"}],
        ):  # fmt: skip
            last.note(body(system))
    last.close()
    texts = ["four", "three", "two", "one"]
    kept = [json.loads(one)["system"] for one in warm.read("last", warm.LastPrompts(tmp_path))]
    assert [system if isinstance(system, str) else system[0]["text"] for system in kept] == texts
    assert all(len(system) == 1 for system in kept if isinstance(system, list))


def test_the_last_session_is_written_now_and_then(tmp_path: Path) -> None:
    """A turn of the main session, one of a subagent, and so on: their order changes with each."""
    now = [0.0]
    last = warm.LastPrompts(tmp_path, lambda: now[0])

    def written() -> list[Any]:
        return [json.loads(one)["system"] for one in warm.read("last", warm.LastPrompts(tmp_path))]

    last.note(body("main"))
    assert written() == ["main"], "the first is kept at once"
    inode = (tmp_path / "last.json").stat().st_ino
    for _ in range(5):
        last.note(body("sub"))
        last.note(body("main"))
        now[0] += 1
    assert written() == ["main"] and (tmp_path / "last.json").stat().st_ino == inode
    now[0] = warm.WRITE_EVERY
    last.note(body("sub"))
    assert written() == ["sub", "main"], "the last one first"
    last.note(body("main"))
    assert written() == ["sub", "main"]
    last.close()
    assert written() == ["main", "sub"]
    inode = (tmp_path / "last.json").stat().st_ino
    last.close()
    assert (tmp_path / "last.json").stat().st_ino == inode, "nothing has changed"


def test_the_last_session(tmp_path: Path) -> None:
    """Its system prompts and tools, the newest first, and nothing of what was said. Short ones do not count."""
    kv = handle(tmp_path, warm="last")
    kv.serves(Server().ask)  # there was none before: nothing to do
    for system in ("one", "two", "one", "three", "four", "five"):
        kv.note(body(system))
    kv.note(json.dumps({"system": "short", "messages": [{"role": "user", "content": "long" * 9999}]}).encode())
    for nonsense in (b"", b"[]", b"{", b"\xff", b'{"system": 5}', b"null"):
        kv.note(nonsense)
    kv.close()
    [path] = tmp_path.glob("last.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and b"hi" not in path.read_bytes()
    server, kv = Server(), handle(tmp_path, warm="last")
    kv.serves(server.ask)
    for _ in range(4):
        assert server.begun.acquire(timeout=10)
    assert [asked["system"] for asked in server.asked] == ["five", "four", "three", "one"]
    assert server.asked[0]["tools"] == TOOLS


def test_a_home_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server runs without a disk there; a folder that somebody has named is another matter."""
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    settings = options.settings({"warm": "last"})
    assert settings is not None
    server, kv = Server(), PrefixCacheHandle(settings)
    assert "nothing is saved: cache.disk: " in caplog.text
    kv.serves(server.ask)
    kv.note(body("one"))
    assert kv.opened().stats()["entries"] == 0 and "disk_entries" not in kv.stats()
    kv.close()
    assert server.asked == [] and (tmp_path / "file").read_text() == "x"
    with pytest.raises(ConfigError, match=r"cache\.disk: .* cannot be used"):
        handle(tmp_path / "file" / "kv")


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"[5]", b"\xff", b"[[]]"])
def test_a_damaged_last_session(tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "last.json").write_bytes(data)
    server, kv = Server(), handle(tmp_path, warm="last")
    kv.serves(server.ask)
    assert "nothing is warmed up" in caplog.text and server.asked == []
    kv.note(body("new"))
    assert [json.loads(one)["system"] for one in warm.read("last", warm.LastPrompts(tmp_path))] == ["new"]
