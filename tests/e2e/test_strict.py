"""The strict backend itself: it must refuse what it claims to refuse, or the other tests prove nothing."""

import errno
import json
import os
import socket

import pytest

from support.http1 import Request
from support.strict import violations

PATH = "/v1/chat/completions"
USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "Bash", "description": "d", "parameters": {"type": "object"}}}
CALL = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "c1", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "done"}
GOOD = {"model": "m", "max_tokens": 5, "tools": [TOOL], "tool_choice": "auto", "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "system", "content": "s"}, USER, CALL, RESULT]}


def found(body, path=PATH, headers=None) -> list[str]:
    return violations(Request("POST", path, headers or {}, json.dumps(body).encode()), PATH)


def test_a_good_request_passes():
    assert found(GOOD) == []


def with_messages(*history) -> dict:
    return {**GOOD, "messages": list(history)}


def call(**function) -> dict:
    return {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


BAD = {
    "Anthropic's system": {**GOOD, "system": "s"},
    "stop_sequences": {**GOOD, "stop_sequences": ["x"]},
    "extra_body": {**GOOD, "extra_body": {}},
    "thinking": {**GOOD, "thinking": {"type": "adaptive"}},
    "max_tokens": {**GOOD, "max_tokens": 0},
    "stream_options": {**GOOD, "stream": False},
    "empty tools": {**GOOD, "tools": []},
    "choice without tools": {"model": "m", "messages": [USER], "tool_choice": "auto"},
    "parallel without tools": {"model": "m", "messages": [USER], "parallel_tool_calls": True},
    "two tools of one name": {**GOOD, "tools": [TOOL, TOOL]},
    "tool with input_schema": {**GOOD, "tools": [{**TOOL, "input_schema": {}}]},
    "tool with defer_loading": {**GOOD, "tools": [
        {"type": "function", "function": {**TOOL["function"], "defer_loading": True}}]},
    "nested cache_control": with_messages({"role": "user", "content": [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}),
    "late system": with_messages(USER, {"role": "system", "content": "s"}),
    "two system": with_messages({"role": "system", "content": "s"}, {"role": "system", "content": "s"}, USER),
    "role": with_messages({"role": "function", "content": "x"}),
    "unanswered call": with_messages(USER, CALL, USER),
    "unanswered last call": with_messages(USER, CALL),
    "result after user text": with_messages(USER, CALL, USER, RESULT),
    "result without call": with_messages(USER, RESULT),
    "empty result": with_messages(USER, CALL, {**RESULT, "content": ""}),
    "null result": with_messages(USER, CALL, {**RESULT, "content": None}),
    "null content": with_messages({"role": "user", "content": None}),
    "null assistant": with_messages(USER, {"role": "assistant", "content": None}, USER),
    "broken arguments": with_messages(USER, call(name="Bash", arguments="{"), RESULT),
    "list arguments": with_messages(USER, call(name="Bash", arguments="[]"), RESULT),
    "object arguments": with_messages(USER, call(name="Bash", arguments={}), RESULT),
    "content part": with_messages({"role": "user", "content": [{"type": "image", "source": {}}]}),
    "PDF as text": with_messages({"role": "user", "content": "JVBERi0xLjQK"}),
    "attribution": with_messages({"role": "user", "content": "x-anthropic-billing-header: cc_version=1"}),
}


@pytest.mark.parametrize("what", BAD)
def test_refused(what):
    assert found(BAD[what])


@pytest.mark.parametrize("path", ["/v1/v1/chat/completions", "/v1/messages/count_tokens", "/v1/messages"])
def test_other_paths_are_refused(path):
    assert found(GOOD, path)


@pytest.mark.parametrize("headers", [
    {"authorization": "Bearer client-secret"}, {"x-api-key": "k"}, {"anthropic-version": "2023-06-01"}])
def test_the_clients_headers_are_refused(headers):
    assert found(GOOD, headers=headers)


# In CI the isolation must work, so there the test is never skipped.
ISOLATED = os.environ.get("ANYCLAUDE_E2E_NETWORK") == "loopback" or os.environ.get("CI") == "true"


@pytest.mark.skipif(not ISOLATED, reason="no network namespace")
def test_nothing_leaves_this_machine():
    with socket.socket() as outside, pytest.raises(OSError) as refused:
        outside.settimeout(1)
        outside.connect(("192.0.2.1", 80))
    assert refused.value.errno == errno.ENETUNREACH
