"""Exceptions: their classes, their fields, and that nothing else gets out."""

import pickle

import pytest

import anyclaude
from anyclaude import AnyClaudeError, BackendError, ConfigError, InternalError, TranslateError, _native

CONTEXT = anyclaude.RequestContext.for_model("claude-test")


def test_one_class_catches_all() -> None:
    for cls in (ConfigError, TranslateError, BackendError, InternalError):
        assert issubclass(cls, AnyClaudeError)
    assert issubclass(AnyClaudeError, Exception)


def test_a_request_that_cannot_be_understood() -> None:
    with pytest.raises(TranslateError) as raised:
        anyclaude.Translator().request({"model": "m", "max_tokens": 1, "messages": [{"role": 7}]})
    error = raised.value
    assert (error.kind, error.status, error.retryable) == ("invalid_request", 400, False)
    assert "messages[0]" in str(error)
    assert error.api_error == {"type": "error", "error": {"type": "invalid_request_error", "message": str(error)}}


def test_an_answer_that_is_none() -> None:
    with pytest.raises(BackendError) as raised:
        anyclaude.Translator().response(CONTEXT, b"<html>")
    error = raised.value
    assert (error.kind, error.status) == ("backend", 502)
    assert error.api_error["error"]["type"] == "api_error"


def test_a_panic_is_an_ordinary_exception() -> None:
    with pytest.raises(InternalError, match="on purpose") as raised:
        _native._panic("on purpose")
    assert (raised.value.kind, raised.value.status) == ("internal", 500)


def test_errors_survive_pickling() -> None:
    with pytest.raises(ConfigError) as raised:
        anyclaude.Translator("nowhere")
    error = raised.value
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is ConfigError
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_errors_can_be_made_by_hand() -> None:
    error = BackendError("gone", kind="backend", retryable=True, status=503)
    assert error.api_error["error"]["message"] == "gone"
