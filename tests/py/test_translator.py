"""The translator as users of the wheel see it."""

import json

import pytest

import anyclaude
from anyclaude import ConfigError, RequestContext, TranslateError, Translated, Translator

REQUEST = {
    "model": "claude-test",
    "max_tokens": 50,
    "stream": True,
    "messages": [{"role": "user", "content": 'Grüße 🦀, "quoted"\n'}],
}
ANSWER = {"choices": [{"message": {"content": "Grüße 🦀"}, "finish_reason": "stop"}]}


def test_bytes_text_and_dict_are_the_same_request() -> None:
    text = json.dumps(REQUEST, ensure_ascii=False)
    translator = Translator()
    bodies = {translator.request(form).body for form in (text, text.encode(), REQUEST)}
    assert len(bodies) == 1


def test_bytes_text_and_dict_are_the_same_answer() -> None:
    text = json.dumps(ANSWER, ensure_ascii=False)
    translator, context = Translator(), RequestContext.for_model("claude-test")
    messages = {translator.response(context, form) for form in (text, text.encode(), ANSWER)}
    assert len(messages) == 1
    assert json.loads(messages.pop())["content"][0]["text"] == "Grüße 🦀"


def test_what_comes_out() -> None:
    translated = Translator("openai", model="local", max_output_tokens=9).request(REQUEST | {"metadata": {"user_id": "x"}})
    assert isinstance(translated, Translated)
    assert isinstance(translated.body, bytes)
    assert translated.dict() == json.loads(translated.body)
    assert translated.dict()["model"] == "local"
    assert all(isinstance(note, str) for note in translated.notes) and translated.notes
    context = translated.context
    assert (context.model, context.backend, context.stream, context.max_tokens) == ("claude-test", "openai", True, 9)
    assert context.estimated_input_tokens > 0


def test_what_comes_out_is_not_shared() -> None:
    translated = Translator().request(REQUEST)
    translated.dict()["model"] = "changed"
    translated.notes.append("changed")
    assert translated.dict()["model"] != "changed" and "changed" not in translated.notes


def test_attributes_are_read_only() -> None:
    translated = Translator().request(REQUEST)
    for thing, name in [(translated, "body"), (translated.context, "model"), (Translator(), "anything")]:
        with pytest.raises(AttributeError):
            setattr(thing, name, "changed")


def test_a_context_without_a_request() -> None:
    context = RequestContext.for_model("claude-test", "mlx-lm", estimated_input_tokens=7)
    assert (context.model, context.backend, context.estimated_input_tokens) == ("claude-test", "mlx-lm", 7)
    with pytest.raises(TypeError):
        RequestContext()  # type: ignore[call-arg]


def test_the_dialect() -> None:
    context = Translator(dialect="messages").request(REQUEST).context
    assert context.dialect == RequestContext.for_model("claude-test", dialect="messages").dialect == "messages"
    assert RequestContext.for_model("claude-test").dialect == "chat"
    for make in (lambda: Translator(dialect="x"), lambda: RequestContext.for_model("m", dialect="x")):
        with pytest.raises(ConfigError, match="chat or messages"):
            make()


def test_models_that_the_server_has() -> None:
    assert Translator().request(REQUEST, models=["one", "two"]).dict()["model"] == "one"
    assert Translator().request(REQUEST, models=("one",)).dict()["model"] == "one"


@pytest.mark.parametrize("seed", [0, 1, 2**64, 2**128 - 1])
def test_the_seed_makes_the_ids(seed: int) -> None:
    translator = Translator()
    ids = set()
    for chosen in (seed, seed, seed ^ 3):
        context = translator.request(REQUEST, session="s", agent="a", seed=chosen).context
        ids.add(json.loads(translator.response(context, ANSWER))["id"])
    assert len(ids) == 2


def test_a_lone_surrogate_in_a_dict() -> None:
    """Half an emoji, as it stands in histories that were cut; no UTF-8 text can hold it."""
    request = REQUEST | {"messages": [{"role": "user", "content": "cut \ud83e here"}]}
    escaped = json.dumps(request).encode()
    translator = Translator()
    assert translator.request(request).dict() == translator.request(escaped).dict()


@pytest.mark.parametrize("body", [None, 7, [REQUEST], ("a",), object()])
def test_other_types_are_type_errors(body: object) -> None:
    with pytest.raises(TypeError, match="bytes, str or dict"):
        Translator().request(body)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", float("nan"), float("inf")])
def test_values_that_json_does_not_have(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Translator().request(REQUEST | {"temperature": value})


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"seed": 2**128}])
def test_seeds_that_do_not_fit(arguments: dict[str, int]) -> None:
    with pytest.raises(OverflowError):
        Translator().request(REQUEST, **arguments)


@pytest.mark.parametrize("arguments", [{"models": "one"}, {"session": 7}, {"seed": "7"}])
def test_options_of_other_types(arguments: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        Translator().request(REQUEST, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b"", "", b"{", "[]", b"\xff", b'{"messages":[]}\0', {}, b"[" * 100_000])
def test_bad_requests(body: object) -> None:
    with pytest.raises(TranslateError) as raised:
        Translator().request(body)  # type: ignore[arg-type]
    assert raised.value.status == 400


def test_backends_that_are_not_known() -> None:
    for make in (lambda: Translator("nowhere"), lambda: RequestContext.for_model("m", "nowhere")):
        with pytest.raises(ConfigError, match="mlx-lm") as raised:
            make()
        assert raised.value.kind == "config"


def test_the_version() -> None:
    from importlib.metadata import version

    assert anyclaude.__version__ == version("anyclaude")
