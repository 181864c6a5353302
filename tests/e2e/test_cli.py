"""The program beside the proxy: its signals, its two converters, its words about wrong options."""

import json
import signal
import subprocess
import threading
import time

import httpx
import pytest

from support import messages
from support.assembly import Assembly, frames
from support.http1 import Request
from support.process import clean_env
from support.proxy import binary
from support.replies import Answer
from support.strict import violations

CHAT = "/v1/chat/completions"


def anyclaude(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(binary()), *arguments], capture_output=True, timeout=10, env=clean_env(),
                          stdin=subprocess.DEVNULL)


def test_translate(tmp_path):
    file = tmp_path / "request.json"
    request = messages.request(system="Be brief.", tools=[messages.BASH])
    request["messages"] += [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": ""}]},
    ]
    file.write_text(json.dumps(request))
    done = anyclaude("translate", str(file))
    assert done.returncode == 0, done.stderr
    assert violations(Request("POST", CHAT, {}, done.stdout), CHAT) == []
    roles = [message["role"] for message in json.loads(done.stdout)["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]


def test_stream(tmp_path):
    file = tmp_path / "capture.sse"
    capture = Answer("Hello", tools=[("Bash", {"command": "ls"})]).chunks()
    file.write_bytes(b"".join(capture) + b"data: [DONE]\n\n")
    done = anyclaude("stream", str(file))
    assert done.returncode == 0, done.stderr
    reply = messages.Reply(200, {}, events=list(frames(done.stdout.decode().splitlines())))
    Assembly(reply).run()
    assert reply.ended and reply.text == "Hello" and reply.tools == [("Bash", {"command": "ls"})]


@pytest.mark.parametrize("arguments,names", [
    (["serve", "--backend", "lammacpp"], "llama.cpp"),
    (["serve", "--backend", "openai", "--backend-url", "no url"], "no url"),
    (["serve", "--stall-timeout", "soon"], "soon"),
    (["serve", "--no-such-flag"], "--no-such-flag"),
    (["translate", "/no/such/file"], "/no/such/file"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_wrong_use_is_explained(arguments, names):
    done = anyclaude(*arguments)
    assert done.returncode not in (0, 101) and done.stdout == b""
    assert names in done.stderr.decode() and "panicked" not in done.stderr.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_let_an_answer_end(backend, proxy, number):
    """The answer in flight is delivered, then the program is gone; the port is closed meanwhile."""
    backend.script(Answer("Just in time.", first_byte_after=1))
    replies: list[messages.Reply] = []
    client = threading.Thread(
        target=lambda: replies.append(messages.post(proxy.url, messages.request(), stream=True)))
    client.start()
    backend.wait_for(lambda: backend.exchanges)
    proxy.process.send_signal(number)
    client.join(10)
    assert replies and replies[0].text == "Just in time." and replies[0].ended
    assert proxy.process.wait(3) == 0


def test_a_second_signal_ends_at_once(backend, proxy):
    backend.script(Answer("Never.", first_byte_after=60))
    client = threading.Thread(
        target=lambda: pytest.raises(httpx.TransportError, messages.post, proxy.url, messages.request()))
    client.start()
    backend.wait_for(lambda: backend.exchanges)
    proxy.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    proxy.process.send_signal(signal.SIGTERM)
    proxy.process.wait(2)
    client.join(5)
