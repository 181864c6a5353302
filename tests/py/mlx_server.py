"""A module of the shape of `mlx_lm.server`, whose model is a script."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

Script = Callable[[Any], None]


class Generator:
    """Where the handler gets its tokens: `pieces`, each after `rest` says so. Tells whether it was stopped."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.stopped = threading.Event()
        self.go_on = threading.Event()

    def generate(self, request: Any, args: Any, progress_callback: Any = None) -> Any:
        self.asked.set()
        return self, self.tokens(progress_callback)

    def tokens(self, progress: Any) -> Iterator[str]:
        number = 0
        while not self.go_on.wait(0.01):
            progress(number, 100)
            number += 1
        yield from ("Hel", "lo")

    def stop(self) -> None:
        self.stopped.set()


def module(script: Script) -> tuple[ModuleType, Generator]:
    """A server whose chat completions are answered by `script(handler)`, `handler.body` being what was asked."""
    generator = Generator()

    class APIHandler(BaseHTTPRequestHandler):
        bodies: list[Any] = []

        def __init__(self, response_generator: Any, *args: Any, **named: Any) -> None:
            self.response_generator = response_generator
            super().__init__(*args, **named)

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _set_cors_headers(self) -> None:
            self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))

        def handle_chat_completions(self) -> None:
            script(self)

        handle_completion = handle_chat_completions

        def do_POST(self) -> None:
            if self.path != "/v1/chat/completions":
                return self.answer(404, {"path": self.path})
            self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.bodies.append(self.body)
            self.handle_chat_completions()

        def do_GET(self) -> None:
            self.answer(200, {"path": self.path})

        def answer(self, status: int, body: Any) -> None:
            self.send_response(status)
            self.send_header("Content-type", "application/json")
            self._set_cors_headers()
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())
            self.wfile.flush()

        def events(self, *chunks: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-type", "text/event-stream")
            self.end_headers()
            for chunk in chunks:
                self.wfile.write(chunk)
                self.wfile.flush()

    def _run_http_server(host: str, port: int, response_generator: Any, handler_class: Any = APIHandler) -> Any:
        return ThreadingHTTPServer((host, port), lambda *args: handler_class(response_generator, *args))

    server = ModuleType("scripted_server")
    for name, value in {
        "APIHandler": APIHandler, "_run_http_server": _run_http_server, "run": None, "main": None,
    }.items():
        setattr(server, name, value)
    return server, generator


@contextlib.contextmanager
def served(server: Any, generator: Generator) -> Iterator[int]:
    """Its port."""
    http = server._run_http_server("127.0.0.1", 0, generator)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield http.server_address[1]
    finally:
        http.shutdown()
        thread.join(5)
        http.server_close()


def raw(port: int, request: bytes) -> bytes:
    """What comes back for these bytes, until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer
