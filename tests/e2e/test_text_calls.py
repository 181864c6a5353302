"""Real Claude Code with servers that pass the calls of their models on as text, in the formats of the families.

All that is known of a model is its name. What it writes comes in pieces of 1 to 7 characters, which cut the markers.
"""

import json

import pytest

from support.history import assert_grows, assert_same_tools, sent
from support.text_answers import Text
from support.text_calls import FAMILIES

BEFORE = 'def area(r):\n\tif r < 0 && r:\n        return "ä"  # <tool>\n\nprint(area)\n'
OLD = '\tif r < 0 && r:\n        return "ä"  # <tool>'
NEW = "    if r < 0 and not [1, 2][0] & 3:\n\n        return {'\"π\": \\n': \"it's\"}  # 汉字 🦀 </tool> &lt; {x}"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_session(backend, session, name):
    """Numbers, booleans, lines, quotes and whatever looks like markup arrive as they were written."""
    family = FAMILIES[name]
    claude = session(family.model)
    file = claude.project / "area.py"
    file.write_text(BEFORE)
    turns = [
        ("I look around.", [("Bash", {"command": 'echo "one  <two>" && echo \'three & ü\''})]),
        ("", [("Read", {"file_path": str(file), "offset": 1, "limit": 40})]),
        ("Now the change.", [("Edit", {"file_path": str(file), "old_string": OLD, "new_string": NEW,
                                       "replace_all": True})]),
        ("Both at once:", [("Bash", {"command": "cat area.py | wc -l"}), ("Bash", {"command": "printf 'x\\ny'"})]),
        ("All done: `area` is < 3 lines & fine.", []),
    ]
    backend.script(*(Text(family.write(*turn), escape=index % 2 == 1) for index, turn in enumerate(turns)))
    run = claude.run(tools="Bash,Read,Edit")

    assert not run.failed and run.text == turns[-1][0], run
    assert file.read_bytes() == BEFORE.replace(OLD, NEW).encode()
    calls = [call for _, calls in turns for call in calls]
    assert [(call["name"], call["input"]) for call in run.calls] == calls
    assert run.results[0] == "one  <two>\nthree & ü" and set(run.results[3:]) == {"6", "x\ny"}, run
    said = [block["text"].strip() for block in run.blocks("assistant") if block["type"] == "text"]
    assert said == [words for turn in turns if (words := family.says(*turn))], "the user saw only the words"

    assert backend.exchanges[0].body["model"] == family.model
    for earlier, later in zip(backend.exchanges, backend.exchanges[1:]):
        assert_grows(earlier, later)
        assert_same_tools(backend.exchanges[0], later)
    last = backend.exchanges[-1]
    told = [call for message in last.messages for call in message.get("tool_calls", [])]
    assert [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in told] == calls
    ids = [message["tool_call_id"] for message in last.messages if message["role"] == "tool"]
    assert ids == [call["id"] for call in told] and len(set(ids)) == 5
    assert sent(last, "tool")[3:] == ["6", "x\ny"]
