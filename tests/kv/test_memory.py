"""Sizes, the machine's memory, and the watch over it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from anyclaude.errors import ConfigError
from anyclaude.kv import memory
from anyclaude.kv.monitor import Monitor, default_reserve

GB = 10**9


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("8GB", 8 * GB), ("1.5 GiB", 3 << 29), ("64mb", 64 * 10**6), ("512K", 512_000), (" 7 ", 7), (12345, 12345),
        (".5g", GB // 2),
    ],
)
def test_sizes(value: str | int, expected: int) -> None:
    assert memory.budget(value) == memory.size(value, "x") == expected


def test_shares() -> None:
    assert memory.budget("100%") == memory.total() > 0
    assert memory.budget("25 %") == int(memory.total() * 0.25)
    assert 0 < memory.available() <= memory.total() * 2


NO_SIZES = ["", "GB", "8XB", "-1", "0", "0%", "101%", "nan%", "1e400", "9" * 5000, "8GB8", 0, -5, True, 1.5, None]


@pytest.mark.parametrize("value", NO_SIZES)
def test_sizes_that_are_none(value: object) -> None:
    with pytest.raises(ConfigError, match=r"^cache\.memory: expected ") as raised:
        memory.budget(value, "cache.memory")  # type: ignore[arg-type]
    assert len(str(raised.value)) < 150


def test_without_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(ConfigError, match="pip install psutil"):
        memory.budget("25%")
    assert memory.budget("8GB") == 8 * GB


def groups(tmp_path: Path, lines: str, files: dict[str, str]) -> list[tuple[int, int]]:
    (tmp_path / "own").write_text(lines)
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return memory._groups(tmp_path / "fs", tmp_path / "own")


def test_containers(tmp_path: Path) -> None:
    """Limits of both versions of control groups, those above the own one too; files that were read do not count."""
    newer = {
        "a/b/memory.max": "4000\n", "a/b/memory.current": "3000\n", "a/b/memory.stat": "anon 5\ninactive_file 1000\n",
        "a/memory.max": "max\n", "a/memory.current": "9\n", "memory.max": "9000\n", "memory.current": "100\n",
    }
    assert groups(tmp_path / "new", "0::/a/b\n", newer) == [(4000, 2000), (9000, 100)]
    older = {
        "memory/x/memory.limit_in_bytes": "5000", "memory/x/memory.usage_in_bytes": "100",
        "memory/x/memory.stat": "total_inactive_file 40", "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/memory.usage_in_bytes": "7",
    }
    assert groups(tmp_path / "old", "5:cpu:/\n4:memory,hugetlb:/x\n0::/\n", older) == [(5000, 60)]
    # In a container the path is the host's, and only the root is to be seen.
    assert groups(tmp_path / "in", "0::/host/path\n", {"memory.max": "77", "memory.current": "70"}) == [(77, 70)]
    assert groups(tmp_path / "out", "0::/../..\nnonsense\n\n", {"memory.max": "x", "memory.current": "1"}) == []
    assert memory._groups(tmp_path / "nowhere", tmp_path / "nothing") == []


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    for name in ("new", "old", "in", "out"):
        (tmp_path / name).mkdir()


class Machine:
    """A machine with 1000 bytes, of which a cache and others take some."""

    def __init__(self, held: int, others: int, buffers: int = 0) -> None:
        self.nbytes, self.others, self.buffers = held, others, buffers
        self.asked: list[int] = []
        self.looked = threading.Event()

    def free(self, count: int) -> None:
        self.asked.append(count)
        # States are freed as a whole; their memory becomes a buffer first.
        freed = min(self.nbytes, -(-count // 100) * 100)
        self.nbytes -= freed
        self.buffers += freed

    def free_memory(self) -> int:
        self.looked.set()
        return 1000 - self.nbytes - self.others - self.buffers

    def give_back(self) -> None:
        self.buffers = 0

    def monitor(self, **named: float) -> Monitor:
        return Monitor(self, reserve=200, free_memory=self.free_memory, give_back=self.give_back, **named)


def test_memory_runs_short(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(held=500, others=200)
    monitor = machine.monitor()
    assert monitor.look() == 0 and machine.asked == []
    machine.others = 450
    assert monitor.look() == 200 and machine.asked == [150]
    assert machine.free_memory() == 250 and monitor.look() == 0
    machine.others = 2000
    assert monitor.look() == 300 and machine.nbytes == 0 and monitor.look() == 0 and monitor.freed == 500
    assert len(caplog.records) == 2, "once each time that it runs short"


def test_unused_buffers_are_given_back_first() -> None:
    machine = Machine(held=500, others=200, buffers=250)
    assert machine.monitor().look() == 0 and machine.nbytes == 500 and machine.buffers == 0


def test_the_watch_ends() -> None:
    before = threading.enumerate()
    machine = Machine(held=500, others=600)
    monitor = machine.monitor(every=0.01)
    monitor.start()
    monitor.start()
    assert machine.looked.wait(10)
    while machine.nbytes > 300:
        machine.looked.clear()
        assert machine.looked.wait(10)
    monitor.close()
    assert set(threading.enumerate()) <= set(before)


def test_a_system_that_does_not_tell(caplog: pytest.LogCaptureFixture) -> None:
    asked = threading.Event()

    def unknown() -> int:
        asked.set()
        raise OSError("not here")

    monitor = Monitor(Machine(500, 0), reserve=200, free_memory=unknown, every=0.01)
    monitor.start()
    assert asked.wait(10)
    monitor.close()
    assert "no longer watched (OSError)" in caplog.text


def test_the_reserve() -> None:
    assert default_reserve(128 * GB) == 128 * GB // 20
    assert default_reserve(8 * GB) == 512 << 20
    assert default_reserve(GB) == GB // 4
