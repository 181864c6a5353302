"""A Claude Code that is talked with: one process, one session, a message after the other."""

import json
import queue
import subprocess
import threading
import time
from dataclasses import dataclass, field

from .claude import LATEST, Claude
from .process import CACHE, end_group


@dataclass
class Turn:
    """What came of one message: the answers to all requests that it took."""

    events: list[dict] = field(default_factory=list)
    result: dict = field(default_factory=dict)

    @property
    def text(self) -> str:
        return (self.result.get("result") or "").strip()

    @property
    def failed(self) -> bool:
        return bool(self.result.get("is_error")) or not self.result

    @property
    def usage(self) -> list[dict]:
        """The final counts of each answer, in order."""
        inner = (event["event"] for event in self.events if event["type"] == "stream_event")
        return [event["usage"] for event in inner if event["type"] == "message_delta"]

    @property
    def calls(self) -> list[tuple[str, dict]]:
        blocks = [b for e in self.events if e["type"] == "assistant" for b in e["message"]["content"]]
        return [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]


class Conversation:
    """Use it as a context manager."""

    def __init__(self, claude: Claude, *options: str, version: str = LATEST, **env: str) -> None:
        command = [str(CACHE / "claude" / version / "claude"), "-p", "--input-format", "stream-json",
                   "--output-format", "stream-json", "--include-partial-messages", "--verbose", *options]
        self._process = subprocess.Popen(
            command, cwd=claude.project, env=claude.env(**env), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line.decode())
        self._lines.put(None)

    def say(self, text: str, timeout: float = 120) -> Turn:
        """Sends a message and waits for all that comes of it."""
        message = {"type": "user", "message": {"role": "user", "content": [{"type": "text", "text": text}]}}
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()
        turn, end = Turn(), time.monotonic() + timeout
        while not turn.result:
            line = self._lines.get(timeout=max(0.1, end - time.monotonic()))
            assert line is not None, f"Claude Code ended: {turn}"
            event = json.loads(line)
            turn.events.append(event)
            if event["type"] == "result":
                turn.result = event
        return turn

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        end_group(self._process)
        self._reader.join(10)
        self._process.stdout.close()
