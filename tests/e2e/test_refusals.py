"""Backends that take less than OpenAI's API: what they refuse is left out, and the answer still arrives."""

import base64

import pytest

from support import files, messages
from support.history import parts, sent
from support.replies import Answer, Status, error

PICTURE = {"type": "image", "source": {
    "type": "base64", "media_type": "image/png", "data": base64.b64encode(files.png()).decode()}}
NO_IMAGES = {
    "llama.cpp": error(500, "image input is not supported - hint: if this is unexpected, you may need to provide the "
                       "mmproj", "server_error"),
    "vLLM": error(400, "At most 0 image(s) may be provided in one prompt.", "BadRequestError"),
    "mlx-lm": error(404, "Only 'text' content type is supported."),
}


@pytest.mark.parametrize("server", NO_IMAGES)
def test_images_become_a_note(backend, proxy, server):
    """After the first refusal: once as a retry, and from the start in the next request."""
    backend.script(lambda request, _: NO_IMAGES[server] if b"image_url" in request.body else Answer("A red square?"))
    question = messages.request([{"type": "text", "text": "What is this?"}, PICTURE])
    for _ in range(2):
        reply = messages.post(proxy.url, question, stream=True)
        assert reply.ended and reply.text == "A red square?"
    assert len(backend.exchanges) == 3
    assert parts(backend.exchanges[0], "image_url") and not parts(backend.exchanges[1], "image_url")
    assert "image" in sent(backend.exchanges[1], "user")[-1].lower(), "the model is told that there was one"


EXTRAS = {
    "stream_options": error(400, "Unrecognized request argument supplied: stream_options"),
    "reasoning_effort": Status(422, {"detail": [
        {"type": "extra_forbidden", "loc": ["body", "reasoning_effort"], "msg": "Extra inputs are not permitted"}]}),
    "parallel_tool_calls": error(400, "parallel_tool_calls is not supported"),
}


@pytest.mark.parametrize("key", EXTRAS)
def test_refused_extras_are_left_out(backend, proxy, key):
    backend.script(lambda request, _: EXTRAS[key] if key in request.json else Answer("Without it, then."))
    question = messages.request(tools=[messages.BASH], output_config={"effort": "high"},
                                tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    reply = messages.post(proxy.url, question, stream=True)
    assert reply.ended and reply.text == "Without it, then."
    assert len(backend.exchanges) == 2 and key in backend.exchanges[0].body
