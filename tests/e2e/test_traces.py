"""Traces: what is written, what must never be, and what can be done with them afterwards."""

import json
import os
import time
from pathlib import Path

import httpx
import pytest

from support import messages
from support.anthropic_server import AnthropicServer, answer, chunked
from support.assembly import Assembly, frames
from support.http1 import Request
from support.proxy import Proxy, anyclaude
from support.replies import Answer, Status, Steps, delta_frame, error
from support.strict import violations

CHAT = "/v1/chat/completions"


def traces(proxy: Proxy) -> list[Path]:
    return sorted((proxy.home / "traces").glob("*.jsonl"))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def traced(proxy: Proxy, count: int = 1) -> list[Path]:
    """The traces, when they are complete: the last line tells how it ended."""
    proxy.wait_until(lambda: len(traces(proxy)) >= count and all(
        path.read_text().endswith("\n") and lines(path)[-1]["stage"] == "outcome" for path in traces(proxy)), 5)
    return traces(proxy)


# ---- what is written


def test_a_trace_tells_the_whole_story(backend, start_proxy):
    proxy = start_proxy(debug=3)
    backend.script(Answer("Hello", thinking="Hm.", tools=[("Bash", {"command": "ls"})]))
    reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=True)
    [path] = traced(proxy)
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert reply.headers["request-id"] in path.name
    story = lines(path)
    stages = [line["stage"] for line in story]
    assert stages[0] == "request" and stages[-1] == "outcome" and "timing" in stages
    assert {"translated", "response", "backend", "client"} <= set(stages)
    assert stages.index("translated") < stages.index("response") < stages.index("backend")
    times = [line["ms"] for line in story]
    assert times == sorted(times) and times[0] >= 0

    by_stage = {line["stage"]: line for line in story}
    assert (by_stage["request"]["method"], by_stage["request"]["path"]) == ("POST", "/v1/messages")
    assert by_stage["request"]["body"]["messages"] == [{"role": "user", "content": "hi"}]
    assert by_stage["translated"]["body"] == backend.exchanges[0].body
    assert by_stage["response"]["status"] == 200
    client = "".join(line["data"] for line in story if line["stage"] == "client")
    assert [event["type"] for event in frames(client.splitlines())] == reply.names


@pytest.mark.parametrize("level", [2, 3])
def test_at_level_3_each_event_is_a_record(backend, start_proxy, level):
    proxy = start_proxy(debug=level)
    backend.script(Answer("Hello", pieces=5))
    reply = messages.post(proxy.url, messages.request(), stream=True)
    story = lines(traced(proxy)[0])
    for stage in ("backend", "client"):
        records = [line["data"] for line in story if line["stage"] == stage]
        each = [record.count("data:") for record in records]
        assert each == [1] * len(each) if level == 3 else len(each) == 1, stage
        assert all(record.endswith("\n\n") for record in records)
    assert level == 2 or sum(line["stage"] == "client" for line in story) == len(reply.names)


def test_each_try_is_traced(backend, start_proxy, tmp_path):
    """What the server refused, what was sent then, and what it said to that."""
    proxy = start_proxy(debug=2)
    unknown = error(400, "Unsupported parameter: 'stream_options'")
    backend.script(unknown, Answer("Hello"))
    messages.post(proxy.url, messages.request(), stream=True)
    [path] = traced(proxy)
    story = [line for line in lines(path) if line["stage"] in ("translated", "response", "backend")]
    assert [line["stage"] for line in story] == ["translated", "response", "backend", "translated", "response", "backend"]
    assert [line["status"] for line in story if line["stage"] == "response"] == [400, 200]
    assert "stream_options" in story[0]["body"] and "stream_options" not in story[3]["body"]
    assert "Unsupported parameter" in story[2]["data"]
    done = anyclaude("trace", "replay", str(path), "--offline", cwd=tmp_path)
    again = messages.Reply(200, {}, events=list(frames(done.stdout.splitlines())))
    Assembly(again).run()
    assert done.returncode == 0 and again.text == "Hello" and "Unsupported" not in done.stdout


def test_a_refusal_is_replayed(backend, start_proxy, tmp_path):
    proxy = start_proxy(debug=2)
    backend.script(error(400, "the model is on strike"))
    got = messages.post(proxy.url, messages.request(), stream=True)
    [path] = traced(proxy)
    done = anyclaude("trace", "replay", str(path), "--offline", cwd=tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout)["error"] == got.error


@pytest.mark.parametrize("level", [0, 1, 2])
def test_levels(backend, start_proxy, level):
    proxy = start_proxy(debug=level)
    backend.script(Answer("Hello", pieces=50))
    messages.post(proxy.url, messages.request("A SECRET QUESTION"), stream=True)
    if level < 2:
        time.sleep(0.3)
        assert traces(proxy) == []
    else:
        [path] = traced(proxy)
        assert "A SECRET QUESTION" in path.read_text()
    log = proxy.errors()
    assert "A SECRET QUESTION" not in log, "a log is no place for what was said"
    if level >= 1:
        assert "request_id" in log and "ms=" in log


@pytest.mark.parametrize("reply,stream", [
    (error(400, "the model is on strike"), True),
    (Steps([delta_frame({"content": "Half"}), "reset"]), True),
    (Status(502, "<html>"), False),
], ids=["refused", "broken off", "html"])
def test_failures_are_traced_to_their_cause(backend, start_proxy, reply, stream):
    proxy = start_proxy(debug=3)
    backend.script(lambda *_: reply)
    got = messages.post(proxy.url, messages.request(), stream=stream)
    [path] = traced(proxy)
    assert json.dumps(got.error["message"])[1:-1] in path.read_text()


def test_a_client_that_left_is_traced(backend, start_proxy):
    proxy = start_proxy(debug=2)
    backend.script(Steps([delta_frame({"content": "One"}), "stall"]))
    with httpx.stream("POST", f"{proxy.url}/v1/messages", json=messages.request(stream=True), trust_env=False) as got:
        next(got.iter_raw())
    [path] = traced(proxy)
    assert "cancel" in json.dumps(lines(path)[-1])


# ---- what must never be


SECRETS = {
    "key": "planted-backend-key", "token": "planted-inbound-token", "bearer": "planted-client-bearer",
    "query": "planted-query-key", "cookie": "planted-cookie", "header": "planted-header-key",
    "foreign": "sk-proj-plantedForeignKey0123456789abcdef",
}


def test_no_secret_is_written_anywhere(backend, start_proxy, tmp_path):
    """At the highest level, with every place that a secret may stand in."""
    proxy = start_proxy(debug=3, env={"ANYCLAUDE_INBOUND_TOKEN": SECRETS["token"]}, key=SECRETS["key"])
    echo = f"Incorrect API key provided: {SECRETS['key']} (or {SECRETS['foreign']})"
    planted = {"set-cookie": f"session={SECRETS['cookie']}", "x-api-key": SECRETS["header"],
               "authorization": f"Bearer {SECRETS['header']}"}

    def script(_request, number):
        if number == 0:
            return Status(200, Answer("Hello").completion(), planted)
        if number == 1:
            return Status(401, {"error": {"message": echo, "type": "invalid_request_error"}}, planted)
        return Steps([f"data: {json.dumps({'error': {'message': echo}})}\n\n".encode(), "end"])

    backend.script(script)
    headers = {"x-api-key": SECRETS["token"], "authorization": f"Bearer {SECRETS['bearer']}",
               "cookie": f"session={SECRETS['cookie']}", "proxy-authorization": f"Basic {SECRETS['bearer']}"}
    url = proxy.url
    for stream in (False, False, True):
        with_query = f"{url}/v1/messages?beta=true&key={SECRETS['query']}&api_key={SECRETS['query']}"
        post_to(with_query, messages.request(stream=stream), headers)
    post_to(f"{url}/v1/messages", messages.request(), {"x-api-key": SECRETS["bearer"]})
    post_to(f"{url}/nowhere?token={SECRETS['query']}", {}, headers)
    traced(proxy, 3)
    for arguments in (["status"], ["status", "--json"], ["trace", "list"], ["doctor"], ["config", "show"],
                      ["config", "show", "--json"], *(["trace", "show", str(path)] for path in traces(proxy))):
        done = anyclaude(*arguments, cwd=tmp_path, env={
            "ANYCLAUDE_INBOUND_TOKEN": SECRETS["token"], "ANYCLAUDE_API_KEY": SECRETS["key"], "ANYCLAUDE_DEBUG": "3"})
        clean(done.stdout + done.stderr, " ".join(arguments))
    clean(proxy.log.read_text() + "\n".join(proxy.output), "the log")
    files = [path for path in proxy.home.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        clean(path.read_text(), str(path))
        assert path.stat().st_mode & 0o077 == 0, f"others may read {path}"


def test_no_secret_of_a_login_is_written(start_proxy):
    """On the route to Anthropic the user's login passes through, and stays nowhere."""
    far = AnthropicServer()
    try:
        far.script(lambda *_: chunked(answer("Far.", thinking="Hm.")))
        proxy = start_proxy(far.url, backend="anthropic", debug=3)
        login = {"authorization": f"Bearer {SECRETS['bearer']}", "cookie": f"session={SECRETS['cookie']}"}
        post_to(f"{proxy.url}/v1/messages?beta=true&key={SECRETS['query']}", messages.request(stream=True), login)
        assert far.exchanges[0].request.headers["authorization"] == f"Bearer {SECRETS['bearer']}"
        traced(proxy)
        clean(proxy.log.read_text(), "the log")
        for path in proxy.home.rglob("*.json*"):
            clean(path.read_text(), str(path))
    finally:
        far.stop()


def post_to(url: str, body: dict, headers: dict) -> None:
    httpx.post(url, json=body, headers=headers, trust_env=False, timeout=20)


def clean(text: str, where: str) -> None:
    for name, secret in SECRETS.items():
        at = text.find(secret)
        assert at < 0, f"{where} has the {name}: ...{text[max(0, at - 200) : at + 60]}"


# ---- what can be done with them


@pytest.fixture
def recorded(backend, start_proxy, tmp_path):
    """A proxy with the trace of one answer."""
    proxy = start_proxy(debug=3)
    backend.script(lambda *_: Answer("Hello", thinking="Hm.", tools=[("Bash", {"command": "ls"})]))
    reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=True)
    return proxy, traced(proxy)[0], reply


def test_list(recorded, backend, tmp_path):
    proxy, path, reply = recorded
    [listed] = json.loads(anyclaude("trace", "list", "--json", cwd=tmp_path).stdout)
    assert Path(listed["file"]) == path and listed["status"] == 200 and listed["stop_reason"] == "tool_use"
    plain = anyclaude("trace", "list", cwd=tmp_path)
    assert path.stem in plain.stdout and plain.returncode == 0


def test_list_of_none(tmp_path):
    done = anyclaude("trace", "list", "--json", cwd=tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout) == []


def test_show(recorded, tmp_path):
    _, path, _ = recorded
    for name in (str(path), path.stem):
        done = anyclaude("trace", "show", name, cwd=tmp_path)
        assert done.returncode == 0 and "request" in done.stdout and '"ls' in done.stdout.replace("\\", ""), done
    machine = anyclaude("trace", "show", str(path), "--json", cwd=tmp_path)
    assert machine.returncode == 0 and "translated" in machine.stdout
    [json.loads(part) for part in ([machine.stdout] if machine.stdout.startswith("[") else machine.stdout.splitlines())]


def test_replay_offline(recorded, backend, tmp_path):
    """The recorded answer is converted again, and says the same; nobody is asked."""
    _, path, reply = recorded
    done = anyclaude("trace", "replay", str(path), "--offline", cwd=tmp_path)
    assert done.returncode == 0, done
    again = messages.Reply(200, {}, events=list(frames(done.stdout.splitlines())))
    Assembly(again).run()
    assert again.ended and again.text == reply.text and again.tools == reply.tools
    assert len(backend.exchanges) == 1


def test_replay(recorded, backend, tmp_path):
    _, path, _ = recorded
    done = anyclaude("trace", "replay", str(path), cwd=tmp_path)
    assert done.returncode == 0, done
    assert len(backend.exchanges) == 2
    assert backend.exchanges[1].body == backend.exchanges[0].body
    assert violations(Request("POST", CHAT, {}, backend.exchanges[1].request.body), CHAT) == []
    again = messages.Reply(200, {}, events=list(frames(done.stdout.splitlines())))
    Assembly(again).run()
    assert again.ended and again.text == "Hello"


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "nonsense"])
def test_damaged_traces(recorded, tmp_path, damage):
    _, path, _ = recorded
    data = path.read_bytes()
    broken = tmp_path / "broken.jsonl"
    if damage != "missing":
        broken.write_bytes({"empty": b"", "cut": data[: len(data) // 3], "nonsense": b"\xff\x00\n{}\n[1]\n"}[damage])
    for arguments in (["show", str(broken)], ["replay", str(broken), "--offline"]):
        done = anyclaude("trace", *arguments, cwd=tmp_path)
        assert done.returncode in (0, 1) and (done.stdout or done.stderr)
        if damage == "missing":
            assert done.returncode == 1 and "broken.jsonl" in done.stderr


def test_old_traces_go(backend, start_proxy):
    """Now and then the folder is looked through; between two looks it may be larger by a few requests."""
    proxy = start_proxy(debug=3, trace_max_bytes=60_000)
    backend.script(lambda *_: Answer("Hello"))
    for number in range(70):
        newest = messages.post(proxy.url, messages.request("x" * 10_000)).headers["request-id"]
        assert len(traces(proxy)) < 40, number
    proxy.wait_until(lambda: len(traces(proxy)) < 15, 5)
    proxy.wait_until(lambda: any(newest in path.name for path in traces(proxy)), 5)


def test_traces_of_long_ago_go(backend, start_proxy, tmp_path):
    folder = tmp_path / "anyclaude" / "traces"
    folder.mkdir(parents=True)
    old = folder / "2020-01-01T000000.000Z-req_old.jsonl"
    old.write_text('{"ms":0,"stage":"request"}\n')
    os.utime(old, (1_577_836_800, 1_577_836_800))
    keep = folder / "notes.txt"
    keep.write_text("the user's own")
    os.utime(keep, (1_577_836_800, 1_577_836_800))
    proxy = start_proxy(debug=2, trace_max_age="1h")
    backend.script(lambda *_: Answer("Hello"))
    messages.post(proxy.url, messages.request())
    proxy.wait_until(lambda: not old.exists(), 5)
    assert keep.exists(), "what is not ours stays"
    traced(proxy)
