"""The prefix cache inside of real mlx-lm: what is read from it and written to it, over restarts, and its flags."""

import json
import random
import re
import signal
import subprocess
import threading

import anthropic
import httpx
import pytest

from support import messages
from support.claude import Claude
from support.process import CACHE, Server, clean_env
from support.real import MODEL, README, RealBackend, free_port

pytestmark = pytest.mark.timeout(300)

TOOLS = [
    {**messages.BASH, "description": "Runs a command. " * 100},
    {"name": "Read", "description": "Reads a file. " * 100, "input_schema": {"type": "object", "properties": {}}},
]
LONG = "You are a coding agent. Be brief and exact. " * 40


def words(seed: int, count: int) -> str:
    order = random.Random(seed)
    return " ".join(f"word{order.randrange(999)}" for _ in range(count))


def asked(text: str, **more) -> dict:
    return messages.request(text, system=LONG, tools=TOOLS, **more)


def start(folder, *flags: str, name: str = "server") -> RealBackend:
    return RealBackend("mlx-lm embedded", folder / f"{name}.log", flags=flags)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    server = start(tmp_path_factory.mktemp("kv"), "--anyclaude-cache-disk", "off")
    yield server
    server.stop()


def usage(root: str, body: dict, stream: bool = True) -> tuple[int, int, int]:
    """The whole prompt, what was read of it from the cache, and what was written."""
    used = messages.post(root, body, stream=stream).message["usage"]
    read, written = used["cache_read_input_tokens"], used["cache_creation_input_tokens"]
    # The last token is computed each time. A 0 there is taken for "unknown" by Claude Code.
    assert min(read, written) >= 0 and used["input_tokens"] == 1
    return used["input_tokens"] + read + written, read, written


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
def test_what_is_read_and_written(real, stream):
    """The same prompt, the next turn with a call and its result, another last message, a new session."""
    body = asked(words(stream, 200))
    body["system"] += f" {words(stream, 9)}"  # each of the two has its own
    whole, read, written = usage(real.root, body, stream)
    assert written > 0.5 * whole and read + written == whole - 1
    again, read, written = usage(real.root, body, stream)
    assert (again, read, written) == (whole, whole - 1, 0)

    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": words(8, 30)}
    turns = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    total, read, written = usage(real.root, {**body, "messages": [*body["messages"], *turns]}, stream)
    assert read >= whole - 5 and read + written == total - 1 > whole

    other, read, written = usage(real.root, {**body, "messages": [{"role": "user", "content": "another"}]}, stream)
    system = read
    assert read > 0.5 * other and read + written == other - 1
    new, read, written = usage(real.root, {**body, "messages": [{"role": "user", "content": words(77, 50)}]}, stream)
    assert read >= system - 3 and read + written == new - 1


def test_the_tools_in_another_order_and_one_more(real):
    usage(real.root, asked("first"))
    total, read, _ = usage(real.root, {**asked("second"), "tools": TOOLS[::-1]})
    assert read > 0.9 * total
    more = {"name": "Write", "description": "Writes a file", "input_schema": {"type": "object", "properties": {}}}
    total, read, _ = usage(real.root, {**asked("third"), "tools": [*TOOLS, more]})
    assert read > 0.7 * total


def test_sdk(real):
    with anthropic.Anthropic(base_url=real.root, api_key="client-secret", max_retries=0, timeout=120) as client:
        body = {**asked(words(31, 100)), "model": "claude-opus-5-5"}
        first = client.messages.create(**body).usage
        with client.messages.stream(**body) as stream:
            again = stream.get_final_message().usage
    assert first.cache_creation_input_tokens > 0
    assert again.cache_read_input_tokens >= first.cache_creation_input_tokens
    assert again.cache_creation_input_tokens == 0 and again.input_tokens == 1


def test_clients_of_chat_completions(real):
    said = [{"role": "system", "content": words(5, 300)}, {"role": "user", "content": "hi"}]
    body = {"messages": said, "max_tokens": 5}
    found = [
        httpx.post(f"{real.url}/chat/completions", json=body, timeout=60, trust_env=False).json()["usage"] for _ in "12"
    ]
    prompt = found[0]["prompt_tokens"]
    assert found[0]["prompt_tokens_details"]["cache_write_tokens"] > 0.9 * prompt
    assert found[1]["prompt_tokens_details"] == {"cached_tokens": prompt - 1, "cache_write_tokens": 0}


def test_sessions_side_by_side(real):
    """Each is told its own numbers."""
    usage(real.root, asked("first of all"))
    found: dict[int, tuple[int, int, int]] = {}
    threads = [
        threading.Thread(target=lambda one=number: found.update({one: usage(real.root, asked(words(one, 50)))}))
        for number in range(100, 106)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    for total, read, written in found.values():
        assert 0.8 * total < read < total and read + written == total - 1


def test_restarts(tmp_path):
    """A new session of a new server reads system prompt and tools from disk, after an end of any kind."""
    disk = ("--anyclaude-cache-disk", str(tmp_path / "kv"))
    server = start(tmp_path, *disk, name="first")
    try:
        whole, _, written = usage(server.root, asked(words(1, 50)))
        assert written > 0
        server._server.wait_until(lambda: any((tmp_path / "kv").glob(f"{'?' * 32}.json")), 20)
        server._server.process.send_signal(signal.SIGKILL)
    finally:
        server.stop()
    [state] = (tmp_path / "kv").glob("*.safetensors")
    for kind in ("again", "damaged"):
        if kind == "damaged":
            data = bytearray(state.read_bytes())
            data[len(data) // 2] ^= 1
            state.write_bytes(bytes(data))
        server = start(tmp_path, *disk, name=kind)
        try:
            total, read, _ = usage(server.root, asked(words(2, 50)))
            assert (read > 0.8 * total) == (kind == "again"), (total, read)
            assert ("a saved state is damaged" in server.log()) == (kind == "damaged")
        finally:
            server.stop()


def test_warm_up_from_the_last_session(tmp_path):
    """Read from disk, or computed anew where there is nothing for the model; ready at once in any case."""
    disk = ("--anyclaude-cache-disk", str(tmp_path / "kv"))
    server = start(tmp_path, *disk, name="first")
    try:
        usage(server.root, asked(words(1, 50)))
        server._server.wait_until(lambda: (tmp_path / "kv" / "last.json").exists(), 20)
    finally:
        server.stop()
    for path in (tmp_path / "kv").glob("*.safetensors"):
        path.unlink()
    server = start(tmp_path, *disk, "--anyclaude-warm", "last", name="second")
    try:
        server._server.wait_until(lambda: "warm-up: 1 of 1 prompts" in server.log(), 60)
        total, read, _ = usage(server.root, asked(words(2, 50)))
        assert read > 0.8 * total
    finally:
        server.stop()


def test_warm_up_from_a_file(tmp_path):
    (tmp_path / "prompts.jsonl").write_text("\n".join(json.dumps(one) for one in (asked("x"), words(3, 400))))
    server = start(tmp_path, "--anyclaude-cache-disk", "off", "--anyclaude-warm", str(tmp_path / "prompts.jsonl"))
    try:
        server._server.wait_until(lambda: "warm-up: 2 of 2 prompts" in server.log(), 60)
        total, read, _ = usage(server.root, asked(words(2, 50)))
        assert read > 0.8 * total
        total, read, _ = usage(server.root, messages.request("x", system=words(3, 400)))
        assert read > 0.8 * total
    finally:
        server.stop()


def test_the_readmes_script(tmp_path):
    """With the flags of the server that it runs: it warms up, and says so."""
    [script] = re.findall(r"^```py\n([^`]*mlx_lm\.install\(server, cache.*?)^```", README, re.M | re.S)
    port = free_port()
    command = [str(CACHE / "venv/mlx/bin/python"), "-u", "-c", script, "--model", str(MODEL), "--port", str(port)]
    server = Server(command, tmp_path / "log", XDG_CACHE_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    try:
        told = "Progress(done=1, total=1, failed=0"
        server.wait_until(lambda: any(line.startswith(told) for line in server.output), 60)
        assert messages.post(f"http://127.0.0.1:{port}", messages.request()).stop_reason == "end_turn"
        assert (tmp_path / "anyclaude" / "kv").is_dir()
    finally:
        server.stop()


def test_without_the_cache(tmp_path):
    """The server's own is as it was."""
    server = start(tmp_path, "--anyclaude-cache", "off")
    try:
        first, again = (messages.post(server.root, asked("x")).message["usage"] for _ in range(2))
        assert first["cache_read_input_tokens"] == 0 and again["cache_read_input_tokens"] > 0
        assert first["cache_creation_input_tokens"] == 0 and "anyclaude:" not in server.log()
    finally:
        server.stop()


def test_a_budget(tmp_path):
    """Many sessions in little memory: the server's log never counts more than it may have, and comes close to it."""
    server = start(tmp_path, "--anyclaude-cache-disk", "off", "--anyclaude-cache-memory", "50MB")
    try:
        for number in range(8):
            messages.post(server.root, messages.request(words(number, 3000), system=words(number, 100)))
        sizes = [float(size) for size in re.findall(r"Prompt Cache: \d+ sequences, ([\d.]+) GB", server.log())]
        # The log rounds to 10 MB. Without a budget there are some 20 MB for each.
        assert len(sizes) == 8 and 0.03 <= max(sizes) <= 0.05, sizes
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--anyclaude-cache-memory", "lots"], "cache.memory: expected a share such as 25%"),
        (["--anyclaude-cach", "off"], "unrecognized arguments: --anyclaude-cach"),
        (["--anyclaude-cache-disk", "/dev/null/x"], "cache.disk: '/dev/null/x' cannot be used"),
        (["--anyclaude-warm", "/no/such/file"], "cache.warm: there is no file"),
    ],
)
def test_flags_that_make_no_sense(flags, message):
    python = str(CACHE / "venv/mlx/bin/python")
    command = [python, "-m", "anyclaude.mlx_lm", "serve", str(MODEL), *flags]
    done = subprocess.run(command, env=clean_env(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith(f"anyclaude: {message}"), done.stderr


def test_help():
    """Of our flags and the server's."""
    command = [str(CACHE / "venv/mlx/bin/python"), "-m", "anyclaude.mlx_lm", "serve", "--help"]
    done = subprocess.run(command, env=clean_env(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "--anyclaude-cache-memory SIZE" in done.stdout and "--prompt-cache-size" in done.stdout


def test_claude_code(real, tmp_path):
    """A second session in the same project reads the first one's system prompt and tools, by its own account."""
    claude = Claude(real.root, tmp_path)
    runs = [claude.run(f"{which} do what the tests say.", tools="Bash", timeout=200) for which in ("First", "Then")]
    assert not any(run.failed for run in runs)
    read, created = (runs[1].result["usage"][f"cache_{name}_input_tokens"] for name in ("read", "creation"))
    # Two answers, to the question and to the result of the call.
    assert runs[1].result["usage"]["input_tokens"] == 2 and read > 0.95 * (read + created)
