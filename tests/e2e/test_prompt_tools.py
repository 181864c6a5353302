"""Servers that take no tools: they are described in the prompt, and calls and results are written out as text."""

import json

import pytest

from support import messages
from support.history import assert_grows, sent, text_of
from support.process import ROOT
from support.proxy import anyclaude
from support.replies import Status
from support.stand_ins import Ollama
from support.text_answers import Text
from support.text_calls import FAMILIES

RECORDED = json.loads((ROOT / "tests/golden/errors/tools_unsupported_ollama.json").read_text())
REFUSAL = Status(RECORDED["status"], RECORDED["body"])
STYLES = {"hermes": "hermes", "qwen3_coder": "qwen3_coder", "glm45": "glm45", "minimax_m2": "minimax_m2",
          "llama3_json": "functionary_v31", "unknown": "hermes"}
OLD, NEW = "    return 1  # <one>\n", "    if x < 2 & y:\n        return \"zwei\"\n"


class Server:
    """Refuses tools; otherwise it answers in turn."""

    def __init__(self, *replies) -> None:
        self.replies = iter(replies)

    def __call__(self, request, _number):
        return REFUSAL if "tools" in request.json else next(self.replies)


# From the start it differs only in the first request: two styles show that.
@pytest.mark.parametrize("name,tools", [*((name, "auto") for name in STYLES),
                                        ("hermes", "text"), ("qwen3_coder", "text")])
def test_a_session(backend, session, name, tools):
    writes = FAMILIES[STYLES[name]]
    claude = session(FAMILIES[name].model if name in FAMILIES else "no-such-family-7b", tools=tools)
    file = claude.project / "one.py"
    file.write_text(f"def one(x, y):\n{OLD}")
    edit = {"file_path": str(file), "old_string": OLD.rstrip("\n"), "new_string": NEW.rstrip("\n"),
            "replace_all": False}
    turns = [
        ("I read it.", [("Read", {"file_path": str(file)})]),
        ("", [("Edit", edit)]),
        ("Both at once:", [("Bash", {"command": "cat one.py"}), ("Bash", {"command": "echo 'ü & <ö>'"})]),
        ("Done.", []),
    ]
    # One behind the other, as it was told.
    texts = ["\n\n".join(filter(None, [words, "\n".join(writes.render([call]) for call in calls)]))
             for words, calls in turns]
    backend.script(Server(*map(Text, texts)))
    run = claude.run(tools="Bash,Read,Edit")
    assert not run.failed and run.text == "Done.", run
    changed = f"def one(x, y):\n{NEW}"
    assert file.read_text() == changed
    assert set(run.results[2:]) == {changed.rstrip("\n"), "ü & <ö>"}
    said = [block["text"].strip() for block in run.blocks("assistant") if block["type"] == "text"]
    assert said == ["I read it.", "Both at once:", "Done."]

    refused, asked = backend.exchanges[:-4], backend.exchanges[-4:]
    assert len(refused) == (1 if tools == "auto" else 0), "asked for it once, never again"
    for earlier, later in zip(asked, asked[1:]):
        assert_grows(earlier, later)
    for exchange in asked:
        assert not {"tools", "tool_choice", "parallel_tool_calls"} & exchange.body.keys()
        assert {message["role"] for message in exchange.messages} <= {"system", "user", "assistant"}
    system = text_of(asked[0].messages[0])
    assert all(f'"{tool}"' in system for tool in ("Bash", "Read", "Edit")) and '"old_string"' in system
    last = asked[-1]
    assert sent(last, "assistant") == texts[:-1], "byte for byte as the model wrote it: the server has it in its cache"
    results = sent(last, "user")
    assert "def one" in results[-3] and "<tool_response" in results[-3]
    assert results[-1].index("zwei") < results[-1].index("ü & <ö>"), "in the order of the calls"


@pytest.mark.parametrize("after", [0, 1], ids=["at once", "after the head was sent"])
def test_the_first_answer_is_kept_as_well(backend, session, after):
    """The one to the request that came again."""
    claude = session("Qwen/Qwen3-8B", commit_after="300ms", ping_interval="300ms")
    text = 'I look.\n\n<tool_call>\n{"name":  "Bash",\n "arguments": {"command" :"ls"}}\n</tool_call>'
    refusal = Status(REFUSAL.code, REFUSAL.body, after=after)
    backend.script(lambda request, _: refusal if "tools" in request.json else Text(text))
    question = messages.request(tools=[messages.BASH])
    reply = messages.post(claude.url, question, stream=True)
    assert reply.ended and reply.tools == [("Bash", {"command": "ls"})] and reply.text.strip() == "I look."
    blocks = [{key: value for key, value in block.items() if key != "raw"} for block in reply.blocks]
    result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "a.txt"}
    question["messages"] += [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
    assert messages.post(claude.url, question, stream=True).ended
    assert sent(backend.exchanges[-1], "assistant") == [text]
    assert_grows(backend.exchanges[-2], backend.exchanges[-1])


def test_on_passes_the_refusal_on(backend, session):
    claude = session("gemma3:4b", tools="on")
    backend.script(Server())
    reply = messages.post(claude.url, messages.request(tools=[messages.BASH]), stream=True)
    assert reply.status == 400 and "does not support tools" in reply.error["message"]
    assert len(backend.exchanges) == 1


def test_off_has_no_calls(backend, session):
    """Tools that the model never heard of are not called, whatever its text looks like."""
    text = FAMILIES["hermes"].write("So:", [("Bash", {"command": "ls"})])
    claude = session("Qwen/Qwen3-8B", tools="off")
    backend.script(Server(Text(text), Text(text)))
    for stream in (True, False):
        reply = messages.post(claude.url, messages.request(tools=[messages.BASH]), stream=stream)
        assert (reply.text, reply.tools, reply.stop_reason) == (text, [], "end_turn")
    assert all("tools" not in exchange.body and '"Bash"' not in json.dumps(exchange.messages)
               for exchange in backend.exchanges)


@pytest.mark.parametrize("choice,words", [
    ({"type": "any"}, "Call a tool now."), ({"type": "tool", "name": "Bash"}, "Bash"), ({"type": "auto"}, ""),
], ids=["any", "tool", "auto"])
def test_a_choice_is_put_in_words(backend, session, choice, words):
    """At the very end, where it spoils no cached prefix."""
    claude = session("Qwen/Qwen3-8B", tools="text")
    backend.script(Text(FAMILIES["hermes"].write("", [("Bash", {"command": "ls"})])))
    reply = messages.post(claude.url, messages.request(tools=[messages.BASH], tool_choice=choice))
    assert reply.tools == [("Bash", {"command": "ls"})] and reply.stop_reason == "tool_use"
    [exchange] = backend.exchanges
    last = text_of(exchange.messages[-1])
    assert last.startswith("hi") and (words in last if words else last == "hi")


@pytest.mark.parametrize("tools,supply", [("auto", "prompt"), ("on", "interface"), ("off", "not")])
def test_doctor_tells(tmp_path, tools, supply):
    server = Ollama(loaded=Ollama.toolless)
    options = ("--backend", "ollama", "--backend-url", server.root + "/v1", "--tools", tools)
    try:
        done = anyclaude("doctor", "--json", *options, cwd=tmp_path)
        plain = anyclaude("doctor", *options, cwd=tmp_path)
    finally:
        server.stop()
    report = json.loads(done.stdout)
    plans = {plan["model"]: plan["tools"] for plan in report["tool_plans"]}
    assert plans[Ollama.toolless] == supply, report
    words = {"prompt": "tools in the prompt", "interface": "by the server's interface", "not": "no tools"}
    assert words[supply] in plain.stdout
