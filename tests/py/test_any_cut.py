"""Whatever is cut and whatever comes: property tests through the wheel."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

import anyclaude
from corpus import Case, cases
from test_golden import convert

CASES: list[Case] = [case.values[0] for case in cases("stream")]  # type: ignore[misc]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_a_stream_may_be_cut_anywhere(case: Case, data: st.DataObject) -> None:
    stream = case.stream()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)])]
    assert convert(case, pieces) == case.bytes_of("events")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=60) | JSON.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n")))
def test_any_stream_ends_well(pieces: list[bytes]) -> None:
    converter = anyclaude.StreamConverter(anyclaude.RequestContext.for_model("m"))
    events = b"".join(map(converter.push, pieces)) + converter.finish()
    assert converter.ended
    *_, last, empty = events.split(b"\n\n")
    assert empty == b"" and last.startswith((b"event: message_stop\n", b"event: error\n"))
    assert converter.push(b"data: {}\n\n") == b"" and converter.finish() == b""


@settings(max_examples=300, deadline=None)
@given(st.binary() | st.text() | st.dictionaries(st.sampled_from(["model", "messages", "tools", "system"]), JSON))
def test_any_request_is_translated_or_refused_in_words(body: bytes | str | dict[str, object]) -> None:
    try:
        translated = anyclaude.Translator().request(body)
    except anyclaude.TranslateError as error:
        assert str(error) and error.status in (400, 404, 413)
    except UnicodeEncodeError:
        assert isinstance(body, str)  # a lone surrogate is no text that could be sent
    else:
        json.loads(translated.body)


@settings(max_examples=300, deadline=None)
@given(st.text(), st.lists(st.integers(1, 7), max_size=40), st.sampled_from([None, "hermes", "qwen3_coder", "pythonic"]))
def test_plain_text_stays_what_it_is(text: str, sizes: list[int], format: str | None) -> None:
    tools = [{"name": "Bash", "input_schema": {"type": "object"}}]
    parser = anyclaude.ToolParser(format, tools=tools)
    whole, events = text, []
    for size in sizes:
        events += parser.push(text[:size])
        text = text[size:]
    events += parser.push(text) + parser.finish()
    if "<" not in whole and "[" not in whole and "{" not in whole:
        assert "".join(event["text"] for event in events if event["type"] == "text") == whole
    assert parser.finish() == []
