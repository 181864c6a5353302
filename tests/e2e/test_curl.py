"""curl, the way a user tries the proxy by hand, and clients that speak another API."""

import json
import subprocess

import httpx
import pytest

from support import messages
from support.assembly import Assembly, check_error, check_message, frames
from support.process import clean_env
from support.replies import Answer

JSON = ("--header", "content-type: application/json")


def curl(*arguments: str, body: bytes = b"") -> subprocess.CompletedProcess:
    command = ["curl", "--silent", "--show-error", "--max-time", "20", *arguments]
    return subprocess.run(command, input=body, capture_output=True, timeout=30, env=clean_env())


def body(**keys) -> bytes:
    return json.dumps(messages.request(**keys)).encode()


def test_json(backend, proxy):
    """Without a version header or a key, which our own curl users leave out."""
    backend.script(Answer("Hello"))
    done = curl(f"{proxy.url}/v1/messages", *JSON, "--data-binary", "@-", body=body())
    assert done.returncode == 0, done.stderr
    assert check_message(json.loads(done.stdout))["content"] == [{"type": "text", "text": "Hello"}]


def test_stream(backend, proxy):
    backend.script(Answer("Hello", thinking="Hm."))
    done = curl("--no-buffer", f"{proxy.url}/v1/messages", *JSON, "--data-binary", "@-", body=body(stream=True))
    assert done.returncode == 0, done.stderr
    reply = messages.Reply(200, {}, events=list(frames(done.stdout.decode().splitlines())))
    Assembly(reply).run()
    assert reply.ended and reply.text == "Hello"


def test_expect_100_continue(backend, proxy):
    """curl asks before it sends a large body, and waits a second when nobody answers that."""
    backend.script(Answer("Read."))
    done = curl(f"{proxy.url}/v1/messages", *JSON, "--header", "expect: 100-continue", "--verbose",
                "--data-binary", "@-", body=body(text="x" * 2_000_000))
    assert json.loads(done.stdout)["content"][0]["text"] == "Read."
    assert b"100 Continue" in done.stderr


def test_forgotten_content_type(backend, proxy):
    """curl's own is a form's; the body is JSON, so it is read, or the error says what is missing."""
    backend.script(lambda *_: Answer("Read."))
    done = curl(f"{proxy.url}/v1/messages", "--data-binary", "@-", body=body())
    answer = json.loads(done.stdout)
    if answer["type"] == "error":
        assert "content-type" in check_error(answer)["message"].lower()
    else:
        assert check_message(answer)


def test_connection_is_used_again(backend, proxy):
    backend.script(Answer("One."), Answer("Two."))
    url = f"{proxy.url}/v1/messages"
    given = [*JSON, "--data", body().decode()]
    done = curl("--write-out", "%{num_connects}\n", url, *given, "--next", "--silent", "--write-out",
                "%{num_connects}\n", url, *given)
    assert [line[-1:] for line in done.stdout.splitlines()] == [b"1", b"0"], done


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_openai_clients_are_told_what_this_is(backend, proxy, path):
    """The likeliest mistake: the proxy's address in a program that speaks OpenAI's API."""
    answer = httpx.post(proxy.url + path, json={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
                        trust_env=False)
    assert answer.status_code == 404
    text = check_error(answer.json())["message"]
    assert "Anthropic Messages API" in text and "OpenAI clients" in text, text
    assert backend.exchanges == []
