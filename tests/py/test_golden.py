"""The whole golden corpus through the wheel, byte for byte."""

import pytest

import anyclaude
from corpus import Case, cases, error_body


@pytest.mark.parametrize("case", cases("translate"))
def test_request(case: Case) -> None:
    if "error" in case.sections:
        with pytest.raises(anyclaude.TranslateError) as raised:
            case.translate()
        assert error_body(raised.value) == case.line_of("error")
        return
    translated = case.translate()
    assert translated.body == case.line_of("body")
    assert "".join(note + "\n" for note in translated.notes) == case.sections.get("notes", "")


@pytest.mark.parametrize("case", cases("stream"))
def test_stream(case: Case) -> None:
    stream = case.stream()
    assert convert(case, [stream]) == case.bytes_of("events")


@pytest.mark.parametrize("case", cases("stream"))
def test_stream_byte_by_byte(case: Case) -> None:
    stream = case.stream()
    assert convert(case, [stream[at : at + 1] for at in range(len(stream))]) == case.bytes_of("events")


@pytest.mark.parametrize("case", cases("response"))
def test_answer(case: Case) -> None:
    translator, context = case.translator(), case.context()
    if "error" in case.sections:
        # The server's own error may be one of the request's.
        with pytest.raises((anyclaude.BackendError, anyclaude.TranslateError)) as raised:
            translator.response(context, case.bytes_of("answer"))
        assert error_body(raised.value) == case.line_of("error")
        return
    assert translator.response(context, case.bytes_of("answer")) == case.line_of("message")


def convert(case: Case, pieces: list[bytes]) -> bytes:
    converter = anyclaude.StreamConverter(case.context())
    events = b"".join(converter.push(piece) for piece in pieces)
    end = case.word("end") or "closed"
    if end == "closed":
        events += converter.finish()
    elif end == "reset":
        events += converter.fail("the connection broke")
    else:
        assert end == "stall"
        events += converter.fail("the backend fell silent", status=504)
    assert converter.ended
    return events
