"""The Python SDK, which is stricter about streams than Claude Code."""

import json

import anthropic
import pytest
from anthropic import beta_tool
from pydantic import BaseModel

from support.replies import Answer, error, usage

MODEL = "claude-opus-5-5"
QUESTION = [{"role": "user", "content": "hi"}]


@pytest.fixture
def sdk(proxy):
    with anthropic.Anthropic(base_url=proxy.url, api_key="client-secret", max_retries=0) as client:
        yield client


def test_create(backend, sdk):
    backend.script(Answer("Hello", thinking="Hm.", usage=usage(100, 7, cached=60)))
    message = sdk.messages.create(model=MODEL, max_tokens=100, system="Be brief.", messages=QUESTION,
                                  stop_sequences=["END"])
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[1].text == "Hello" and message.stop_reason == "end_turn"
    figures = message.usage
    assert (figures.input_tokens, figures.cache_read_input_tokens, figures.output_tokens) == (40, 60, 7)
    body = backend.exchanges[0].body
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["stop"] == ["END"]


def test_stream_helper(backend, sdk):
    backend.script(Answer("Three small words", thinking="Let me see.", tools=[("Bash", {"command": "ls"})]))
    with sdk.messages.stream(model=MODEL, max_tokens=100, messages=QUESTION, tools=[
        {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}},
    ]) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == "Three small words"
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].input == {"command": "ls"} and message.stop_reason == "tool_use"


def test_stop_at_the_limit(backend, sdk):
    backend.script(Answer("Half a sent", finish="length"))
    message = sdk.messages.create(model=MODEL, max_tokens=3, messages=QUESTION)
    assert message.stop_reason == "max_tokens" and message.content[0].text == "Half a sent"


def test_tool_runner_falls_back_from_threads(backend, sdk):
    """The runner first asks for server-side threads; refused in the right words, it sends the whole history."""
    asked = []

    @beta_tool
    def weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: its name
        """
        asked.append(city)
        return "sunny"

    backend.script(Answer(tools=[("weather", {"city": "Ulm"})]), Answer("It is sunny in Ulm."))
    runner = sdk.beta.messages.tool_runner(model=MODEL, max_tokens=100, tools=[weather], messages=QUESTION)
    final = runner.until_done()
    assert final.content[0].text == "It is sunny in Ulm." and asked == ["Ulm"]
    roles = [message["role"] for message in backend.exchanges[1].messages]
    assert roles == ["user", "assistant", "tool"]
    assert backend.exchanges[1].messages[2]["content"] == "sunny"


class City(BaseModel):
    name: str
    people: int


def test_structured_output(backend, sdk):
    backend.script(Answer('{"name": "Ulm", "people": 129942}'))
    message = sdk.messages.parse(model=MODEL, max_tokens=100, messages=QUESTION, output_format=City)
    assert message.parsed_output == City(name="Ulm", people=129942)
    wanted = backend.exchanges[0].body["response_format"]
    assert wanted["type"] == "json_schema"
    assert set(wanted["json_schema"]["schema"]["properties"]) == {"name", "people"}
    assert wanted["json_schema"]["name"]


def test_count_tokens_is_marked_as_estimated(backend, sdk):
    short = sdk.messages.with_raw_response.count_tokens(model=MODEL, messages=QUESTION)
    assert short.headers["x-anyclaude-token-count"] == "estimated"
    long = sdk.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "word " * 1000}])
    assert 0 < short.parse().input_tokens < 100
    assert 500 < long.input_tokens < 3000
    assert backend.exchanges == [], "counting is the proxy's own work"


def test_models(sdk):
    listed = sdk.models.list()
    assert [model.id for model in listed] == ["scripted"]
    assert listed.has_more is False and listed.first_id == listed.last_id == "scripted"
    one = sdk.models.retrieve("scripted")
    assert (one.type, one.id) == ("model", "scripted") and one.display_name and one.created_at
    with pytest.raises(anthropic.NotFoundError):
        sdk.models.retrieve("no/such")


@pytest.mark.parametrize("code,kind", [
    (400, anthropic.BadRequestError), (404, anthropic.NotFoundError), (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError),
])
def test_exceptions(backend, sdk, code, kind):
    backend.script(error(code, "The model `m` does not exist" if code == 404 else "said the backend"))
    with pytest.raises(kind) as caught:
        sdk.messages.create(model=MODEL, max_tokens=100, messages=QUESTION)
    assert caught.value.request_id
    assert json.loads(caught.value.response.content)["type"] == "error"


def test_retry_after_is_honoured(backend, proxy):
    backend.script(error(429, "slow down", retry_after="1"), Answer("Now."))
    with anthropic.Anthropic(base_url=proxy.url, api_key="client-secret", max_retries=1) as client:
        assert client.messages.create(model=MODEL, max_tokens=9, messages=QUESTION).content[0].text == "Now."
    first, second = backend.exchanges
    assert second.request.arrived - first.finished >= 0.9
