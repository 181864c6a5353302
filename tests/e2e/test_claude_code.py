"""Real Claude Code against a scripted backend: what the user sees and what the backend receives."""

import base64
import json

import pytest

from support import files
from support.claude import LATEST, OLD
from support.history import assert_grows, assert_same_tools, parts, sent, text_of
from support.replies import Answer, usage


@pytest.mark.parametrize("version", [LATEST, OLD])
def test_plain_text(backend, claude, version):
    backend.script(Answer("Hello from afar.", thinking="A greeting.", usage=usage(1000, 40, cached=900)))
    run = claude.run("Say XYZZY.", version=version)
    assert not run.failed and run.text == "Hello from afar.", run
    figures = run.result["usage"]
    assert (figures["input_tokens"], figures["cache_read_input_tokens"], figures["output_tokens"]) == (100, 900, 40)

    [exchange] = backend.exchanges
    body = exchange.body
    assert body["stream"] is True and body["stream_options"] == {"include_usage": True}
    assert body["model"] == "scripted", "the backend's own model, not Claude's name"
    roles = [message["role"] for message in exchange.messages]
    assert roles[0] == "system" and roles[-1] == "user" and set(roles) == {"system", "user"}
    assert "XYZZY" in text_of(exchange.messages[-1])
    assert {"Bash", "Read", "Edit", "Write"} <= set(exchange.tool_names)


@pytest.mark.parametrize("version", [LATEST, OLD])
def test_tools(backend, claude, version):
    """One session, one tool after the other; after each turn the backend can use its cache of the turn before."""
    note = claude.project / "note.txt"
    missing = claude.project / "missing.txt"
    backend.script(
        Answer("I write.", tools=[("Write", {"file_path": str(note), "content": "one\ntwo\n"})]),
        Answer(tools=[("Read", {"file_path": str(note)})], thinking="Did it work?"),
        Answer(tools=[("Edit", {"file_path": str(note), "old_string": "two", "new_string": "zwei"})]),
        Answer("Both at once.", tools=[("Bash", {"command": "cat note.txt"}), ("Bash", {"command": "echo grüß"})]),
        Answer(tools=[("Read", {"file_path": str(missing)}), ("Bash", {"command": "true"})]),
        Answer(tools=[("Bash", '{"command": broken')]),
        Answer("All done."),
    )
    run = claude.run(tools="Bash,Read,Edit,Write", version=version)
    assert not run.failed and run.text == "All done.", run
    assert note.read_text() == "one\nzwei\n"
    assert set(run.results[3:5]) == {"one\nzwei", "grüß"}
    assert any("does not exist" in result for result in run.results[5:7]), run

    first, *_ = backend.exchanges
    for earlier, later in zip(backend.exchanges, backend.exchanges[1:]):
        assert_grows(earlier, later)
        assert_same_tools(first, later)
    last = backend.exchanges[-1].messages
    results = sent(backend.exchanges[-1], "tool")
    assert {"one\nzwei", "grüß"} == set(results[3:5])
    assert any("does not exist" in result for result in results[5:7])
    assert "broken" in results[7], "the model sees its broken arguments and can try again"
    assert "Did it work?" not in json.dumps([m["content"] for m in last if m["role"] != "assistant"])


def test_results_stand_in_the_order_of_the_calls(backend, claude):
    """Claude Code sends them as they finish; templates that write no ids tell them apart by their order."""
    slow, quick = {"command": "sleep 0.5; echo slow"}, {"command": "echo quick"}
    backend.script(Answer(tools=[("Bash", slow), ("Bash", quick)]), Answer("Done."))
    run = claude.run(tools="Bash")
    assert not run.failed and run.results == ["quick", "slow"], run
    assert sent(backend.exchanges[1], "tool") == ["slow", "quick"]


def test_subagent(backend, claude):
    """The subagent's requests are a conversation of their own."""
    task = {"description": "count", "prompt": "SUBTASK: count to three", "subagent_type": "general-purpose",
            "run_in_background": False}

    def answer(request, _number):
        history = request.json["messages"]
        if "SUBTASK" in text_of(history[1]):
            done = any(message["role"] == "tool" for message in history)
            return Answer("One two three.") if done else Answer(tools=[("Bash", {"command": "echo 123"})])
        results = [text_of(message) for message in history if message["role"] == "tool"]
        if not results:
            return Answer(tools=[("Agent", task)])
        return Answer(f"The agent said: {'three' if 'One two three.' in results[-1] else results[-1]}")

    backend.script(answer)
    run = claude.run("Delegate.", tools="Bash,Agent")
    assert not run.failed and "The agent said: three" in run.text, run


@pytest.mark.parametrize("version", [LATEST, OLD])
def test_image_and_pdf(backend, claude, version):
    """The image arrives as an image, the PDF as something the model can read: never as base64 text."""
    (claude.project / "dot.png").write_bytes(files.png())
    (claude.project / "paper.pdf").write_bytes(files.pdf("Invoice 7731 is paid"))
    backend.script(
        Answer(tools=[("Read", {"file_path": str(claude.project / "dot.png")})]),
        Answer(tools=[("Read", {"file_path": str(claude.project / "paper.pdf")})]),
        Answer("Seen and read."),
    )
    run = claude.run(tools="Read", version=version)
    assert not run.failed and run.text == "Seen and read.", run
    _, second, third = backend.exchanges
    [image] = parts(second, "image_url")
    kind, data = image["image_url"]["url"].split(",", 1)
    assert kind == "data:image/png;base64" and base64.b64decode(data).startswith(b"\x89PNG")
    assert_grows(second, third)
    text = "\n".join(text_of(message) for message in third.messages[len(second.messages):])
    assert "Invoice 7731 is paid" in text or parts(third, "file") or len(parts(third, "image_url")) > 1


def test_tool_search(backend, claude):
    """A deferred tool is only a name until it was searched; the next request offers it."""
    backend.script(
        Answer(tools=[("ToolSearch", {"query": "select:NotebookEdit", "max_results": 1})]),
        Answer("Found it."),
    )
    run = claude.run(tools="ToolSearch")
    assert not run.failed and run.text == "Found it.", run
    before, after = backend.exchanges
    assert "NotebookEdit" not in before.tool_names and "NotebookEdit" in after.tool_names
    assert "NotebookEdit" in sent(after, "tool")[-1]
    assert_grows(before, after)


def test_web_search_without_a_search_engine(backend, claude):
    """Its own request has a server tool only, which no chat backend has; the text answer is taken."""

    def answer(request, _number):
        history = request.json["messages"]
        if "Perform a web search" in text_of(history[-1]):
            return Answer("Nothing can be looked up here.")
        if history[-1]["role"] == "tool":
            return Answer("So be it.")
        return Answer(tools=[("WebSearch", {"query": "weather in Ulm"})])

    backend.script(answer)
    run = claude.run(tools="WebSearch")
    assert not run.failed and run.text == "So be it.", run
    [search] = [exchange for exchange in backend.exchanges if "Perform a web search" in text_of(exchange.messages[-1])]
    assert "tools" not in search.body


def test_resumed_session_keeps_its_prefix(backend, claude):
    """Claude Code writes the same history differently after a restart; the backend must not notice."""
    backend.script(Answer(tools=[("Bash", {"command": "echo first"})]), Answer("First."), Answer("Second."))
    first = claude.run("Begin.", tools="Bash")
    second = claude.run("Go on.", tools="Bash", options=("--continue",))
    assert (first.text, second.text) == ("First.", "Second."), second
    _, before, after = backend.exchanges
    assert_grows(before, after)
    assert text_of(after.messages[-1]).endswith("Go on.")


def test_two_sessions_share_their_start(backend, claude):
    """The attribution line, which differs, is gone: system message and tools are the same bytes."""
    backend.script(Answer("One."), Answer("Two."))
    claude.run("First words of one session.")
    claude.run("Quite different words in another.")
    one, two = backend.exchanges
    assert one.messages[0] == two.messages[0] and one.messages[0]["role"] == "system"
    assert_same_tools(one, two)


def test_structured_output(backend, claude):
    """--json-schema is an ordinary tool to the backend; the run ends with its call."""
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    backend.script(Answer(tools=[("StructuredOutput", {"answer": 42})]), Answer("42"))
    run = claude.run(options=("--json-schema", json.dumps(schema)))
    assert not run.failed and run.result.get("structured_output") == {"answer": 42}, run
    assert "StructuredOutput" in backend.exchanges[0].tool_names


def test_long_silent_prefill(backend, claude):
    """Claude Code gives up on a silent stream; pings keep it waiting. Its limit is at least 10 s."""
    backend.script(Answer("It took a while.", first_byte_after=13), Answer("Asked again."))
    run = claude.run(CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS="10000")
    assert not run.failed and run.text == "It took a while.", run
    assert len(backend.exchanges) == 1, "asked once, so nothing was lost of the long prefill"


@pytest.mark.parametrize("finish,text", [("length", "A long answer that was"), ("stop", "")])
def test_odd_ends_are_well_formed(backend, claude, finish, text):
    """An answer at its token limit is continued, an empty one asked again: both are Claude Code's own decisions."""
    backend.script(lambda _request, number: Answer(text, finish=finish) if number == 0 else Answer("The rest."))
    run = claude.run()
    assert not run.failed and "The rest." in run.text, run
    assert len(backend.exchanges) == 2
