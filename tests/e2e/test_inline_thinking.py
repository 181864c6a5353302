"""Thinking that the server leaves in the text: told from it, and sent back where it came from."""

import pytest

from support import messages
from support.claude import Claude, Run
from support.history import assert_grows
from support.llama_stand_in import LlamaCpp
from support.proxy import Proxy
from support.text_answers import Text, models
from support.text_calls import FAMILIES

QWEN = FAMILIES["hermes"]
LS = ("Bash", {"command": "echo one"})
# The prompt ends in the opener, so the answers have only the closer.
OPENED = "{}\n</think>\n\n{}"


def blocks(run: Run) -> list[tuple[str, str]]:
    return [(block["type"], (block.get("text") or block.get("thinking")).strip()) for block in run.blocks("assistant")
            if block["type"] in ("text", "thinking")]


def script(form: str) -> list[Text]:
    return [Text(form.format("First thought.", QWEN.write("I look.", [LS]))),
            Text(form.format("Second thought.", QWEN.write("Again.", [LS, LS]))),
            Text(form.format("Third thought.", "It is one."))]


LATER = [("thinking", "Second thought."), ("text", "Again."), ("thinking", "Third thought."), ("text", "It is one.")]
ALL = [("thinking", "First thought."), ("text", "I look."), *LATER]


def test_learned_in_the_first_turn(backend, start_proxy, tmp_path):
    """Only a closer shows it, and by then what came before is with the user."""
    backend.models = models("Qwen/Qwen3-4B-Thinking-2507")
    backend.script(*script(OPENED))
    run = Claude(start_proxy().url, tmp_path / "claude").run(tools="Bash")
    assert not run.failed and run.results == ["one"] * 3, run
    first, *later = blocks(run)
    assert first[0] == "text" and first[1].startswith("First thought.") and first[1].endswith("I look.")
    assert "</think>" not in first[1]
    assert later == LATER
    _, second, third = backend.exchanges
    assert_grows(second, third)
    [_, answer] = [message for message in third.messages if message["role"] == "assistant"]
    assert answer["content"].startswith("<think>\nSecond thought.\n</think>\n\nAgain.")
    assert len(answer["tool_calls"]) == 2
    assert "reasoning_content" not in answer


def test_known_at_once_in_a_whole_answer(backend, start_proxy):
    backend.models = models("Qwen/Qwen3-4B-Thinking-2507")
    backend.script(*script(OPENED))
    reply = messages.post(start_proxy().url, messages.request(tools=[messages.BASH]))
    assert [(block["type"], block.get("thinking") or block.get("text")) for block in reply.blocks][:1] == [
        ("thinking", "First thought.")]
    assert reply.text.strip() == "I look." and reply.tools == [LS]


@pytest.mark.parametrize("setting,form", [("on", OPENED), ("on", "<think>\n" + OPENED), ("auto", "<think>\n" + OPENED)],
                         ids=["told", "told, but the model opens it", "the model opens it"])
def test_known_from_the_start(backend, start_proxy, tmp_path, setting, form):
    backend.models = models("Qwen/Qwen3-4B-Thinking-2507")
    backend.script(*script(form))
    run = Claude(start_proxy(prompt_opens_thinking=setting).url, tmp_path / "claude").run(tools="Bash")
    assert not run.failed and blocks(run) == ALL, run
    for earlier, later in zip(backend.exchanges, backend.exchanges[1:]):
        assert_grows(earlier, later)
    answers = [message for message in backend.exchanges[-1].messages if message["role"] == "assistant"]
    assert answers[0]["content"].startswith("<think>\nFirst thought.\n</think>\n\nI look.")


def test_told_that_it_does_not(backend, start_proxy):
    """What is no thinking stays text, turn after turn."""
    backend.models = models("Qwen/Qwen3-4B-Thinking-2507")
    backend.script(*script(OPENED)[:1] * 2)
    proxy = start_proxy(prompt_opens_thinking="off")
    for _ in range(2):
        reply = messages.post(proxy.url, messages.request(tools=[messages.BASH]), stream=True)
        assert [block["type"] for block in reply.blocks] == ["text", "tool_use"]
        assert reply.text.startswith("First thought.") and reply.text.strip().endswith("I look.")


@pytest.fixture
def llama(tmp_path):
    started = []

    def start(**options) -> tuple[LlamaCpp, Claude]:
        server = LlamaCpp(**options)
        proxy = Proxy(tmp_path / "proxy.log", server.root + "/v1", backend="llama.cpp")
        started.extend((proxy, server))
        return server, Claude(proxy.url, tmp_path / "claude")

    yield start
    for one in started:
        one.stop()
    assert not [violation for server in started[1::2] for violation in server.violations]


@pytest.mark.parametrize("history", ["inline", "field"])
def test_the_template_tells(llama, history):
    """Known in the first turn; thinking goes back where the template looks for it."""
    server, claude = llama(history=getattr(LlamaCpp, history))
    server.script(*script(OPENED))
    run = claude.run(tools="Bash")
    assert not run.failed and blocks(run) == ALL and run.results == ["one"] * 3, run
    for earlier, later in zip(server.exchanges, server.exchanges[1:]):
        assert_grows(earlier, later)
    answer = next(message for message in server.exchanges[-1].messages if message["role"] == "assistant")
    if history == "inline":
        assert answer["content"].startswith("<think>\nFirst thought.\n</think>\n\nI look.")
        assert "reasoning_content" not in answer
    else:
        assert answer["reasoning_content"] == "First thought." and answer["content"].startswith("I look.")


def test_a_server_that_tells_thinking_from_text(llama):
    """Its template opens thinking, too, but what it calls text is none."""
    server, claude = llama(history=LlamaCpp.field, reasoning="auto")
    server.script(Text(QWEN.write("I look.", [LS]), thinking="First thought."),
                  Text("It is one.", thinking="Third thought."))
    run = claude.run(tools="Bash")
    assert not run.failed and blocks(run) == [ALL[0], ALL[1], *LATER[2:]], run
