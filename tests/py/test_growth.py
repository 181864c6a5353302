"""Many conversions and many objects leave nothing behind."""

import gc
import os
import sys
import threading
import weakref

import pytest

import anyclaude

# `make soak` sets a hundred thousand.
CONVERSIONS = int(os.environ.get("CONVERSIONS", "4000"))
# A leak of a hundred bytes each would be more than this over a soak, and no allocator holds on to so much.
ALLOWANCE = 6 << 20

TRANSLATOR = anyclaude.Translator("mlx-lm")
TOOLS = [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]
BODY = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "stream": True,
    "messages": [{"role": "user", "content": "Say hello"}],
    "tools": TOOLS,
}
CHUNKS = [
    b'data: {"choices":[{"delta":{"content":"Hello <tool_call>{\\"name\\": \\"Bash\\", "}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"\\"arguments\\": {\\"command\\": \\"ls\\"}}</tool_call>"}}]}\n\n',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
]


def convert(number: int) -> None:
    # What is remembered of a session is bounded, and of few sessions it is full before the measurement begins.
    translated = TRANSLATOR.request(BODY, session=f"session-{number % 2}")
    converter = anyclaude.StreamConverter(translated.context)
    out = b"".join(map(converter.push, CHUNKS)) + converter.finish()
    assert out.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n') and b"tool_use" in out
    TRANSLATOR.record(converter)
    assert anyclaude.parse_tools("<tool_call>{}", "hermes", tools=TOOLS)["calls"] == []
    with pytest.raises(anyclaude.TranslateError):
        TRANSLATOR.request(b'{"model": 7}')


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(3600)
def test_conversions_leave_nothing_behind() -> None:
    for number in range(2000):
        convert(number)
    gc.collect()
    before, objects = resident(), len(gc.get_objects())
    for number in range(CONVERSIONS):
        convert(number)
    gc.collect()
    assert len(gc.get_objects()) - objects < 100
    assert resident() - before < ALLOWANCE


def test_objects_in_circles_are_collected() -> None:
    class Holder:
        pass

    gone = []
    for _ in range(100):
        holder = Holder()
        holder.parts = [  # type: ignore[attr-defined]
            anyclaude.ToolParser("hermes"),
            anyclaude.StreamConverter(anyclaude.RequestContext.for_model("m")),
            holder,
        ]
        gone.append(weakref.ref(holder))
    del holder
    gc.collect()
    assert [reference() for reference in gone if reference()] == []


def test_threads_share_a_translator_and_even_a_converter() -> None:
    failures: list[BaseException] = []
    shared = anyclaude.StreamConverter(anyclaude.RequestContext.for_model("m"))

    def work(first: int) -> None:
        try:
            for number in range(first, first + 100):
                convert(number)
                shared.push(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    shared.push(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n')
    assert b"end_turn" in shared.finish()
