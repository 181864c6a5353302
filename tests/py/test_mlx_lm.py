"""`anyclaude.mlx_lm` in a scripted server of the shape of mlx-lm's; tests/e2e has the real one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest

import anyclaude
import anyclaude.mlx_lm
import anyclaude.vllm_mlx
from asgi_host import REQUEST, STOP, chunk
from mlx_server import Generator, Script, module, raw, served

BODY = json.dumps(REQUEST).encode()
WHOLE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}


def hello(handler: Any) -> None:
    handler.events(b": keepalive 1/2\n\n", chunk(role="assistant"), chunk(content="Hel"), chunk(content="lo"), STOP)


def generated(handler: Any) -> None:
    """As mlx-lm's: its tokens come from the generator, which is told when nobody wants more."""
    context, tokens = handler.response_generator.generate("request", "args", progress_callback=lambda *_: None)
    try:
        whole = "".join(tokens)
        handler.events(chunk(content=whole), STOP)
    finally:
        context.stop()


class Running:
    """The server with anyclaude in it."""

    def __init__(self, script: Script, **settings: Any) -> None:
        self.server, self.generator = module(script)
        self.bodies: list[Any] = self.server.APIHandler.bodies
        # The prefix cache goes into real servers only: tests/kv and tests/e2e have them.
        anyclaude.mlx_lm.install(self.server, cache="off", **settings)

    def __enter__(self) -> Running:
        self._served = served(self.server, self.generator)
        self.port = self._served.__enter__()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=10)
        return self

    def __exit__(self, *error: Any) -> None:
        self.client.close()
        self._served.__exit__(*error)

    def post(self, body: Any = None, path: str = "/v1/messages?beta=true", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(REQUEST if body is None else body).encode()
        return self.client.post(path, content=content, headers=headers)


def test_a_stream() -> None:
    with Running(hello) as running:
        answer = running.post(Origin="http://page")
        assert answer.status_code == 200 and answer.http_version == "HTTP/1.1"
        assert answer.headers["transfer-encoding"] == "chunked" and answer.headers["connection"] == "close"
        assert answer.headers["access-control-allow-origin"] == "http://page"
        assert answer.headers["request-id"].startswith("req_")
        assert '"text":"Hel"' in answer.text and answer.text.count("message_start") == 2
        assert "message_stop" in answer.text and "keepalive" not in answer.text
        assert running.bodies[0]["model"] == "default_model"


def test_an_old_client_gets_no_chunks() -> None:
    with Running(hello) as running:
        request = b"POST /v1/messages HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
        head, _, body = raw(running.port, request).partition(b"\r\n\r\n")
        assert b"chunked" not in head.lower() and body.startswith(b"event: message_start\n")


def test_whole_answers_and_counts() -> None:
    message = {"role": "assistant", "content": "Hello"}
    with Running(lambda handler: handler.answer(200, {"choices": [{"message": message, "finish_reason": "stop"}]})) as it:
        answer = it.post({**REQUEST, "stream": False})
        assert answer.json()["content"] == [{"type": "text", "text": "Hello"}]
        assert answer.headers["content-length"] == str(len(answer.content))
        assert "Hello" in it.post().text
        count = it.post(path="/v1/messages/count_tokens")
        assert count.json()["input_tokens"] > 0 and count.headers["x-anyclaude-token-count"] == "estimated"


def test_the_rest_is_the_servers() -> None:
    with Running(hello) as running:
        assert running.client.get("/v1/models").json() == {"path": "/v1/models"}
        assert running.post(path="/v1/completions").json() == {"path": "/v1/completions"}
        assert "keepalive" in running.post(path="/v1/chat/completions").text
        refused = running.client.get("/v1/messages")
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"", b"", 411),
        (b"Content-Length: x\r\n", b"", 400),
        (b"Content-Length: -1\r\n", b"", 400),
        ("Content-Length: ²\r\n".encode("latin-1"), b"", 400),
        (b"Content-Length: 99999999999999999999\r\n", b"", 413),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", b"", 413),
        (b"Content-Length: " + b"0" * 5000 + b"2\r\n", b"{}", 400),
        (b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", 411),
        (b"Content-Length: 2\r\n", b"{}", 400),
        (b"Content-Length: 1\r\n", b"{", 400),
        (b"Content-Length: 4\r\n", b"\xff\xfe\x00\x01", 400),
    ],
)
def test_hostile_requests(head: bytes, body: bytes, status: int) -> None:
    with Running(hello) as running:
        answer = raw(running.port, b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n" + body)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "error"
        assert running.bodies == [] and running.post().status_code == 200


def test_errors() -> None:
    with Running(lambda handler: handler.answer(404, {"error": "Repository Not Found for url"})) as running:
        answer = running.post()
        assert answer.status_code >= 400 and answer.json()["request_id"] == answer.headers["request-id"]

    def raises(handler: Any) -> None:
        raise KeyError("secret")

    with Running(raises) as running:
        answer = running.post()
        assert answer.status_code == 500 and "KeyError" in answer.text and "secret" not in answer.text

    def breaks(handler: Any) -> None:
        handler.events(chunk(content="Hel"))
        raise KeyError("secret")

    with Running(breaks) as running:
        answer = running.post()
        assert answer.status_code == 200 and "event: error" in answer.text and "secret" not in answer.text
    with Running(lambda handler: None) as running:
        assert running.post().status_code == 502


def test_a_refused_parameter_is_left_out() -> None:
    def script(handler: Any) -> None:
        if "stream_options" in handler.body:
            handler.answer(400, {"error": {"message": "Unrecognized request argument: stream_options"}})
        else:
            hello(handler)

    with Running(script) as running:
        assert "message_stop" in running.post().text
        assert ["stream_options" in body for body in running.bodies] == [True, False]


def test_pings_while_the_server_reads() -> None:
    with Running(generated, commit_after=0.02, ping_interval=0.05) as running:
        with running.client.stream("POST", "/v1/messages", content=BODY) as answer:
            seen = ""
            for line in answer.iter_lines():
                seen += line
                if seen.count('"ping"') == 2:
                    running.generator.go_on.set()
        assert "Hello" in seen and "message_stop" in seen


def test_silence_in_the_middle_ends_in_an_error() -> None:
    def script(handler: Any) -> None:
        handler.events(chunk(content="Hel"))
        generated(handler)

    with Running(script, commit_after=0.02, ping_interval=0.05, stall_timeout=0.3) as running:
        answer = running.post()
        assert "silent for 0.3 s" in answer.text and '"ping"' in answer.text
        assert running.generator.stopped.wait(5), "it goes on for nobody"


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_stops_the_model(stream: bool) -> None:
    with Running(generated) as running:
        body = json.dumps({**REQUEST, "stream": stream}).encode()
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.sendall(b"POST /v1/messages HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            assert running.generator.asked.wait(5) and not running.generator.stopped.is_set()
        assert running.generator.stopped.wait(5)


def test_a_server_that_goes_on_after_its_error_is_stopped() -> None:
    def script(handler: Any) -> None:
        try:
            handler.events(chunk(content="Hel"), b'data: {"error":{"message":"out of memory"}}\n\n')
            generated(handler)
        except ConnectionError:
            stopped.set()
            raise

    stopped = threading.Event()
    with Running(script) as running:
        assert "out of memory" in running.post().text
        assert stopped.wait(5), "it goes on for nobody"


def test_a_clock_with_nothing_to_do_rests() -> None:
    with Running(lambda handler: (time.sleep(0.5), handler.answer(200, WHOLE)), commit_after=0) as running:
        begun = time.process_time()
        assert running.post({**REQUEST, "stream": False}).json()["content"] == [{"type": "text", "text": "Hello"}]
        assert time.process_time() - begun < 0.25


def test_the_window_of_the_model_that_the_server_was_started_with(tmp_path: Path) -> None:
    """Clients of chat completions may have had another one loaded before."""
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 128}')
    provider = SimpleNamespace(
        cli_args=SimpleNamespace(model=str(tmp_path)),
        model_key=("other", None, None),
        tokenizer=SimpleNamespace(chat_template="other"),
    )
    with Running(hello) as running:
        told: list[tuple[Any, ...]] = []
        door = running.server.APIHandler.anyclaude
        door.api = Told(door.api, told)
        running.generator.model_provider = provider
        assert running.post().status_code == 200 and told == []
        provider.model_key, provider.tokenizer = (str(tmp_path), None, None), SimpleNamespace(chat_template="own")
        for _ in range(2):
            assert running.post().status_code == 200
        assert told == [("default_model", b'{"max_position_embeddings": 128}', "own")]


class Told:
    """The API, which writes down what it is told."""

    def __init__(self, api: Any, told: list[tuple[Any, ...]]) -> None:
        self._api, self._told = api, told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def told_model(self, *given: Any) -> None:
        self._told.append(given)
        self._api.told_model(*given)


@pytest.mark.parametrize(
    "settings",
    [
        {"commit_after": -1}, {"ping_interval": "5s"}, {"stall_timeout": 0}, {"max_body_bytes": -5},
        {"tols": "x", "cache": "off"}, {"cache": {"memory": "x"}},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    server, _ = module(hello)
    plain = server.APIHandler
    with pytest.raises(anyclaude.ConfigError, match=next(iter(settings))):
        anyclaude.mlx_lm.install(server, **settings)
    assert server.APIHandler is plain


def test_side_by_side() -> None:
    together = 6
    barrier = threading.Barrier(together)

    def script(handler: Any) -> None:
        barrier.wait(5)
        hello(handler)

    with Running(script) as running:
        answers: list[str] = []
        threads = [threading.Thread(target=lambda: answers.append(running.post().text)) for _ in range(together)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == together and all("message_stop" in answer for answer in answers)
    assert not [thread for thread in threading.enumerate() if thread.name == "anyclaude-clock"]


def test_a_server_of_another_shape() -> None:
    server, _ = module(hello)
    with pytest.raises(anyclaude.ConfigError, match=r"no ResponseGenerator, LRUPromptCache, .* \(cache='off'\)"):
        anyclaude.mlx_lm.install(server)
    assert anyclaude.mlx_lm.install(server, cache="off") is None
    once = server.APIHandler
    anyclaude.mlx_lm.install(server, cache="off")
    assert server.APIHandler is once, "a second call does nothing"
    with pytest.raises(anyclaude.ConfigError, match=r"no APIHandler, .* was tried with mlx-lm 0\.32\.2"):
        anyclaude.mlx_lm.install(ModuleType("other"))
    with pytest.raises(anyclaude.ConfigError, match=r"no APIHandler, .* in 'x'; "):
        anyclaude.mlx_lm.install("x")  # type: ignore[arg-type]
    del server.APIHandler, once
    plain, _ = module(hello)
    del plain.APIHandler._set_cors_headers
    with pytest.raises(anyclaude.ConfigError, match="no _set_cors_headers in APIHandler"):
        anyclaude.mlx_lm.install(plain)


@pytest.mark.parametrize("name", ["mlx_lm", "vllm_mlx"])
def test_without_the_server(name: str) -> None:
    package = name.replace("_", "-")
    with pytest.raises(anyclaude.ConfigError, match=f"pip install '{package}==") as raised:
        getattr(anyclaude, name).install()
    assert raised.value.kind == "config"
    done = subprocess.run(
        [sys.executable, "-m", f"anyclaude.{name}", "serve", "model"], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.startswith(f"anyclaude: {package} is not installed")
