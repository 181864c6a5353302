"""`backend_stream = off`: the server is asked for whole answers, and clients still get streams."""

import time

import pytest

from support import messages
from support.claude import Claude
from support.history import assert_grows
from support.replies import Answer, Status, error
from support.text_answers import Text, models
from support.text_calls import FAMILIES

LS = ("Bash", {"command": "ls -l '<ü>'"})
QWEN = FAMILIES["qwen3_coder"]


@pytest.fixture
def proxy(start_proxy):
    return start_proxy(backend_stream="off", ping_interval="500ms", commit_after="300ms", stall_timeout="10s")


def gaps(reply: messages.Reply, start: float) -> list[float]:
    times = [start, *reply.times]
    return [later - earlier for earlier, later in zip(times, times[1:])]


def test_pings_while_the_server_is_at_it(backend, proxy):
    backend.script(Answer("It took long.", thinking="Hm.", tools=[LS, LS], first_byte_after=3))
    start = time.monotonic()
    reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=True)
    assert reply.ended and reply.text == "It took long." and reply.tools == [LS, LS]
    assert reply.stop_reason == "tool_use" and reply.message["usage"]["output_tokens"] == 40
    assert reply.names[0] == "message_start" and reply.names.count("ping") >= 4
    assert max(gaps(reply, start)) < 1, "no longer silence than a ping interval, and a bit"
    [exchange] = backend.exchanges
    assert not exchange.body.get("stream") and "stream_options" not in exchange.body


def test_calls_as_text(backend, proxy):
    backend.models = models(QWEN.model)
    backend.script(Text(f"<think>\nHm.\n</think>\n\n{QWEN.write('So:', [LS, LS])}"))
    reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=True)
    assert [block["type"] for block in reply.blocks] == ["thinking", "text", "tool_use", "tool_use"]
    assert reply.text.strip() == "So:" and reply.tools == [LS, LS] and reply.stop_reason == "tool_use"


@pytest.mark.parametrize("late", [False, True], ids=["at once", "after pings"])
def test_refusals(backend, proxy, late):
    backend.script(lambda *_: Status(500, error(500, "it broke").body, after=1.5 if late else 0))
    reply = messages.post(proxy.url, messages.request(), stream=True)
    assert not reply.ended and "it broke" in reply.error["message"]
    assert reply.status == (200 if late else 500)


@pytest.mark.parametrize("setting", ["auto", "off"])
def test_clients_that_ask_for_no_stream(backend, start_proxy, setting):
    backend.script(Answer("Whole.", tools=[LS]))
    reply = messages.post(start_proxy(backend_stream=setting).url, messages.request(tools=[messages.BASH]))
    assert reply.ended and reply.text == "Whole." and reply.tools == [LS]


@pytest.mark.parametrize("native", [True, False], ids=["the server's calls", "calls as text"])
def test_claude_code(backend, proxy, tmp_path, native):
    backend.models = models(QWEN.model)
    claude = Claude(proxy.url, tmp_path / "claude")
    file = claude.project / "a.txt"
    file.write_text("one\n")
    edit = ("Edit", {"file_path": str(file), "old_string": "one", "new_string": "\tzwei < drei\n  \"vier\"",
                     "replace_all": False})
    turns = [("", [("Read", {"file_path": str(file)})]), ("Now:", [edit]),
             ("", [("Bash", {"command": "cat a.txt"}), ("Bash", {"command": "echo 2"})]), ("Done.", [])]
    if native:
        backend.script(*(Answer(words, tools=calls) for words, calls in turns))
    else:
        backend.script(*(Text(QWEN.write(*turn)) for turn in turns))
    run = claude.run(tools="Bash,Read,Edit")
    assert not run.failed and run.text == "Done.", run
    assert file.read_text() == "\tzwei < drei\n  \"vier\"\n"
    assert set(run.results[2:]) == {file.read_text().rstrip(), "2"}
    assert not any(exchange.body.get("stream") for exchange in backend.exchanges)
    for earlier, later in zip(backend.exchanges, backend.exchanges[1:]):
        assert_grows(earlier, later)
