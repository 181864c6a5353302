"""Each way in which a backend refuses: the right status and type, with the backend's own words."""

from dataclasses import dataclass

import pytest

from support import messages
from support.replies import Answer, Reply, Status, Steps, error


@dataclass
class Case:
    reply: Reply
    status: int
    kind: str
    says: str
    retry_after: str | None = None


OPENAI_TOO_LONG = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. "
    "Please reduce the length of the messages."
)
VLLM_TOO_LONG = (
    "This model's maximum context length is 8192 tokens. However, you requested 9001 tokens in the messages, "
    "Please reduce the length of the messages."
)
LLAMA_TOO_LONG = {"error": {
    "code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9001, "n_ctx": 8192,
    "message": "the request exceeds the available context size, try increasing it"}}
TOO_LONG = "prompt is too long: 9001 tokens > 8192 maximum"
LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"

CASES = {
    "too long, OpenAI": Case(error(400, OPENAI_TOO_LONG), 400, "invalid_request_error", TOO_LONG),
    "too long, vLLM": Case(error(400, VLLM_TOO_LONG, "BadRequestError"), 400, "invalid_request_error", TOO_LONG),
    "too long, llama.cpp": Case(Status(400, LLAMA_TOO_LONG), 400, "invalid_request_error", TOO_LONG),
    "busy": Case(error(429, "slow down", retry_after="7"), 429, "rate_limit_error", "slow down", "7"),
    "loading": Case(Status(503, LOADING), 503, "api_error", "Loading model"),
    # A 401 would make Claude Code try again for over a minute, with the same key.
    "key refused": Case(error(401, "bad key"), 403, "permission_error", "bad key"),
    "forbidden": Case(error(403, "not yours"), 403, "permission_error", "not yours"),
    "unknown model": Case(error(404, "The model `m` does not exist"), 404, "not_found_error", "does not exist"),
    "bad grammar": Case(error(400, "failed to parse grammar"), 400, "invalid_request_error", "failed to parse grammar"),
    "server error": Case(error(500, "CUDA out of memory", "server_error"), 500, "api_error", "CUDA out of memory"),
    "HTML": Case(Status(502, HTML), 502, "api_error", "502"),
    "HTML with status 200": Case(Status(200, HTML), 502, "api_error", ""),
    "empty body": Case(Status(500, ""), 500, "api_error", "500"),
    "empty body with status 200": Case(Status(200, ""), 502, "api_error", ""),
    "reset": Case(Steps(["reset"], head=False), 502, "api_error", ""),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
@pytest.mark.parametrize("name", CASES)
def test_status(backend, proxy, name, stream):
    case = CASES[name]
    backend.script(lambda *_: case.reply)
    reply = messages.post(proxy.url, messages.request(), stream=stream)
    if reply.events:
        # Success headers with a body that is no stream: the commitment stands, the error is an event.
        assert case.status == 502 and name.endswith("200")
    else:
        assert reply.status == case.status
    assert reply.error["type"] == case.kind, reply.error
    assert case.says in reply.error["message"], reply.error
    assert "<html" not in reply.error["message"].lower()
    if case.retry_after:
        assert reply.headers["retry-after"] == case.retry_after


@pytest.mark.parametrize("name", [name for name in CASES if isinstance(CASES[name].reply, Status)])
def test_after_commit_it_is_an_error_event(backend, proxy, name):
    case = CASES[name]
    late = Status(case.reply.code, case.reply.body, case.reply.headers, after=0.6)
    backend.script(lambda *_: late)
    reply = messages.post(proxy.url, messages.request(), stream=True)
    assert reply.status == 200 and reply.names[0] == "message_start" and reply.names[-1] == "error"
    assert reply.error["type"] == case.kind
    assert case.says in reply.error["message"]


def test_nobody_listens(start_proxy):
    proxy = start_proxy("http://127.0.0.1:1/v1", connect_timeout="1s")
    for stream in (True, False):
        reply = messages.post(proxy.url, messages.request(), stream=stream)
        assert (reply.status, reply.error["type"]) == (502, "api_error")
        assert "127.0.0.1:1" in reply.error["message"], "the message says where nobody listens"


def overflow(request, _number):
    """A server with room for 20000 tokens and a prompt of 12000, in vLLM's words."""
    asked = request.json.get("max_completion_tokens") or request.json.get("max_tokens") or 0
    if 12000 + asked <= 20000:
        return Answer("It fits now.")
    return error(400, f"This model's maximum context length is 20000 tokens. However, you requested {12000 + asked} "
                 f"tokens (12000 in the messages, {asked} in the completion). Please reduce the length of the "
                 "messages or completion.", "BadRequestError")


def test_prompt_and_max_tokens_too_long_says_the_figures(backend, proxy):
    """Either the proxy tries again with less, or the client is told A + B > C and does so itself."""
    backend.script(overflow)
    reply = messages.post(proxy.url, messages.request() | {"max_tokens": 64000}, stream=False)
    if reply.status == 200:
        assert reply.text == "It fits now."
    else:
        assert reply.status == 400 and "12000 + 64000 > 20000" in reply.error["message"]
        assert "prompt is too long" not in reply.error["message"]


# ---- with Claude Code


def test_claude_code_shrinks_max_tokens(backend, claude):
    backend.script(overflow)
    run = claude.run()
    assert not run.failed and run.text == "It fits now.", run
    assert len(backend.exchanges) <= 3


@pytest.mark.parametrize("name", ["too long, OpenAI", "too long, vLLM", "too long, llama.cpp"])
def test_claude_code_ends_when_the_prompt_is_too_long(backend, claude, name):
    backend.script(lambda *_: CASES[name].reply)
    run = claude.run()
    assert run.failed and run.result.get("terminal_reason") == "prompt_too_long", run
    assert len(backend.exchanges) <= 2, "no use in sending it again and again"


def test_claude_code_waits_and_tries_again(backend, claude):
    """Busy, loading, broken, gone: all of them are over after a moment, and the user sees only the answer."""
    backend.script(
        error(429, "slow down", "rate_limit_error", retry_after="1"),
        Status(503, LOADING),
        Status(502, HTML),
        Steps(["reset"], head=False),
        Answer("There you are."),
    )
    run = claude.run(timeout=90)
    assert not run.failed and run.text == "There you are.", run
    waits = [later.request.arrived - earlier.finished
             for earlier, later in zip(backend.exchanges, backend.exchanges[1:])]
    assert len(backend.exchanges) == 5, run
    assert 0.9 <= waits[0] <= 5, f"retry-after of one second: {waits}"


def test_claude_code_names_the_model_that_is_not_there(backend, claude):
    backend.script(lambda *_: CASES["unknown model"].reply)
    run = claude.run()
    assert run.failed and "model" in run.text, run


def test_claude_code_shows_a_refused_key(backend, claude):
    backend.script(lambda *_: CASES["key refused"].reply)
    run = claude.run(timeout=20)
    assert run.failed and "bad key" in run.text, run
