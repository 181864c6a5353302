"""What a real server reads again, in ten turns of a real Claude Code.

The answers are scripted, so that tools, subagents and a tool search happen at known places; each request also
goes to a real server with a tiny model, as it is, and what that server counts is what the proxy is told.
"""

import json
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from support.backend import Backend
from support.claude import LATEST, Claude
from support.http1 import Request
from support.process import CACHE, end_group
from support.proxy import anyclaude
from support.real import RealBackend
from support.replies import Answer, usage

pytestmark = pytest.mark.timeout(600)

TURNS = 10
SUBAGENT = "Count the files."


class Measured(Backend):
    """A scripted backend that shows each prompt to a real server, and tells what that one counted."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.real = url
        self.counted: list[dict] = []

    def check(self, request: Request) -> list[str]:
        """Servers of a kind take more than OpenAI's reference."""
        return [wrong for wrong in super().check(request) if "chat_template_kwargs" not in wrong]

    def measure(self, request: Request) -> dict:
        body = {**request.json, "max_tokens": 1, "stream": False}
        body.pop("stream_options", None)
        answer = httpx.post(f"{self.real}/chat/completions", json=body, timeout=300, trust_env=False)
        assert answer.status_code == 200, answer.text
        counted = answer.json()["usage"]
        cached = (counted.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
        told = usage(counted["prompt_tokens"], 1, cached)
        self.counted.append(told)
        return told


def last_words(messages: list[dict]) -> str:
    """The last message, if it is the user's."""
    last = messages[-1]
    if last["role"] != "user":
        return ""
    content = last["content"]
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def calls_of(turn: int) -> list[tuple[str, dict | str]]:
    agent = {"description": "count", "prompt": f"{SUBAGENT} No. {turn}", "subagent_type": "general-purpose",
             "run_in_background": False}
    return {
        1: [("Bash", {"command": "echo one"})],
        2: [("Write", {"file_path": "a.txt", "content": "old line  \nnext\n"})],
        3: [("Agent", agent)],
        # Claude Code adds a key of its own to the echo of an edit.
        4: [("Edit", '{"file_path": "a.txt", "old_string": "old line", "new_string": "new line"}')],
        5: [("Bash", {"command": "echo a"}), ("Bash", {"command": "echo b"})],
        6: [("ToolSearch", {"query": "select:NotebookEdit", "max_results": 1})],
        7: [("Agent", agent)],
        8: [("Read", '{"file_path": "a.txt", "limit": "5"}')],
        9: [("Bash", {"command": "echo nine"})],
    }.get(turn, [])


def script(backend: Measured):
    def answer(request: Request, _number: int) -> Answer:
        told = backend.measure(request)
        messages = request.json["messages"]
        words = last_words(messages)
        if SUBAGENT in words:
            return Answer(tools=[("Bash", {"command": "ls"})], usage=told)
        if "TURN " in words:
            turn = int(words.rsplit("TURN ", 1)[1].split()[0])
            tools = calls_of(turn)
            # Blank text before a call is what Claude Code drops.
            return Answer("\n\n" if turn % 2 else f"I do {turn}.\n\n", tools=tools, usage=told) if tools else Answer(
                "The last word.", usage=told)
        return Answer("\n\nDone.", usage=told)

    return answer


@pytest.fixture(params=["llama.cpp", "mlx-lm"])
def measured(request, tmp_path) -> Iterator[Measured]:
    real = RealBackend(request.param, tmp_path / "real.log")
    backend = Measured(real.url)
    backend.kind = request.param
    backend.script(script(backend))
    yield backend
    backend.stop()
    real.stop()


def ten_turns(claude: Claude) -> None:
    command = [str(CACHE / "claude" / LATEST / "claude"), "-p", "--input-format", "stream-json", "--output-format",
               "stream-json", "--verbose", "--allowedTools", "Bash,Write,Edit,Read,Agent,ToolSearch"]
    env = claude.env(CLAUDE_CODE_GATEWAY_HINT_HEADERS="1")
    session = subprocess.Popen(command, cwd=claude.project, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    try:
        for turn in range(1, TURNS + 1):
            content = [{"type": "text", "text": f"TURN {turn} please"}]
            session.stdin.write(json.dumps({"type": "user", "message": {"role": "user", "content": content}}) + "\n")
            session.stdin.flush()
            result = next(event for event in map(json.loads, session.stdout) if event["type"] == "result")
            assert not result["is_error"], (turn, result)
            assert result["result"].strip() == ("The last word." if turn == TURNS else "Done."), (turn, result)
        session.stdin.close()
        assert session.wait(10) == 0
    finally:
        end_group(session)
        session.stdout.close()


def test_ten_turns(measured, start_proxy, tmp_path):
    proxy = start_proxy(measured.url, backend=measured.kind, debug=1)
    ten_turns(Claude(proxy.url, tmp_path / "claude"))
    reports = json.loads(anyclaude("why-miss", "--json", cwd=tmp_path).stdout)
    assert len(reports) == len(measured.counted) and len({report["session"] for report in reports}) == 1
    rows = []
    for report in reports:
        share = report["reused_tokens"] / report["prompt_tokens"]
        rows.append(f"{report['class']:10} {report['outcome']:9} {report['prompt_tokens']:6} {share:7.1%} {report['reason']['text']}")
    print("\n".join(rows))

    main = [report for report in reports if report["class"] == "main"]
    agents = [report for report in reports if report["class"] == "subagent"]
    assert len(main) == 2 * TURNS - 1 and len(agents) == 4
    assert main[0]["outcome"] == "first"
    # The tool search is the one thing that changes what stands before the dialogue.
    [added] = [report for report in main[1:] if report["outcome"] != "extended"]
    assert (added["outcome"], added["reason"]["code"]) == ("broken", "tool_added")
    assert "NotebookEdit" in added["reason"]["text"]
    assert added["conversation"]["difference"]["part"] == "tool NotebookEdit" and added["is_miss"]
    assert 0 < added["lost_tokens_estimate"] <= added["prompt_tokens"] - added["reused_tokens"]
    for report in main[1:]:
        if report is not added:
            assert report["reused_tokens"] >= 0.95 * report["prompt_tokens"], report
            assert report["conversation"]["shared_bytes"] == report["conversation"]["of_bytes"]
    # What stands before the new tool was kept.
    assert added["reused_tokens"] > 0.2 * added["prompt_tokens"], added
    first, second = (report for report in agents if report["outcome"] == "first")
    assert second["reused_tokens"] >= 0.9 * second["prompt_tokens"], (first, second)
    log = proxy.errors()
    assert log.count("prefix lost") == 1 and "NotebookEdit" in log, log
