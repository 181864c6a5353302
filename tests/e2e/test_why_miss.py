"""`anyclaude why-miss`: what prompts shared with those before them, told to the owner of a running proxy."""

import json

import httpx
import pytest

from support import messages
from support.backend import Backend
from support.proxy import anyclaude
from support.replies import Answer, usage

SESSION = {"x-claude-code-session-id": "aaaa-1"}
SECRET = "sk-ant-api03-" + "Zq7" * 20


def ask(url: str, system: str, *dialogue: str, session: dict | None = None) -> None:
    turns = [{"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(dialogue)]
    request = messages.request() | {"system": system, "messages": turns}
    assert messages.post(url, request, headers=session or SESSION, stream=True).ended


@pytest.fixture
def missed(backend, start_proxy):
    """A proxy that has had a first request, one that goes on from it, and one whose system prompt is another."""
    cached = iter([0, 900, 100])
    backend.script(lambda *_: Answer("Ok.", usage=usage(1000, 5, next(cached))))
    proxy = start_proxy(debug=2)
    rest = "on Monday. " + "Many words follow. " * 100
    ask(proxy.url, f"Key {SECRET} {rest}", "Hi")
    ask(proxy.url, f"Key {SECRET} {rest}", "Hi", "Ok.", "On.")
    ask(proxy.url, f"Key {SECRET}1 {rest}", "Hi", "Ok.", "On.", "Ok.", "More.")
    return proxy


def test_a_miss_is_told(missed, tmp_path):
    done = anyclaude("why-miss", cwd=tmp_path)
    assert done.returncode == 0
    for words in ("3 requests, 1 of them read again", "session aaaa-1", "broken  main: 1000 tokens, 100 of them from",
                  "the system prompt changed", "--pin-lines", "first difference: system, content", "before: ", "now:    ",
                  "cost: about "):
        assert words in done.stdout, (words, done.stdout)
    assert "Zq7" not in done.stdout and "extended" not in done.stdout
    everything = anyclaude("why-miss", "--all", cwd=tmp_path).stdout
    assert "first  main" in everything and "extended  main" in everything


def test_it_is_in_log_trace_and_stats(missed, tmp_path):
    log = missed.errors()
    assert log.count("prefix lost: the system prompt changed") == 1 and "reused_tokens=100" in log and "Zq7" not in log
    traces = sorted((missed.home / "traces").glob("*.jsonl"))
    missed.wait_until(lambda: all('"outcome"' in path.read_text().splitlines()[-1] for path in traces), 5)
    records = [json.loads(line) for path in traces for line in path.read_text().splitlines()]
    assert [record["outcome"] for record in records if record["stage"] == "prefix"] == ["first", "extended", "broken"]
    assert "Zq7" not in "".join(path.read_text() for path in traces)
    [running] = json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout)
    stats = running["stats"]
    assert (stats["broken_prefixes"], stats["lost_prefixes"], stats["cache_read_input_tokens"]) == (1, 0, 1000)


def test_sessions_are_chosen_by_their_beginning(missed, backend, tmp_path):
    backend.script(lambda *_: Answer("Ok."))
    ask(missed.url, "Other.", "Hi", session={"x-claude-code-session-id": "bbbb-2"})

    def sessions(*arguments: str) -> list[str]:
        done = anyclaude("why-miss", "--json", *arguments, cwd=tmp_path)
        return [report["session"] for report in json.loads(done.stdout)]

    assert sessions() == ["aaaa-1"] * 3 + ["bbbb-2"]
    assert sessions("bb") == ["bbbb-2"] and sessions("cc") == []
    odd = anyclaude("why-miss", "a/../b", cwd=tmp_path)
    assert odd.returncode == 2 and "SESSION" in odd.stderr


def test_reports_are_the_owners(missed):
    got = httpx.get(f"{missed.url}/anyclaude/prefix", headers={"x-anyclaude-control": "guess"}, trust_env=False)
    assert got.status_code == 403 and "Monday" not in got.text


def test_the_last_fifty_are_kept(backend, start_proxy, tmp_path):
    backend.script(lambda *_: Answer("Ok."))
    proxy = start_proxy()
    for number in range(60):
        ask(proxy.url, "Be good.", f"Question {number}")
    reports = json.loads(anyclaude("why-miss", "--json", cwd=tmp_path).stdout)
    assert len(reports) == 50 and reports[-1]["conversation"]["difference"]["now"].startswith("59")


def test_counting_leaves_no_trace(backend, start_proxy, tmp_path):
    """Tokens that are only counted are no request of the dialogue."""
    proxy = start_proxy()
    request = messages.request()
    body = {key: request[key] for key in ("model", "messages")}
    answer = httpx.post(f"{proxy.url}/v1/messages/count_tokens", json=body, headers=SESSION, trust_env=False)
    assert answer.status_code == 200
    assert json.loads(anyclaude("why-miss", "--json", cwd=tmp_path).stdout) == []


def test_no_proxy(tmp_path):
    done = anyclaude("why-miss", cwd=tmp_path)
    assert done.returncode == 0 and "no proxy is running" in done.stdout


def test_a_session_comes_back_from_another_server(backend, start_proxy, tmp_path):
    """What the first server's model has said is still known: its cache fits."""
    other = Backend()
    try:
        written = '{"command": "ls",  "n": "5"}'
        backend.script(Answer("\n\n", tools=[("Bash", written)]), Answer("Ok."))
        other.script(lambda *_: Answer("Elsewhere."))
        proxy = start_proxy(backend="openai")
        request = messages.request(tools=[messages.BASH])
        first = messages.post(proxy.url, request, headers=SESSION, stream=True)
        [call] = [block for block in first.blocks if block["type"] == "tool_use"]
        echo = {"type": "tool_use", "id": call["id"], "name": "Bash", "input": {"n": 5, "command": "ls"}}
        request["messages"] += [{"role": "assistant", "content": [echo]}, {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call["id"], "content": "a"}]}]
        assert anyclaude("use", "mlx-lm", "--backend-url", other.url, cwd=tmp_path).returncode == 0
        assert messages.post(proxy.url, request, headers=SESSION, stream=True).text == "Elsewhere."
        assert anyclaude("use", "openai", "--backend-url", backend.url, cwd=tmp_path).returncode == 0
        assert messages.post(proxy.url, request, headers=SESSION, stream=True).text == "Ok."
        for exchange in (backend.exchanges[-1], other.exchanges[-1]):
            [said] = [message for message in exchange.messages if message["role"] == "assistant"]
            assert said["tool_calls"][0]["function"]["arguments"] == written and said["content"] == "\n\n"
        reports = json.loads(anyclaude("why-miss", "--json", cwd=tmp_path).stdout)
        assert [report["reason"]["code"] for report in reports] == ["first_request", "other_model", "other_model"]
    finally:
        other.stop()


def test_lines_are_pinned_by_the_settings(backend, start_proxy, tmp_path):
    backend.script(lambda *_: Answer("Ok.", usage=usage(1200, 5, 1100)))
    proxy = start_proxy(pin_lines="Today's date is,Branch:")
    ask(proxy.url, "Work.\nToday's date is Monday.\nBranch: main", "Hi")
    ask(proxy.url, "Work.\nToday's date is Tuesday.\nBranch: other", "Hi", "Ok.", "Today's date is Friday.")
    first, second = (exchange.messages for exchange in backend.exchanges)
    assert second[0] == first[0] and second[-1]["content"] == "Today's date is Friday."
    reports = json.loads(anyclaude("why-miss", "--json", cwd=tmp_path).stdout)
    assert [report["outcome"] for report in reports] == ["first", "extended"]
