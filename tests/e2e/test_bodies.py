"""Request bodies in every encoding, and bodies that are wrong."""

import gzip
import json
import zlib

import brotli
import pytest
import zstandard

from support import messages
from support.replies import Answer

ENCODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
GOOD = json.dumps(messages.request("grüß Gott")).encode()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_compressed(backend, proxy, encoding):
    backend.script(Answer("Read."))
    reply = messages.post(proxy.url, ENCODINGS[encoding](GOOD), headers={"content-encoding": encoding})
    assert reply.text == "Read."
    assert backend.exchanges[0].messages[-1]["content"] == "grüß Gott"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_compressed_and_cut(proxy, encoding):
    body = ENCODINGS[encoding](GOOD)
    refused(messages.post(proxy.url, body[: len(body) // 2], headers={"content-encoding": encoding}))


def test_chunked(backend, proxy):
    backend.script(Answer("Read."))
    pieces = iter([GOOD[:30], GOOD[30:]])
    assert messages.post(proxy.url, pieces).text == "Read."


WRONG = {
    "empty": b"",
    "cut": GOOD[:-5],
    "no object": b"[]",
    "invalid UTF-8": GOOD.replace("ü".encode(), b"\xff"),
    "lone surrogate": GOOD.replace(b"Gott", b"\\ud800"),
    "messages missing": b'{"model": "m", "max_tokens": 1}',
    "messages of another type": b'{"model": "m", "max_tokens": 1, "messages": "hi"}',
    "no messages": b'{"model": "m", "max_tokens": 1, "messages": []}',
    "max_tokens as text": b'{"model": "m", "max_tokens": "many", "messages": [{"role": "user", "content": "hi"}]}',
    "unknown role": b'{"model": "m", "max_tokens": 1, "messages": [{"role": "robot", "content": "hi"}]}',
    "deeply nested": b'{"model": "m", "max_tokens": 1, "messages": ' + b"[" * 100_000,
}


# What is no text may be replaced instead of refused; that the backend gets sound JSON, the strict backend checks.
REPLACEABLE = ("invalid UTF-8", "lone surrogate")


@pytest.mark.parametrize("what", WRONG)
def test_wrong(backend, proxy, what):
    backend.script(lambda *_: Answer("Passed on."))
    reply = messages.post(proxy.url, WRONG[what])
    if what in REPLACEABLE and reply.status == 200:
        return
    refused(reply)
    assert backend.exchanges == []


def test_unknown_content_is_tolerated(backend, proxy):
    """Claude Code echoes block types that it does not know; a request must not fail by that."""
    backend.script(Answer("Fine."))
    reply = messages.post(proxy.url, messages.request([
        {"type": "text", "text": "hi"}, {"type": "hologram", "data": {"x": 1}}, {"type": "text", "text": ""},
    ]))
    assert reply.text == "Fine."


SIZE = 65 << 20


def test_too_large(backend, proxy):
    too_large(messages.post(proxy.url, b'{"model": "' + b"x" * SIZE))
    bomb = gzip.compress(bytes(SIZE), 1)
    too_large(messages.post(proxy.url, bomb, headers={"content-encoding": "gzip"}))
    assert backend.exchanges == []


def too_large(reply: messages.Reply) -> None:
    assert (reply.status, reply.error["type"]) == (413, "request_too_large")


def test_large_is_fine(backend, proxy):
    backend.script(Answer("Read."))
    text = "x" * (20 << 20)
    assert messages.post(proxy.url, messages.request(text)).text == "Read."
    assert len(backend.exchanges[0].request.body) > len(text)


def refused(reply: messages.Reply) -> None:
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error"), reply
