"""The Anthropic side: requests in the clients' shape, and their answers."""

import json
import time

import httpx

from .assembly import Assembly, Reply, check_error, check_message, frames

HEADERS = {"x-api-key": "client-secret", "anthropic-version": "2023-06-01", "content-type": "application/json"}
BASH = {
    "name": "Bash",
    "description": "Run a command",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}


def request(text: str = "hi", **keys) -> dict:
    return {"model": "claude-opus-5-5", "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **keys}


def post(url: str, body, *, stream: bool = False, headers: dict | None = None, timeout: float = 60) -> Reply:
    """POST /v1/messages; `body` is a dict, or bytes as they are."""
    if isinstance(body, dict):
        body = json.dumps({**body, "stream": stream}).encode()
    with httpx.Client(timeout=timeout, trust_env=False) as client:
        headers = {**HEADERS, **(headers or {})}
        with client.stream("POST", f"{url}/v1/messages", content=body, headers=headers) as answer:
            return read(answer)


def read(answer: httpx.Response) -> Reply:
    reply = Reply(answer.status_code, answer.headers)
    assert answer.headers.get("request-id"), "an answer without request-id"
    if not answer.headers["content-type"].startswith("text/event-stream"):
        body = json.loads(answer.read())
        if answer.status_code == 200:
            reply.message = check_message(body)
        else:
            reply.error = check_error(body)
        return reply
    assert answer.status_code == 200
    try:
        for event in frames(answer.iter_lines()):
            reply.times.append(time.monotonic())
            reply.events.append(event)
    except httpx.RemoteProtocolError as error:
        reply.cut = str(error)
    Assembly(reply).run()
    return reply
