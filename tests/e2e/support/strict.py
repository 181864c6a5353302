"""What OpenAI-compatible servers are known to refuse, all of it in one place, and what must not leak to them.

A server of unknown kind may apply any of these rules, so a request has to pass them all.
"""

import json
import re

from .http1 import Request

# The request keys of OpenAI's chat completions reference.
KEYS = set("""
    messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens
    max_tokens metadata modalities n parallel_tool_calls prediction presence_penalty prompt_cache_key
    prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream
    stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options
""".split())
ROLES = {"system", "developer", "user", "assistant", "tool"}
PARTS = {"text", "image_url", "file", "input_audio", "video_url"}

# Text that is meant for Anthropic's own servers, or holds local paths, or is binary in disguise.
LEAKS = {
    "the attribution line": re.compile(r"x-anthropic-billing-header"),
    "a placeholder tool": re.compile(r'"DeferredToolPlaceholder"'),
    "a safeguards key": re.compile(r'"classifier_context"|"safeguards"'),
    "a cache_control key": re.compile(r'"cache_control"'),
}
# How base64 of a PDF, a PNG and a JPEG starts.
BINARY_TEXT = ("JVBERi0", "iVBORw0KGgo", "/9j/4AAQ")
CLIENT_SECRET = "client-secret"


def violations(request: Request, chat_path: str) -> list[str]:
    if request.path != chat_path or request.method != "POST":
        return [f"{request.method} {request.path}"]
    try:
        body = json.loads(request.body)
    except ValueError as error:
        return [f"body is no JSON: {error}"]
    found = list(top_level(body))
    found += tools(body)
    found += messages(body.get("messages"))
    found += leaks(request)
    return found


def top_level(body: dict):
    for key in sorted(body.keys() - KEYS):
        yield f"unknown key {key}"
    if not isinstance(body.get("model"), str) or not body["model"]:
        yield "no model"
    for key in ("max_tokens", "max_completion_tokens"):
        if key in body and (not isinstance(body[key], int) or body[key] < 1):
            yield f"{key} is {body[key]!r}"
    if "stream_options" in body and not body.get("stream"):
        yield "stream_options without stream"
    for key in ("temperature", "top_p", "stop", "tools", "tool_choice", "response_format", "stream_options"):
        if key in body and body[key] is None:
            yield f"{key} is null"


def tools(body: dict):
    if "tools" not in body:
        for key in ("tool_choice", "parallel_tool_calls"):
            if key in body:
                yield f"{key} without tools"
        return
    if not body["tools"]:
        yield "tools is empty"
    names = [tool.get("function", {}).get("name") for tool in body["tools"]]
    for name in {name for name in names if names.count(name) > 1}:
        yield f"two tools named {name}"
    for tool in body["tools"]:
        if tool.get("type") != "function" or not tool.get("function", {}).get("name"):
            yield f"no function tool: {str(tool)[:80]}"
        extra = (tool.keys() - {"type", "function"}) | (
            tool.get("function", {}).keys() - {"name", "description", "parameters", "strict"})
        if extra:
            yield f"tool with keys {sorted(extra)}"


def messages(history):
    if not isinstance(history, list) or not history:
        yield "no messages"
        return
    waiting: list[str] = []  # calls whose results have to come next
    for index, message in enumerate(history):
        role, at = message.get("role"), f"messages[{index}]"
        if role not in ROLES:
            yield f"{at}: role {role!r}"
        if role in ("system", "developer") and index > 0:
            yield f"{at}: {role} message after the start"
        yield from content(message, at)
        if role == "tool":
            if message.get("tool_call_id") in waiting:
                waiting.remove(message["tool_call_id"])
            else:
                yield f"{at}: result without its call"
            continue
        if waiting:
            yield f"{at}: calls {waiting} have no results before this message"
        waiting = []
        for call in message.get("tool_calls") or []:
            waiting.append(call.get("id"))
            yield from arguments(call, at)
        if message.get("tool_calls") == []:
            yield f"{at}: tool_calls is empty"
        if len(set(waiting)) < len(waiting):
            yield f"{at}: two calls with one id"
    if waiting:
        yield f"calls {waiting} have no results"


def content(message: dict, at: str):
    value = message.get("content")
    if value is None and not (message.get("role") == "assistant" and message.get("tool_calls")):
        yield f"{at}: content is null"
    if message.get("role") == "tool" and not value:
        yield f"{at}: empty tool result"
    if isinstance(value, list):
        if not value:
            yield f"{at}: content is an empty list"
        for part in value:
            if part.get("type") not in PARTS:
                yield f"{at}: content part {part.get('type')!r}"
            if any(mark in str(part.get("text", "")) for mark in BINARY_TEXT):
                yield f"{at}: a file as base64 text"
    elif isinstance(value, str):
        if any(mark in value for mark in BINARY_TEXT):
            yield f"{at}: a file as base64 text"
    elif value is not None:
        yield f"{at}: content is a {type(value).__name__}"


def arguments(call: dict, at: str):
    if call.get("type") != "function" or not call.get("id") or not call.get("function", {}).get("name"):
        yield f"{at}: no function call: {call}"
    text = call.get("function", {}).get("arguments")
    try:
        if not isinstance(json.loads(text), dict):
            raise TypeError
    except (TypeError, ValueError):
        yield f"{at}: arguments are no JSON object: {text!r}"


def leaks(request: Request):
    text = request.body.decode("utf-8", "replace")
    for what, pattern in LEAKS.items():
        if pattern.search(text):
            yield f"leaks {what}"
    for name, value in request.headers.items():
        if CLIENT_SECRET in value or name == "x-api-key" or name.startswith(("anthropic-", "x-claude", "x-stainless")):
            yield f"leaks the client's header {name}"
