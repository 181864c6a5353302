"""Claude Code as a user has it: on a terminal, with keys, dialogs and a screen."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.backend import Backend
from support.claude import LATEST, Claude
from support.history import assert_grows, sent, text_of
from support.process import CACHE
from support.proxy import binary
from support.replies import Answer, Steps, delta_frame
from support.tmux import Terminal, alive, family

CLAUDE = CACHE / "claude" / LATEST / "claude"
READY = ("? for shortcuts", "esc to interrupt", "for agents")


@dataclass
class Session:
    """One Claude Code on one terminal."""

    terminal: Terminal
    project: Path

    def ask(self, text: str) -> None:
        """Type a line; only when it stands there, press Enter: a paste detector would take the key for text."""
        self.terminal.type(text)
        self.terminal.wait_until(lambda screen: f"❯ {text}" in screen.replace("\xa0", " "), 10, "what was typed")
        time.sleep(0.2)
        self.terminal.press("Enter")

    def wait_for(self, *texts: str, seconds: float = 20) -> str:
        return self.terminal.wait_for(*texts, seconds=seconds)


def plain(backend: Backend, start_proxy, home: Path):
    """`claude`, told by its environment where the proxy is."""
    claude = Claude(start_proxy(ping_interval="300ms").url, home)
    env = claude.env(ANTHROPIC_AUTH_TOKEN="client-secret")
    del env["ANTHROPIC_API_KEY"]
    return claude, [str(CLAUDE), "--permission-mode", "default"], env


def launched(backend: Backend, start_proxy, home: Path):
    """`anyclaude claude`, which starts both."""
    claude = Claude("", home)
    env = claude.env(ANYCLAUDE_HOME=str(home / "anyclaude"))
    del env["ANTHROPIC_API_KEY"], env["ANTHROPIC_BASE_URL"]
    command = [str(binary()), "claude", "--backend", "openai", "--backend-url", backend.url,
               "--claude-path", str(CLAUDE), "--"]
    return claude, command, env


@pytest.fixture(params=[plain, launched], ids=lambda how: how.__name__)
def start(request, backend, start_proxy, tmp_path):
    """Start sessions, one after the other, in one home and one project."""
    claude, command, env = request.param(backend, start_proxy, tmp_path)
    terminals: list[Terminal] = []

    def begin(*options: str, size: tuple[int, int] = (110, 40)) -> Session:
        terminal = Terminal([*command, *options], claude.project, env, size)
        terminals.append(terminal)
        terminal.wait_for(*READY)
        return Session(terminal, claude.project)

    yield begin
    for terminal in terminals:
        processes = family(terminal.pid)
        print(f"---- the screen at the end\n{terminal.screen()}")  # shown when the test fails
        terminal.stop()
        deadline = time.monotonic() + 10
        while left := [pid for pid in processes if alive(pid)]:
            assert time.monotonic() < deadline, f"the terminal was closed, but {left} still run"
            time.sleep(0.1)


def story(*ends) -> Steps:
    return Steps([delta_frame({"role": "assistant"}), delta_frame({"content": "Once upon a time.\n\n"}), *ends])


def test_the_answer_is_seen_while_it_comes(backend, start):
    backend.script(story(3, delta_frame({"content": "The end."}, "stop"), b"data: [DONE]\n\n", "end"))
    session = start()
    session.ask("Tell a story.")
    assert "The end." not in session.wait_for("Once upon a time.")
    session.wait_for("The end.")


def test_escape_stops_the_backend_and_the_session_goes_on(backend, start):
    backend.script(story("stall"), Answer("Something else, then."))
    session = start()
    session.ask("Tell a story.")
    session.wait_for("Once upon a time.")
    pressed = time.monotonic()
    session.terminal.press("Escape")
    backend.wait_for(lambda: backend.exchanges[0].client_left, 5)
    assert backend.exchanges[0].client_left - pressed < 2
    session.wait_for("Interrupted")
    session.ask("Stop that.")
    session.wait_for("Something else, then.")
    assert "Stop that." in text_of(backend.exchanges[-1].messages[-1])


def input_line(session) -> str:
    """What stands behind the last prompt sign on the screen."""
    return [line for line in session.terminal.screen().splitlines() if line.startswith("❯")][-1]


def wait_until(happened, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_escape_during_a_silent_prefill(backend, start):
    backend.script(Answer("Too late.", first_byte_after=60), Answer("At once."))
    session = start()
    session.ask("Read all of it.")
    backend.wait_for(lambda: backend.exchanges)
    session.wait_for("esc to interrupt")
    session.terminal.press("Escape")
    backend.wait_for(lambda: backend.exchanges[0].client_left, 5)
    session.wait_for("Interrupted", "Read all of it.")
    # The unanswered question comes back into the input line, sooner or later: out with it.
    wait_until(lambda: "Read all of it." in input_line(session))
    session.terminal.press("C-u")
    wait_until(lambda: "Read all of it." not in input_line(session))
    session.ask("Only the title.")
    session.wait_for("At once.")


def test_a_tool_waits_for_its_permission(backend, start):
    """In the permission mode `default` the user is asked, and not a classifier that no local model can be."""
    backend.script(Answer("I make it.", tools=[("Bash", {"command": "echo made > made.txt"})]), Answer("It is there."))
    session = start()
    session.ask("Make a file.")
    session.wait_for("Do you want to proceed?")
    assert not (session.project / "made.txt").exists()
    time.sleep(1)  # a dialog takes no key that was meant for what was there before it
    session.terminal.press("Enter")
    session.wait_for("It is there.")
    assert (session.project / "made.txt").read_text() == "made\n"
    assert "safeguards" not in json.dumps(backend.exchanges[0].body)


def test_slash_commands(backend, start):
    backend.script(lambda *_: Answer("Here is what we did so far: nothing much."))
    session = start()
    session.ask("Begin.")
    session.wait_for("nothing much")
    session.ask("/context")
    screen = session.wait_for("Context usage", "Context Usage")
    assert "tokens" in screen
    session.ask("/model")
    session.wait_for("Select model")
    session.terminal.press("Escape")
    session.wait_for("Kept model")
    before = len(backend.exchanges)
    session.ask("/compact")
    session.wait_for("Compacted")
    assert len(backend.exchanges) > before
    session.ask("And now?")
    backend.wait_for(lambda: "And now?" in json.dumps(backend.exchanges[-1].body))
    assert any("Here is what we did so far" in text for text in sent(backend.exchanges[-1], "user")), "the summary"


def test_leave_and_come_back(backend, start):
    backend.script(Answer("The word is XYZZY."), Answer("You know it already."))
    session = start()
    session.ask("Say the word.")
    session.wait_for("The word is XYZZY.")
    processes = family(session.terminal.pid)
    session.ask("/exit")
    assert session.terminal.exit_code() == 0
    gone(processes)

    session = start("--continue")
    session.wait_for("The word is XYZZY.")
    session.ask("Once more.")
    session.wait_for("You know it already.")
    assert_grows(*backend.exchanges)


def test_ctrl_c_twice_leaves(backend, start):
    backend.script(Answer("Hello."))
    session = start()
    session.ask("Hi.")
    session.wait_for("Hello.")
    processes = family(session.terminal.pid)
    session.terminal.press("C-c")
    session.wait_for("again to exit")
    session.terminal.press("C-c")
    assert session.terminal.exit_code() == 0
    gone(processes)


def test_ctrl_c_during_an_answer_stops_only_the_answer(backend, start):
    """The key belongs to Claude Code: a launcher that took it for itself would end the session."""
    backend.script(story("stall"), Answer("Still here."))
    session = start()
    session.ask("Tell a story.")
    session.wait_for("Once upon a time.")
    session.terminal.press("C-c")
    backend.wait_for(lambda: backend.exchanges[0].client_left, 5)
    session.wait_for("Interrupted")
    session.ask("Are you there?")
    session.wait_for("Still here.")


@pytest.mark.parametrize("size", [(60, 20), (180, 50)], ids=["smaller", "larger"])
def test_resize(backend, start, size):
    backend.script(story("stall"), Answer("It fits."))
    session = start()
    session.ask("Tell a story.")
    session.wait_for("Once upon a time.")
    session.terminal.resize(*size)
    lines = session.wait_for("─" * size[0]).splitlines()
    assert max(map(len, lines)) <= size[0]
    session.terminal.press("Escape")
    session.wait_for("Interrupted")
    session.ask("Is it narrow?")
    session.wait_for("It fits.")


def gone(processes: set[int]) -> None:
    """All of them must have ended, or do so in a moment."""
    deadline = time.monotonic() + 5
    while left := [pid for pid in processes if alive(pid)]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.1)
