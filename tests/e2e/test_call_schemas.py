"""Calls that do not fit the schemas of their tools: made to fit where that is safe, and told of where it is not."""

import json

import pytest

from support import messages
from support.claude import Claude
from support.history import assert_grows, sent
from support.proxy import anyclaude
from support.replies import Answer
from support.text_answers import Text, models
from support.text_calls import FAMILIES

FERRY = {"name": "find_ferry", "description": "Finds one", "input_schema": {
    "type": "object", "required": ["port"], "additionalProperties": False,
    "properties": {
        "port": {"type": "string"}, "cars": {"type": "integer"}, "price": {"type": "number"},
        "night": {"type": "boolean"}, "options": {"type": "object"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "seats": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "deck": {"enum": [1, 2]},
    }}}

FITTED = [
    ({"cars": "80"}, {"cars": 80}),
    ({"price": "7.5", "night": "true"}, {"price": 7.5, "night": True}),
    ({"options": '{"x": {"y": [1, "2"]}}', "tags": '["a", "b"]'},
     {"options": {"x": {"y": [1, "2"]}}, "tags": ["a", "b"]}),
    ({"seats": "3", "deck": "2"}, {"seats": 3, "deck": 2}),
    ({"port": "08"}, {"port": "08"}),
    ({"port": "{\"x\": 1}"}, {"port": "{\"x\": 1}"}),
    ({"cars": "many"}, {"cars": "many"}),
    ({"cars": "1e3", "night": "perhaps"}, None),
]
COMPLAINTS = [
    ({"cars": 1}, "port"),
    ({"port": "Split", "cars": "many"}, "/cars"),
    ({"port": "Split", "boats": 2}, "boats"),
]


def invalid_calls(tmp_path) -> int:
    [running] = json.loads(anyclaude("status", "--json", cwd=tmp_path).stdout)
    return find(running, "invalid_calls")


def find(value, key: str):
    """What stands under a key, however deep."""
    if isinstance(value, dict):
        found = (find(inner, key) for inner in value.values())
        return value[key] if key in value else next((one for one in found if one is not None), None)
    return None


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
@pytest.mark.parametrize("given,wanted", FITTED, ids=lambda value: "" if value is None else json.dumps(value))
def test_values_of_another_type(backend, proxy, given, wanted, stream):
    """What says the same in the right type becomes it; anything else, and every string that is one, stays."""
    given = {"port": "Ancona", **given}
    backend.script(Answer(tools=[("find_ferry", given)]))
    reply = messages.post(proxy.url, messages.request(tools=[FERRY]), stream=stream)
    [(name, arguments)] = reply.tools
    assert name == "find_ferry"
    if wanted is None:
        assert arguments["cars"] in ("1e3", 1000) and arguments["night"] == "perhaps"
    else:
        assert json.dumps(arguments) == json.dumps({"port": "Ancona", **wanted})


@pytest.mark.parametrize("as_text", [False, True], ids=["the server's calls", "calls as text"])
def test_what_cannot_be_made_to_fit(backend, start_proxy, tmp_path, as_text):
    """It is delivered: the client tells the model. The log names the place, never the value."""
    backend.models = models(FAMILIES["hermes"].model)
    proxy = start_proxy()
    assert invalid_calls(tmp_path) == 0
    calls = [("find_ferry", given) for given, _ in COMPLAINTS]
    backend.script(*(Text(FAMILIES["hermes"].write("", [call])) if as_text else Answer(tools=[call]) for call in calls))
    for number, (call, (_, place)) in enumerate(zip(calls, COMPLAINTS)):
        reply = messages.post(proxy.url, messages.request(tools=[FERRY]), stream=True)
        assert reply.tools == [call] and reply.stop_reason == "tool_use"
        proxy.wait_until(lambda: invalid_calls(tmp_path) == number + 1, 5)
        complaints = [line for line in proxy.errors().splitlines() if "does not fit its tool" in line]
        assert len(complaints) == number + 1 and "find_ferry" in complaints[-1] and place in complaints[-1]
        assert "many" not in complaints[-1] and "Split" not in complaints[-1]


def test_calls_that_fit_are_not_counted(backend, start_proxy, tmp_path):
    backend.script(Answer(tools=[("find_ferry", {"port": "Split", "cars": "2"})]))
    messages.post(start_proxy().url, messages.request(tools=[FERRY]), stream=True)
    assert invalid_calls(tmp_path) == 0


@pytest.mark.parametrize("as_text", [False, True], ids=["the server's calls", "calls as text"])
def test_claude_code(backend, start_proxy, tmp_path, as_text):
    """Its tools get numbers and booleans; a call that it refuses comes back to the model as an error."""
    backend.models = models(FAMILIES["hermes"].model)
    claude = Claude(start_proxy().url, tmp_path / "claude")
    file = claude.project / "lines.txt"
    file.write_text("one\ntwo\ntwo\nfour\n")
    path = {"file_path": str(file)}
    turns = [
        ("Read", {**path, "offset": "2", "limit": "2"}),
        ("Edit", {**path, "old_string": "two", "new_string": "2", "replace_all": "true"}),
        ("Read", {"offset": 1}),
        ("Bash", {"command": "cat lines.txt", "timeout": "5000"}),
    ]
    backend.script(*(Text(FAMILIES["hermes"].write("", [call])) if as_text else Answer(tools=[call]) for call in turns),
                   Answer("Done."))
    run = claude.run(tools="Bash,Read,Edit")
    assert not run.failed and run.text == "Done.", run
    assert file.read_text() == "one\n2\n2\nfour\n"
    assert [call["input"] for call in run.calls[:2]] == [
        {**path, "offset": 2, "limit": 2}, {**path, "old_string": "two", "new_string": "2", "replace_all": True}]
    assert "two" in run.results[0] and "one" not in run.results[0] and run.results[3] == "one\n2\n2\nfour"
    assert "file_path" in sent(backend.exchanges[-1], "tool")[2], "what was missing"
    assert invalid_calls(tmp_path) == 1
    for earlier, later in zip(backend.exchanges, backend.exchanges[1:]):
        assert_grows(earlier, later)
