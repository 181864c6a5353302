"""`anyclaude claude`: what Claude Code gets from it, and that nothing of it is left when Claude Code is gone."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support import messages
from support.anthropic_server import AnthropicServer, answer, chunked
from support.claude import LATEST, Claude
from support.process import CACHE, clean_env, end_group
from support.proxy import READY, anyclaude, binary, own_folders
from support.replies import Answer, Status
from support.stand_ins import VLLM, LMStudio
from support.tmux import Terminal, alive, family

CLAUDE = CACHE / "claude" / LATEST / "claude"


class Fake:
    """A program in Claude Code's place that tells what it got, and then does as it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "claude"

    def does(self, script: str) -> "Fake":
        told = f'env -0 > "{self.folder}/env"; printf "%s\\0" "$@" > "{self.folder}/args"; echo $$ > "{self.folder}/pid"'
        self.path.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{LATEST} (Claude Code)"; exit; fi\n'
                             f"{told}\n{script}\n")
        self.path.chmod(0o755)
        return self

    @property
    def env(self) -> dict[str, str]:
        pairs = (self.folder / "env").read_bytes().decode().rstrip("\0").split("\0")
        return dict(pair.split("=", 1) for pair in pairs)

    @property
    def args(self) -> list[str]:
        return (self.folder / "args").read_bytes().decode().rstrip("\0").split("\0")

    @property
    def pid(self) -> int:
        return int((self.folder / "pid").read_text())


@pytest.fixture
def fake(tmp_path):
    folder = tmp_path / "fake"
    folder.mkdir()
    return Fake(folder).does("exit 0")


@pytest.fixture
def launch(backend, tmp_path):
    """Launch, with the flags of the launcher before `--` and those of Claude Code behind it."""

    def run(*flags: str, claude: Path, args: tuple[str, ...] = (), url: str = "", kind: str = "openai",
            env: dict | None = None, stdin: bytes = b"") -> subprocess.CompletedProcess:
        return anyclaude("claude", "--backend", kind, "--backend-url", url or backend.url, "--claude-path", str(claude),
                         *flags, "--", *args, cwd=tmp_path, env=env, stdin=stdin, timeout=60)

    return run


# ---- what Claude Code gets


def test_environment(backend, fake, launch):
    assert launch(claude=fake.path, env={"ANTHROPIC_API_KEY": "sk-ant-of-the-user", "MINE": "kept"}).returncode == 0
    env = fake.env
    assert env["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
    assert env["ANTHROPIC_AUTH_TOKEN"] == "anyclaude" and not env.get("ANTHROPIC_API_KEY")
    for name in ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL",
                 "ANTHROPIC_DEFAULT_HAIKU_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL"):
        assert env[name] == "scripted", name
    assert env["CLAUDE_CODE_ATTRIBUTION_HEADER"] == "0"
    assert env["CLAUDE_CODE_TOTAL_TOKENS_REMINDER"] == "off"
    assert env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] == "1"
    assert env["CLAUDE_CODE_GATEWAY_HINT_HEADERS"] == "1"
    assert int(env["API_TIMEOUT_MS"]) >= 600_000 and int(env["CLAUDE_STREAM_IDLE_TIMEOUT_MS"]) >= 300_000
    assert "CLAUDE_CODE_MAX_CONTEXT_TOKENS" not in env, "nobody told the window"
    assert env["MINE"] == "kept"


def test_window(fake, launch):
    server = VLLM()
    ask = """curl -sS "$ANTHROPIC_BASE_URL/v1/messages" -H 'content-type: application/json' -H 'x-api-key: anyclaude' -d '{
        "model": "'"$ANTHROPIC_MODEL"'", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'"""
    fake.does(ask)
    try:
        assert launch(claude=fake.path, url=f"{server.root}/v1", kind="vllm").returncode == 0
    finally:
        server.stop()
    assert fake.env["ANTHROPIC_MODEL"] == server.model.split("/")[-1], "the name without its folder"
    assert server.exchanges[0].body["model"] == server.model, "the proxy knows whom it means"
    assert fake.env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == str(server.window)
    assert fake.env["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] == str(server.window)


@pytest.mark.parametrize("models", [
    Status(200, {"object": "list", "data": [{"id": "claude-but-local", "object": "model"}]}), Status(404, {"detail": "?"}),
], ids=["a name like Claude's", "no names"])
def test_model_without_a_name_of_its_own(backend, fake, launch, models):
    """Claude Code treats what looks like Claude as Claude, windows and all."""
    backend.models = models
    assert launch(claude=fake.path).returncode == 0
    assert fake.env["ANTHROPIC_MODEL"] == "local"


def test_the_inbound_token_is_handed_on(backend, fake, launch):
    assert launch(claude=fake.path, env={"ANYCLAUDE_INBOUND_TOKEN": "open-sesame"}).returncode == 0
    assert fake.env["ANTHROPIC_AUTH_TOKEN"] == "open-sesame"


def test_the_backend_key_is_not_handed_on(backend, fake, launch):
    """Tools run with Claude Code's environment: a model could read the key there."""
    assert launch(claude=fake.path, env={"ANYCLAUDE_API_KEY": "backend-secret"}).returncode == 0
    assert "backend-secret" not in json.dumps(fake.env)


def test_on_the_route_to_anthropic_the_login_stays(fake, launch):
    mine = {"ANTHROPIC_API_KEY": "sk-ant-of-the-user", "ANTHROPIC_MODEL": "opus"}
    assert launch(claude=fake.path, kind="anthropic", url="http://127.0.0.1:9", env=mine).returncode == 0
    env = fake.env
    assert env["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
    assert env["ANTHROPIC_API_KEY"] == "sk-ant-of-the-user" and env["ANTHROPIC_MODEL"] == "opus"
    assert "ANTHROPIC_AUTH_TOKEN" not in env and "CLAUDE_CODE_SUBAGENT_MODEL" not in env
    assert "--permission-mode" not in fake.args


def test_a_login_and_a_token_of_the_proxy_together(fake, launch):
    """The login keeps its headers; the token goes beside the headers that the user has set."""
    ask = """curl -sS "$ANTHROPIC_BASE_URL/v1/messages" -H "x-api-key: $ANTHROPIC_API_KEY" -d '{}' \
        -H "$(printf '%s' "$ANTHROPIC_CUSTOM_HEADERS" | tail -n 1)" """
    far = AnthropicServer()
    try:
        mine = {"ANTHROPIC_API_KEY": "sk-ant-mine", "ANTHROPIC_CUSTOM_HEADERS": "X-Mine: 1", "ANYCLAUDE_INBOUND_TOKEN": "sesame"}
        done = launch(claude=fake.does(ask).path, kind="anthropic", url=far.url, env=mine)
        assert done.returncode == 0
        assert fake.env["ANTHROPIC_CUSTOM_HEADERS"].split("\n") == ["X-Mine: 1", "x-anyclaude-token: sesame"]
        assert "ANTHROPIC_AUTH_TOKEN" not in fake.env
        [request] = [exchange.request for exchange in far.exchanges if exchange.request.method == "POST"]
        assert request.headers["x-api-key"] == "sk-ant-mine" and "sesame" not in json.dumps(request.headers)
    finally:
        far.stop()


def test_a_key_of_the_proxy_is_login_enough(fake, launch):
    done = launch(claude=fake.path, kind="anthropic", url="http://127.0.0.1:9", env={"ANYCLAUDE_API_KEY": "sk-ant-own"})
    assert done.returncode == 0
    assert fake.env["ANTHROPIC_AUTH_TOKEN"] == "anyclaude" and "sk-ant-own" not in json.dumps(fake.env)


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_nothing_leads_past_the_proxy(backend, fake, launch, kind):
    """Neither a cloud provider, nor a proxy to the world, which could not find this machine."""
    mine = {"CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_USE_VERTEX": "1", "HTTP_PROXY": "http://proxy.example:3128",
            "NO_PROXY": "intern.example"}
    assert launch(claude=fake.path, kind=kind, env=mine).returncode == 0
    env = fake.env
    assert "CLAUDE_CODE_USE_BEDROCK" not in env and "CLAUDE_CODE_USE_VERTEX" not in env
    assert env["NO_PROXY"] == env["no_proxy"] == "intern.example,127.0.0.1,localhost,::1"
    assert env["HTTP_PROXY"] == "http://proxy.example:3128"


@pytest.mark.parametrize("args,expected", [
    (("-p", "hi there", "--model", "x"), ["-p", "hi there", "--model", "x"]),
    ((), []),
    (("--permission-mode", "plan"), None), (("--permission-mode=acceptEdits",), None),
    (("--dangerously-skip-permissions",), None),
])
def test_arguments(backend, fake, launch, args, expected):
    """They are the user's; only a permission mode is added, where none was chosen."""
    assert launch(claude=fake.path, args=args).returncode == 0
    if expected is None:
        assert fake.args == list(args)
    else:
        given = fake.args
        at = given.index("--permission-mode")
        assert given[at + 1] == "default" and given[:at] + given[at + 2 :] == expected


def test_streams_are_claude_codes_own(backend, fake, launch):
    fake.does("cat; echo to-stderr >&2")
    done = launch(claude=fake.path, stdin=b"what the user typed\n")
    assert done.stdout == "what the user typed\n", "not a line of the launcher's"
    assert "to-stderr" in done.stderr and "INFO" not in done.stderr and "WARN" not in done.stderr


# ---- how it ends


@pytest.mark.parametrize("script,code", [("exit 7", 7), ("exit 0", 0), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_exit_codes_are_passed_on(backend, fake, launch, tmp_path, script, code):
    assert launch(claude=fake.does(script).path).returncode == code
    assert list((tmp_path / "anyclaude" / "run").glob("*")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_both(backend, fake, tmp_path, number):
    """Who ends the launcher, ends Claude Code: it gets the signal and its time to tidy up."""
    fake.does(f'trap "echo tidied > {fake.folder}/tidied; exit 3" TERM HUP INT; while :; do sleep 0.1; done')
    process = launcher(tmp_path, backend.url, fake)
    try:
        until(lambda: (fake.folder / "pid").exists() and (fake.folder / "pid").read_text())
        until(lambda: list((tmp_path / "anyclaude" / "run").glob("*.json")))
        processes = family(process.pid)
        # As a terminal does: to the whole group for Ctrl-C, and to the launcher alone for `kill`.
        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        assert process.wait(10) == 3
        assert (fake.folder / "tidied").exists()
        until(lambda: not any(alive(pid) for pid in processes))
        assert list((tmp_path / "anyclaude" / "run").glob("*.json")) == []
    finally:
        end_group(process)


def test_a_session_is_seen_from_outside(backend, fake, tmp_path):
    """`status` lists it like any other proxy, and its log is a file: the screen is Claude Code's."""
    fake.does("sleep 30")
    backend.script(Answer("Hello."))
    process = launcher(tmp_path, backend.url, fake, "--debug", "1")
    try:
        until(lambda: list((tmp_path / "anyclaude" / "run").glob("*.json")) and (fake.folder / "pid").exists())
        [running] = json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout)
        assert running["url"] == fake.env["ANTHROPIC_BASE_URL"]
        messages.post(running["url"], messages.request(), headers={"x-api-key": "anyclaude"})
        until(lambda: any(log.stat().st_size for log in (tmp_path / "anyclaude" / "logs").glob("*")))
        logs = list((tmp_path / "anyclaude" / "logs").glob("*"))
        assert logs and all(log.stat().st_mode & 0o077 == 0 for log in logs)
    finally:
        end_group(process)


def test_no_claude_code(backend, tmp_path):
    done = anyclaude("claude", "--backend", "openai", "--backend-url", backend.url, cwd=tmp_path, env={"PATH": "/nowhere"})
    assert done.returncode == 1 and "npm install -g @anthropic-ai/claude-code" in done.stderr
    done = anyclaude("claude", "--backend", "openai", "--backend-url", backend.url, "--claude-path", "/no/such/claude",
                     cwd=tmp_path)
    assert done.returncode in (1, 2) and "/no/such/claude" in done.stderr


def test_no_server(fake, tmp_path):
    """It launches as it was told, and says at once what answers then, and how to name a server."""
    done = anyclaude("claude", "--claude-path", str(fake.path), cwd=tmp_path)
    assert done.returncode == 0 and fake.env["ANTHROPIC_BASE_URL"]
    assert "no" in done.stderr.lower() and "--backend-url" in done.stderr and "11434" in done.stderr
    assert done.stdout == ""


# ---- with the real one


def test_headless(backend, tmp_path):
    claude = Claude("", tmp_path / "claude")
    backend.script(Answer("I look.", tools=[("Bash", {"command": "echo grüß"})]), Answer("All done."))
    env = claude.env()
    del env["ANTHROPIC_BASE_URL"]
    done = subprocess.run(
        [str(binary()), "claude", "--backend", "openai", "--backend-url", backend.url, "--claude-path", str(CLAUDE), "--",
         "-p", "Go.", "--output-format", "json", "--allowedTools", "Bash"],
        cwd=claude.project, env={**env, **own_folders(tmp_path)}, capture_output=True, timeout=60,
        stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr.decode()
    result = json.loads(done.stdout)
    assert result["result"] == "All done." and list(result["modelUsage"]) == ["scripted"]
    assert "client-secret" not in json.dumps([exchange.request.headers for exchange in backend.exchanges])
    assert "cc_version" not in json.dumps(backend.exchanges[0].body)


def test_headless_to_anthropic(tmp_path):
    far = AnthropicServer()
    try:
        far.script(lambda *_: chunked(answer("Far.")))
        claude = Claude("", tmp_path / "claude")
        env = claude.env()
        del env["ANTHROPIC_BASE_URL"]
        done = subprocess.run(
            [str(binary()), "claude", "--backend", "anthropic", "--backend-url", far.url, "--claude-path", str(CLAUDE),
             "--", "-p", "Go."], cwd=claude.project, env={**env, **own_folders(tmp_path)}, capture_output=True, timeout=60,
            stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stdout.decode().strip()) == (0, "Far."), done.stderr.decode()
        first = next(exchange.request for exchange in far.exchanges if exchange.request.method == "POST")
        assert first.headers["x-api-key"] == "client-secret" and first.json["model"].startswith("claude-")
    finally:
        far.stop()


def test_a_launched_session_moves_to_other_servers_and_back(tmp_path):
    """One Claude Code that is never restarted: it goes on asking for the model that it was launched with."""
    first, second, far = VLLM(), LMStudio(), AnthropicServer()
    first.script(lambda *_: Answer("From the first."))
    second.script(lambda *_: Answer("From the second."))
    far.script(lambda *_: chunked(answer("Far.")))
    claude = Claude("", tmp_path / "claude")
    env = {**claude.env(), **own_folders(tmp_path)}
    del env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_API_KEY"]
    command = [str(binary()), "claude", "--backend", "vllm", "--claude-path", str(CLAUDE), "--", "-p",
               "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    session = subprocess.Popen(command, cwd=claude.project, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, start_new_session=True)

    def ask(text: str) -> str:
        message = {"type": "user", "message": {"role": "user", "content": [{"type": "text", "text": text}]}}
        session.stdin.write(json.dumps(message) + "\n")
        session.stdin.flush()
        for line in session.stdout:
            event = json.loads(line)
            if event["type"] == "result":
                return event.get("result") or str(event)
        raise AssertionError("the session ended")

    def use(*arguments: str, **variables: str) -> None:
        done = anyclaude("use", *arguments, cwd=tmp_path, env=variables)
        assert done.returncode == 0, done

    try:
        assert ask("One.") == "From the first."
        use("lmstudio")
        assert ask("Two.") == "From the second."
        use("anthropic", "--backend-url", far.url, "--model", "claude-sonnet-5-5", "--key-env", "KEY", KEY="sk-ant-k")
        assert ask("Three.") == "Far."
        use("vllm")
        assert ask("Four.") == "From the first."
        assert {exchange.body["model"] for exchange in first.exchanges} == {first.model}
        assert {exchange.body["model"] for exchange in second.exchanges} == {second.model}
        posts = [exchange.request for exchange in far.exchanges if exchange.request.method == "POST"]
        assert {request.json["model"] for request in posts} == {"claude-sonnet-5-5"}
        assert {request.headers["x-api-key"] for request in posts} == {"sk-ant-k"}
        session.stdin.close()
        assert session.wait(10) == 0
    finally:
        end_group(session)
        session.stdout.close()
        for server in (first, second, far):
            server.stop()


@pytest.mark.parametrize("names,model", [(["org/aaa-first", "org/zzz-loaded"], "local"), (["org/only"], "only")])
def test_mlx_lm_keeps_the_model_that_is_loaded(backend, fake, launch, names, model):
    """Its list is all that was ever downloaded; a name from it would make it load that one."""
    backend.models = Status(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in names]})
    assert launch(claude=fake.path, kind="mlx-lm").returncode == 0
    assert fake.env["ANTHROPIC_MODEL"] == model


# ---- without a command


def test_without_a_terminal_it_serves(backend, fake, tmp_path):
    env = clean_env(**own_folders(tmp_path))
    process = subprocess.Popen(
        [str(binary()), "--backend", "openai", "--backend-url", backend.url, "--claude-path", str(fake.path), "--port", "0"],
        cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout.readline().startswith(READY)
        assert not (fake.folder / "args").exists()
    finally:
        end_group(process)
        process.stdout.close()


@pytest.mark.parametrize("env,flags,launches", [
    ({}, [], True), ({"PROXY_ONLY": "1"}, [], False), ({}, ["--proxy-only"], False),
], ids=["launch", "PROXY_ONLY", "--proxy-only"])
def test_on_a_terminal(backend, fake, tmp_path, env, flags, launches):
    fake.does("echo this is the fake; exit 5")
    command = [str(binary()), "--backend", "openai", "--backend-url", backend.url, "--claude-path", str(fake.path), *flags]
    terminal = Terminal(command, tmp_path, clean_env(**own_folders(tmp_path), **env))
    try:
        if launches:
            assert terminal.exit_code() == 5 and "this is the fake" in terminal.screen()
        else:
            terminal.wait_for(READY.strip())
            terminal.press("C-c")
            assert terminal.exit_code() == 0 and not (fake.folder / "args").exists()
    finally:
        terminal.stop()


def launcher(folder: Path, url: str, fake: Fake, *flags: str) -> subprocess.Popen:
    command = [str(binary()), "claude", "--backend", "openai", "--backend-url", url, "--claude-path", str(fake.path),
               *flags]
    return subprocess.Popen(command, cwd=folder, env=clean_env(**own_folders(folder)), stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def until(what, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.05)
