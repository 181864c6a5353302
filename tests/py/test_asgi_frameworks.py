"""The middleware in real frameworks and behind a real server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from anyclaude.asgi import AnthropicMiddleware
from asgi_host import REQUEST, STOP, Host, chunk


class Model:
    """What the app serves: `pieces` with a rest between them; tells what became of each answer."""

    def __init__(self, pieces: int = 3) -> None:
        self.pieces = pieces
        self.ends: list[str] = []
        self.started = threading.Event()
        self.ended = threading.Event()

    async def speak(self) -> AsyncIterator[bytes]:
        try:
            for number in range(self.pieces):
                self.started.set()
                yield chunk(content=f"piece {number} ")
                await asyncio.sleep(0.01)
            yield STOP
            self.ends.append("complete")
        except (asyncio.CancelledError, GeneratorExit):
            self.ends.append("stopped")
            raise
        finally:
            self.ended.set()


def fastapi_app(model: Model) -> FastAPI:
    async def key(request: Request) -> None:
        if request.headers.get("authorization") != "Bearer key":
            raise HTTPException(401, "Invalid API key")

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"from_lifespan": "here"}

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/chat/completions", dependencies=[Depends(key)])
    async def chat(request: Request) -> Any:
        body = await request.json()
        if body["model"] == "state":
            return JSONResponse({"error": {"message": request.state.from_lifespan}}, 422)
        if not body.get("stream"):
            message = {"role": "assistant", "content": "whole"}
            return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        return StreamingResponse(model.speak(), media_type="text/event-stream")

    @app.get("/v1/models")
    async def models() -> Any:
        return {"data": [{"id": "tiny"}]}

    return app


@contextlib.contextmanager
def served(app: Any, **options: Any) -> Iterator[str]:
    """Behind uvicorn, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            while not server.started:
                assert thread.is_alive()
                thread.join(0.01)
            yield url
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


HEADERS = {"x-api-key": "key", "anthropic-version": "2023-06-01"}


def test_fastapi_behind_uvicorn() -> None:
    model = Model()
    app = fastapi_app(model)
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
    app.add_middleware(GZipMiddleware, minimum_size=1)
    app.add_middleware(AnthropicMiddleware)
    with served(app) as url, httpx.Client(base_url=url, headers=HEADERS, trust_env=False) as client:
        answer = client.post("/v1/messages?beta=true", json=REQUEST)
        assert answer.status_code == 200 and "piece 2" in answer.text and "message_stop" in answer.text
        assert "content-length" not in answer.headers and answer.headers["content-type"].startswith("text/event-stream")
        whole = client.post("/v1/messages", json={**REQUEST, "stream": False}).json()
        assert whole["content"] == [{"type": "text", "text": "whole"}]
        assert client.get("/v1/models").json()["data"][0]["id"] == "tiny"
        refused = client.post("/v1/messages", json={**REQUEST, "model": "state"})
        assert refused.status_code == 400 and "here" in refused.json()["error"]["message"]
        stranger = client.post("/v1/messages", json=REQUEST, headers={"x-api-key": "wrong"})
        assert stranger.status_code >= 400 and "API key" in stranger.json()["error"]["message"]
    assert model.ends == ["complete"]


def test_web_pages_of_other_origins() -> None:
    """The README's order: what is added later is around what was added before."""
    app = fastapi_app(Model())
    app.add_middleware(AnthropicMiddleware)
    origin = {"Origin": "http://page"}
    app.add_middleware(CORSMiddleware, allow_origins=[*origin.values()], allow_methods=["POST"], allow_headers=["*"])
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    with served(app) as url, httpx.Client(base_url=url, headers=origin, trust_env=False) as client:
        allowed = client.options("/v1/messages", headers=asks)
        assert allowed.status_code == 200 and "x-api-key" in allowed.headers["access-control-allow-headers"]
        answers = [allowed, client.post("/v1/messages", json=REQUEST, headers=HEADERS)]
        answers += [client.post("/v1/messages", content=b"{"), client.post("/v1/messages/count_tokens", json=REQUEST)]
        assert [answer.status_code for answer in answers] == [200, 200, 400, 200]
        assert {answer.headers.get("access-control-allow-origin") for answer in answers} == {"http://page"}


def test_a_client_that_leaves() -> None:
    model = Model(pieces=100_000)
    app = fastapi_app(model)
    app.add_middleware(AnthropicMiddleware)
    with served(app) as url:
        with httpx.Client(base_url=url, headers=HEADERS, trust_env=False) as client:
            with client.stream("POST", "/v1/messages", json=REQUEST) as answer:
                for line in answer.iter_lines():
                    if "piece 3" in line:
                        break
        assert model.ended.wait(5)
    assert model.ends == ["stopped"]


def test_in_a_mounted_app_and_around_it() -> None:
    async def ask(app: Any, path: str) -> Host:
        return await Host(app, path=path, headers=[(b"x-api-key", b"key")]).run()

    inner = fastapi_app(Model())
    inner.add_middleware(AnthropicMiddleware)
    outer = Starlette(routes=[Mount("/llm", inner)])
    host = asyncio.run(ask(outer, "/llm/v1/messages"))
    assert host.status == 200 and host.text().startswith("piece 0")

    outer = Starlette(routes=[Mount("/llm", fastapi_app(Model()))])
    around = AnthropicMiddleware(outer, chat_path="/llm/v1/chat/completions", models_path="/llm/v1/models")
    host = asyncio.run(ask(around, "/v1/messages"))
    assert host.status == 200 and host.text().startswith("piece 0")
