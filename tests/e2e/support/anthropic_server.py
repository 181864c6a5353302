"""A server in the place of Anthropic's: records every byte, answers in raw bytes, and refuses foreign thinking."""

import json
from dataclasses import dataclass

from .backend import Backend
from .http1 import Connection, Request
from .replies import Reply

OWN_SIGNATURE = "YW55Y2xhdWRlLXYx"


@dataclass
class Raw:
    """An answer as it stands on the wire: bytes and, between them, pauses in seconds."""

    pieces: list[bytes | float]
    close: bool = False

    async def play(self, connection: Connection, _request: Request) -> None:
        for piece in self.pieces:
            if isinstance(piece, bytes):
                connection.send(piece)
            else:
                await connection.pause(piece)
        if self.close:
            connection.close()


class AnthropicServer(Backend):
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def other(self, _request: Request) -> Reply | None:
        return None  # every request is one of the script's

    def check(self, request: Request) -> list[str]:
        """Anthropic knows its own signatures; thinking with any other is refused, and so is an empty message."""
        if not request.path.startswith("/v1/messages") or request.headers.get("content-encoding"):
            return []
        try:
            messages = request.json["messages"]
        except (ValueError, KeyError, TypeError):
            return []
        found = []
        for index, message in enumerate(messages):
            content = message["content"]
            if not content:
                found.append(f"messages.{index}: content is empty")
            for block in content if isinstance(content, list) else []:
                if block.get("type") == "thinking" and not block.get("signature", "").startswith("real-"):
                    found.append(f"messages.{index}: Invalid `signature` in `thinking` block: {block}")
        return found


def body(code: int, data: bytes, **headers: str) -> Raw:
    """An answer with a length."""
    fields = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = [f"HTTP/1.1 {code} Raw", *(f"{name}: {value}" for name, value in fields.items()),
            f"content-length: {len(data)}", "", ""]
    return Raw(["\r\n".join(head).encode() + data])


def event(kind: str, **fields) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def answer(text: str, thinking: str = "") -> list[bytes]:
    """The events of an answer; its thinking has a signature that only this server takes."""
    start = {"id": "msg_real", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": [],
             "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1}}
    events = [event("message_start", message=start)]
    blocks = [({"type": "thinking", "thinking": "", "signature": ""}, [
        {"type": "thinking_delta", "thinking": thinking}, {"type": "signature_delta", "signature": "real-signature=="},
    ])] if thinking else []
    blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": text}]))
    for index, (block, deltas) in enumerate(blocks):
        events.append(event("content_block_start", index=index, content_block=block))
        events += [event("content_block_delta", index=index, delta=delta) for delta in deltas]
        events.append(event("content_block_stop", index=index))
    events.append(event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
                        usage={"input_tokens": 10, "output_tokens": 5}))
    return [*events, event("message_stop")]


STREAM_HEAD = (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nrequest-id: req_raw\r\n"
               b"cf-ray: 1\r\ncf-ray: 2\r\ntransfer-encoding: chunked\r\n\r\n")


def chunked(pieces: list[bytes | float]) -> Raw:
    wire = [b"%x\r\n%s\r\n" % (len(piece), piece) if isinstance(piece, bytes) else piece for piece in pieces]
    return Raw([STREAM_HEAD, *wire, b"0\r\n\r\n"])
