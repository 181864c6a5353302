"""A terminal that a program believes in: keys go in, the screen comes out. Each has a tmux server of its own."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# tmux itself now and then loses the exit code of a program that ends quickly after it closed its terminal.
# The trap keeps the shell alive on Ctrl-C; the program does not inherit it.
SHELL = 'trap : INT; "$@"; echo $? > "$0.new"; mv "$0.new" "$0"'
SETTINGS = """
set -g remain-on-exit on
set -g default-terminal screen-256color
set -g status off
set -g history-limit 5000
set -s escape-time 0
"""


class Terminal:
    def __init__(self, command: list[str], cwd: Path, env: dict[str, str], size: tuple[int, int] = (120, 40)) -> None:
        # A socket's path must be short, so this is not in pytest's folder.
        self._dir = Path(tempfile.mkdtemp(prefix="anyclaude-tmux-"))
        settings = self._dir / "tmux.conf"
        settings.write_text(SETTINGS)
        self._start = ["tmux", "-S", str(self._dir / "socket"), "-f", str(settings)]
        columns, rows = (str(number) for number in size)
        self._env = {**env, "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        self._code = self._dir / "exit-code"
        shell = ["sh", "-c", SHELL, str(self._code), *command]
        self._tmux("new-session", "-d", "-x", columns, "-y", rows, "-c", str(cwd), "--", *shell)
        self.pid = int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: Enter, Escape, C-c, Up."""
        for key in keys:
            self._tmux("send-keys", key)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def everything(self) -> str:
        """The screen and what has scrolled out of it."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def wait_for(self, *texts: str, seconds: float = 20) -> str:
        """Wait until one of the texts is on the screen; the screen then."""
        return self.wait_until(lambda screen: any(text in screen for text in texts), seconds, f"{texts}")

    def wait_until(self, what: Callable[[str], bool], seconds: float = 20, name: str = "it") -> str:
        deadline = time.monotonic() + seconds
        while not what(screen := self.screen()):
            assert time.monotonic() < deadline, f"{name} did not come within {seconds} s; the screen:\n{screen}"
            assert not self.ended, f"{name} did not come before the end:\n{screen}"
            time.sleep(0.1)
        return screen

    @property
    def ended(self) -> bool:
        return self._code.exists()

    def exit_code(self, seconds: float = 15) -> int:
        """Wait for the end; a signal counts as 128 and its number."""
        deadline = time.monotonic() + seconds
        while not self.ended:
            assert time.monotonic() < deadline, f"still runs after {seconds} s; the screen:\n{self.screen()}"
            time.sleep(0.1)
        return int(self._code.read_text())

    def stop(self) -> None:
        """The terminal's window is closed, as by a click: what ran in it gets SIGHUP."""
        self._tmux("kill-server", check=False)
        shutil.rmtree(self._dir)

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run([*self._start, *arguments], env=self._env, capture_output=True, timeout=10,
                              stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, (arguments, done.stderr.decode())
        return done.stdout.decode(errors="replace")


def alive(pid: int) -> bool:
    """Is there such a process, other than as a zombie?"""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def family(pid: int) -> set[int]:
    """The process and all that came from it and still hang on to it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(") ", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = set(), [pid]
    while todo:
        found.add(one := todo.pop())
        todo += children.get(one, [])
    return found
