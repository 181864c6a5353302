"""How commands find a running proxy, and who may change what it does."""

import json
import signal
import time
from pathlib import Path

import httpx
import pytest

from support import messages
from support.backend import Backend
from support.proxy import Proxy, anyclaude
from support.replies import Answer, Status


def run_files(proxy: Proxy) -> list[Path]:
    return sorted((proxy.home / "run").glob("*.json"))


def token(proxy: Proxy) -> str:
    return next(data["token"] for path in run_files(proxy) if (data := json.loads(path.read_text()))["url"] == proxy.url)


@pytest.fixture
def other():
    """A second backend to switch to."""
    server = Backend()
    server.script(lambda *_: Answer("From the other one."))
    yield server
    server.stop()
    assert server.violations == []


def test_the_file(proxy):
    [path] = run_files(proxy)
    data = json.loads(path.read_text())
    assert data["url"] == proxy.url and data["pid"] == proxy.process.pid and str(data["pid"]) in path.name
    assert abs(data["started"] / 1000 - time.time()) < 60 and len(data["token"]) >= 32 and data["version"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == path.parent.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_is_gone_after_the_end(proxy, tmp_path, number):
    proxy.process.send_signal(number)
    proxy.process.wait(5)
    assert run_files(proxy) == []
    done = anyclaude("status", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == []


def test_what_a_crash_leaves_behind_fools_nobody(backend, tmp_path):
    proxy = Proxy(tmp_path / "proxy.log", backend.url)
    proxy.process.kill()
    proxy.process.wait(5)
    assert len(run_files(proxy)) == 1
    assert json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout) == []
    done = anyclaude("use", "demo", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr
    again = Proxy(tmp_path / "again.log", backend.url)
    try:
        [running] = json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout)
        assert running["url"] == again.url
    finally:
        again.stop()


def test_another_program_on_the_port_of_a_dead_proxy(backend, tmp_path):
    """It answers everything with 200 and JSON, and still is no proxy: it gets no token and no key."""
    folder = tmp_path / "anyclaude" / "run"
    folder.mkdir(parents=True)
    left = {"url": backend.url.removesuffix("/v1"), "token": "t0ken-of-the-dead", "pid": 1, "started": 1, "version": "0"}
    (folder / "1-1.json").write_text(json.dumps(left))
    asked = []
    backend.other = lambda request: asked.append(request) or Status(200, {"hello": 1, "proof": "no"})
    assert json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout) == []
    done = anyclaude("use", "anthropic", cwd=tmp_path, env={"ANTHROPIC_API_KEY": "sk-ant-mine"})
    assert done.returncode == 1
    seen = json.dumps([[request.method, request.headers] for request in asked])
    assert asked and "t0ken-of-the-dead" not in seen and "sk-ant-mine" not in seen and "POST" not in seen


def test_a_file_that_is_not_ours(proxy, tmp_path):
    """Nonsense in the folder is no reason to fail."""
    (proxy.home / "run" / "1.json").write_text("{")
    (proxy.home / "run" / "note.txt").write_text("hello")
    [running] = json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout)
    assert running["url"] == proxy.url


# ---- status


def test_status(backend, proxy, tmp_path):
    backend.script(Answer("One."), Answer("Two.", first_byte_after=60))
    messages.post(proxy.url, messages.request())
    [running] = json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout)
    assert running["url"] == proxy.url and running["pid"] == proxy.process.pid
    assert running["backend"]["kind"] == "openai" and running["backend"]["url"] == backend.url
    assert running["stats"]["requests"] == 1 and running["stats"]["output_tokens"] == 40
    plain = anyclaude("status", cwd=tmp_path)
    assert plain.returncode == 0 and proxy.url in plain.stdout and "openai" in plain.stdout
    for text in (plain.stdout, json.dumps(running)):
        assert token(proxy) not in text


def test_status_of_two(start_proxy, tmp_path):
    one, two = start_proxy(), start_proxy()
    running = json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout)
    assert {each["url"] for each in running} == {one.url, two.url}


def test_status_of_none(tmp_path):
    done = anyclaude("status", cwd=tmp_path)
    assert done.returncode == 0 and "no" in done.stdout.lower()


# ---- use


def test_use(backend, other, proxy, tmp_path):
    backend.script(Answer("From the first."))
    assert messages.post(proxy.url, messages.request()).text == "From the first."
    done = anyclaude("use", "openai", "--backend-url", other.url, "--model", "chosen", "--json", cwd=tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout)["backend"]["url"] == other.url
    assert messages.post(proxy.url, messages.request()).text == "From the other one."
    assert other.exchanges[0].body["model"] == "chosen"
    [running] = json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout)
    assert running["backend"]["url"] == other.url


def test_use_demo(proxy, tmp_path):
    assert anyclaude("use", "demo", cwd=tmp_path).returncode == 0
    assert messages.post(proxy.url, messages.request(), stream=True).ended


def test_one_server_never_gets_the_key_of_another(backend, other, start_proxy, tmp_path):
    backend.script(lambda *_: Answer("From the first."))
    proxy = start_proxy(key="key-of-the-first")
    messages.post(proxy.url, messages.request())
    # The key stands in the shell of whoever started the first proxy.
    anyclaude("use", "openai", "--backend-url", other.url, cwd=tmp_path, env={"ANYCLAUDE_API_KEY": "key-of-the-first"})
    messages.post(proxy.url, messages.request())
    anyclaude("use", "openai", "--backend-url", other.url, "--key-env", "OTHER", cwd=tmp_path,
              env={"OTHER": "key-of-the-other", "ANYCLAUDE_API_KEY": "key-of-the-first"})
    messages.post(proxy.url, messages.request())
    without, with_key = (exchange.request.headers.get("authorization") for exchange in other.exchanges)
    assert without is None and with_key == "Bearer key-of-the-other"
    for request in other.others:
        assert "key-of-the-first" not in json.dumps(request.headers)


def test_use_with_two_running_asks_which(backend, other, start_proxy, tmp_path):
    backend.script(lambda *_: Answer("From the first."))
    one, two = start_proxy(), start_proxy()
    done = anyclaude("use", "openai", "--backend-url", other.url, cwd=tmp_path)
    assert done.returncode != 0 and one.url in done.stderr and two.url in done.stderr and "--proxy" in done.stderr
    done = anyclaude("use", "openai", "--backend-url", other.url, "--proxy", two.url, cwd=tmp_path)
    assert done.returncode == 0
    assert messages.post(one.url, messages.request()).text == "From the first."
    assert messages.post(two.url, messages.request()).text == "From the other one."


@pytest.mark.parametrize("arguments,code,says", [
    (["use", "lammacpp"], 2, "llama.cpp"),
    (["use", "openai", "--backend-url", "no url"], 2, "no url"),
    (["use"], 2, "KIND"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_use_of_what_is_not_there(proxy, tmp_path, arguments, code, says):
    done = anyclaude(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "") and says in done.stderr, done


def test_use_without_a_proxy(tmp_path):
    done = anyclaude("use", "demo", cwd=tmp_path)
    assert done.returncode == 1 and "running" in done.stderr


# ---- the control door itself


CHANGE = {"backend": "demo"}


@pytest.mark.parametrize("headers", [
    {}, {"x-anyclaude-control": "wrong"}, {"x-anyclaude-control": ""}, {"authorization": "Bearer TOKEN"},
    {"x-anyclaude-control": "TOKEN", "host": "evil.example"},
    {"x-anyclaude-control": "TOKEN", "origin": "http://evil.example"},
], ids=str)
def test_control_is_refused(backend, proxy, headers):
    backend.script(lambda *_: Answer("Still here."))
    headers = {name: value.replace("TOKEN", token(proxy)) for name, value in headers.items()}
    for method, path in (("GET", "/anyclaude/status"), ("POST", "/anyclaude/backend")):
        got = httpx.request(method, proxy.url + path, headers=headers, trust_env=False,
                            json=CHANGE if method == "POST" else None)
        assert got.status_code == 403 and got.json()["error"]["type"] == "permission_error"
        assert backend.url not in got.text and token(proxy) not in got.text
    assert messages.post(proxy.url, messages.request()).text == "Still here."


@pytest.mark.parametrize("change", [
    "{", {}, {"backend": "no such"}, {"backend": 1}, {"backend": "openai", "backend_url": "no url"},
    {"backend": "demo", "hostt": "0.0.0.0"}, {"backend": "demo", "host": "0.0.0.0"},
], ids=str)
def test_control_refuses_nonsense(backend, proxy, change):
    backend.script(lambda *_: Answer("Still here."))
    content = change if isinstance(change, str) else json.dumps(change)
    got = httpx.post(f"{proxy.url}/anyclaude/backend", content=content, trust_env=False,
                     headers={"x-anyclaude-control": token(proxy), "content-type": "application/json"})
    assert got.status_code == 400 and got.json()["error"]["type"] == "invalid_request_error", got.text
    assert messages.post(proxy.url, messages.request()).text == "Still here."


def test_control_needs_no_inbound_token(other, start_proxy, tmp_path):
    """They are two different doors: the client's token opens the first, the run file's the second."""
    proxy = start_proxy(env={"ANYCLAUDE_INBOUND_TOKEN": "open-sesame"})
    got = httpx.get(f"{proxy.url}/anyclaude/status", headers={"x-api-key": "open-sesame"}, trust_env=False)
    assert got.status_code == 403
    assert anyclaude("use", "openai", "--backend-url", other.url, cwd=tmp_path).returncode == 0
    assert messages.post(proxy.url, messages.request()).status == 401
    assert messages.post(proxy.url, messages.request(), headers={"x-api-key": "open-sesame"}).ended
