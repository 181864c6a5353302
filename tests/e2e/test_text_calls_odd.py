"""Calls as text from servers and models with habits: thinking around them, calls told twice, markers left over."""

import pytest

from support.claude import Claude
from support.history import assert_grows, sent
from support.text_answers import Text, models
from support.text_calls import FAMILIES

QWEN = FAMILIES["hermes"]
LOG = ("Bash", {"command": "echo 'once & <only>' | tee -a log"})
WORDS = "It is in the log."


@pytest.fixture
def claude(backend, start_proxy, tmp_path):
    backend.models = models(QWEN.model)
    return Claude(start_proxy().url, tmp_path / "claude")


def ran(claude: Claude, backend, *replies, words: str = "", thinking: str = "") -> None:
    """One call, made by the first of these answers, ran once; this is all that the user saw beside it."""
    backend.script(*replies, Text(WORDS))
    run = claude.run(tools="Bash")
    assert not run.failed and run.text == WORDS and run.results == ["once & <only>"], run
    assert (claude.project / "log").read_text() == "once & <only>\n", "it ran once"
    assert [block["text"].strip() for block in run.blocks("assistant") if block["type"] == "text"] == [
        *([words] if words else []), WORDS]
    thoughts = [block["thinking"].strip() for block in run.blocks("assistant") if block["type"] == "thinking"]
    assert thoughts == ([thinking] if thinking else [])
    first, second = backend.exchanges
    assert_grows(first, second)
    assert sent(second, "tool") == ["once & <only>"]
    [call] = second.messages[-2]["tool_calls"]
    assert call["function"]["name"] == "Bash" and call["id"] == second.messages[-1]["tool_call_id"]


@pytest.mark.parametrize("finish", ["stop", "tool_calls"])
@pytest.mark.parametrize("escape", [False, True], ids=["plain", "escaped"])
def test_the_reason_of_the_end_does_not_matter(backend, claude, finish, escape):
    ran(claude, backend, Text(QWEN.write("I note it.", [LOG]), finish=finish, escape=escape), words="I note it.")


def test_thinking_before_the_call(backend, claude):
    """It goes back where it came from: the server has no field for it."""
    text = f"<think>\nShall I? `<tool_call>` it is.\n</think>\n\n{QWEN.write('I note it.', [LOG])}"
    ran(claude, backend, Text(text), words="I note it.", thinking="Shall I? `<tool_call>` it is.")
    answer = backend.exchanges[1].messages[-2]
    assert answer["content"].startswith("<think>\nShall I? `<tool_call>` it is.\n</think>\n\nI note it."), answer
    assert "reasoning_content" not in answer


def test_thinking_that_the_call_ends(backend, claude):
    ran(claude, backend, Text(f"<think>\nI note it.\n{QWEN.write('', [LOG])}"), thinking="I note it.")


def test_a_call_in_the_servers_thinking(backend, claude):
    """The server tells thinking from text, and the model's call is in the thinking."""
    ran(claude, backend, Text("", thinking=f"I note it.\n{QWEN.write('', [LOG])}"), thinking="I note it.")


@pytest.mark.parametrize("text_first", [True, False], ids=["text first", "text last"])
def test_a_call_that_comes_twice_runs_once(backend, claude, text_first):
    call = QWEN.write("", [LOG])
    text, after = (call, "") if text_first else ("", call)
    ran(claude, backend, Text(text, native=(LOG,), after=after, finish="tool_calls"))


def test_markers_left_over_around_the_servers_own_calls(backend, claude):
    """The server took the call out of the text and left its tags there."""
    ran(claude, backend, Text("I note it.\n<tool_call>\n", native=(LOG,), after="\n</tool_call>", finish="tool_calls"),
        words="I note it.")


def test_two_calls_of_one_text_and_thinking_between_turns(backend, claude):
    """Each turn thinks; nothing of what was sent before changes."""
    second = ("Bash", {"command": "cat log"})
    turn = "<think>\nTurn {}.\n</think>\n\n{}"
    backend.script(Text(turn.format(1, QWEN.write("", [LOG]))), Text(turn.format(2, QWEN.write("", [second, second]))),
                   Text(turn.format(3, WORDS)))
    run = claude.run(tools="Bash")
    assert not run.failed and run.text == WORDS and run.results == ["once & <only>"] * 3, run
    assert [block["thinking"] for block in run.blocks("assistant") if block["type"] == "thinking"] == [
        "Turn 1.", "Turn 2.", "Turn 3."]
    for earlier, later in zip(backend.exchanges, backend.exchanges[1:]):
        assert_grows(earlier, later)
