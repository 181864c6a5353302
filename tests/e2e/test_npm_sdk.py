"""The npm SDK, as a program of its own; what it prints is looked at here."""

import json
import subprocess

import pytest

from support.process import CACHE, clean_env
from support.replies import Answer, Steps, delta_frame, error, usage

SCRIPT = __file__.replace("test_npm_sdk.py", "clients/npm_sdk.cjs")


@pytest.fixture
def sdk(proxy):
    def use(what: str) -> dict:
        done = subprocess.run(["node", SCRIPT, what, proxy.url], cwd=CACHE / "npm", env=clean_env(), timeout=30,
                              capture_output=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return use


def test_create(backend, sdk):
    backend.script(Answer("Hello", thinking="Hm.", usage=usage(100, 7, cached=60)))
    message = sdk("create")
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    assert message["content"][1]["text"] == "Hello" and message["stop_reason"] == "end_turn"
    figures = message["usage"]
    assert (figures["input_tokens"], figures["cache_read_input_tokens"], figures["output_tokens"]) == (40, 60, 7)
    body = backend.exchanges[0].body
    assert body["messages"][0] == {"role": "system", "content": "Be brief."} and body["stop"] == ["END"]


def test_stream_helper(backend, sdk):
    backend.script(Answer("Three small words", thinking="Let me see.", tools=[("weather", {"city": "Ulm"})]))
    message = sdk("stream")
    assert message["seen"] == "Three small words" and message["last_input"] == {"city": "Ulm"}
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]
    assert message["content"][2]["input"] == {"city": "Ulm"} and message["stop_reason"] == "tool_use"


def test_abort_reaches_the_backend(backend, sdk):
    backend.script(Steps([delta_frame({"content": "One"}), "stall"]))
    assert sdk("abort") == {"ended": "APIUserAbortError"}
    [exchange] = backend.exchanges
    backend.wait_for(lambda: exchange.client_left, 2)


def test_tool_runner(backend, sdk):
    backend.script(Answer(tools=[("weather", {"city": "Ulm"})]), Answer("It is sunny in Ulm."))
    final = sdk("runner")
    assert final["content"][0]["text"] == "It is sunny in Ulm." and final["asked"] == ["Ulm"]
    first, second = backend.exchanges
    assert first.tool_names == ["weather"]
    assert [message["role"] for message in second.messages] == ["user", "assistant", "tool"]
    assert second.messages[2]["content"] == "sunny"


def test_structured_output(backend, sdk):
    backend.script(Answer('{"city": "Ulm"}'))
    assert sdk("structured") == {"parsed": {"city": "Ulm"}}
    wanted = backend.exchanges[0].body["response_format"]
    assert wanted["type"] == "json_schema" and set(wanted["json_schema"]["schema"]["properties"]) == {"city"}


def test_count_tokens(backend, sdk):
    assert 0 < sdk("count")["input_tokens"] < 100
    assert backend.exchanges == []


def test_models(sdk):
    models = sdk("models")
    assert [model["id"] for model in models["listed"]] == ["scripted"]
    assert models["one"]["type"] == "model" and models["one"]["id"] == "scripted" and models["one"]["display_name"]


@pytest.mark.parametrize("code,name", [
    (400, "BadRequestError"), (429, "RateLimitError"), (500, "InternalServerError"),
])
def test_errors(backend, sdk, code, name):
    backend.script(error(code, "said the backend"))
    caught = sdk("error")
    assert (caught["class"], caught["status"]) == (name, code) and caught["request_id"]
