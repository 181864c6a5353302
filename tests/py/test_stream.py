"""The stream converter as users of the wheel see it."""

import json
import threading

import pytest

from anyclaude import RequestContext, StreamConverter, Translator

CONTEXT = RequestContext.for_model("claude-test")


def chunk(text: str, finish: str | None = None) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def sse(*chunks: dict[str, object]) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks)


def text_of(events: bytes) -> str:
    """The text that a client would show."""
    data = [json.loads(line[6:]) for line in events.decode().split("\n") if line.startswith("data: ")]
    return "".join(one["delta"].get("text", "") for one in data if one["type"] == "content_block_delta")


def test_objects_and_bytes_give_the_same_events() -> None:
    chunks = [chunk("Grüße "), chunk("🦀", "stop"), {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}]
    one, other = StreamConverter(CONTEXT), StreamConverter(CONTEXT)
    by_object = b"".join(map(one.push_chunk, chunks)) + one.finish()
    by_bytes = other.push(sse(*chunks)) + other.finish()
    assert text_of(by_object) == text_of(by_bytes) == "Grüße 🦀"
    assert by_object.split(b"event: ")[-2:] == by_bytes.split(b"event: ")[-2:]


def test_events_come_as_soon_as_they_can() -> None:
    converter = StreamConverter(CONTEXT)
    assert text_of(converter.push(sse(chunk("one")))) == "one"
    assert not converter.ended
    assert converter.tick() == b'event: ping\ndata: {"type":"ping"}\n\n'
    converter.push(sse(chunk("", "stop")) + b"data: [DONE]\n\n")
    assert converter.ended
    assert converter.push(sse(chunk("more"))) == converter.finish() == converter.fail("late") == b""


def test_a_stream_that_breaks() -> None:
    converter = StreamConverter(CONTEXT)
    converter.push(sse(chunk("half of")))
    event = converter.fail("the line is cut", status=503)
    assert event.startswith(b"event: error\n") and b"the line is cut" in event
    assert converter.ended


def test_nothing_at_all() -> None:
    converter = StreamConverter(CONTEXT)
    assert converter.push(b"") != b"" and converter.push(b"") == b""
    assert b"event: error" in converter.finish()


@pytest.mark.parametrize("wrong", [None, "text", 7, bytearray(b"x")])
def test_only_bytes_are_pushed(wrong: object) -> None:
    with pytest.raises(TypeError):
        StreamConverter(CONTEXT).push(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [-1, 70_000, "502"])
def test_statuses_that_are_none(status: object) -> None:
    with pytest.raises((OverflowError, TypeError)):
        StreamConverter(CONTEXT).fail("x", status)  # type: ignore[arg-type]


def test_a_context_serves_any_number_of_converters() -> None:
    pushed = {StreamConverter(CONTEXT).push(sse(chunk("x"))) for _ in range(3)}
    assert len(pushed) == 1


def test_threads_share_a_converter() -> None:
    """Whole chunks from many threads come out whole, in any order; small ones and ones that detach."""
    converter = StreamConverter(CONTEXT)
    converter.push(b"")
    texts = [f"<{number}{'x' * (20_000 if number % 4 == 0 else 0)}>" for number in range(64)]
    events = in_threads(lambda number: converter.push(sse(chunk(texts[number]))), 64)
    assert sorted(map(text_of, events)) == sorted(texts)
    converter.push(sse(chunk("", "stop")))
    assert b"message_stop" in converter.finish()


def test_threads_share_a_translator() -> None:
    translator = Translator()

    def translate(number: int) -> bytes:
        messages = [{"role": "user", "content": f"{number} " * 5000}]
        request = {"model": "m", "max_tokens": 1, "messages": messages}
        return translator.request(request, session=str(number % 3), seed=number).body

    bodies = in_threads(translate, 32)
    assert all(f"{number} {number} ".encode() in body for number, body in enumerate(bodies))


def in_threads(call, count: int) -> list[bytes]:
    """What `call(number)` gives, each in a thread of its own, all at once."""
    results: list[bytes] = [b""] * count
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        gate.wait()
        results[number] = call(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
