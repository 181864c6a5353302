"""The proxy as a server: what it says besides answers, and what it does about clients that leave."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from support import messages
from support.assembly import check_error
from support.process import Server
from support.replies import Answer, Status, Steps, delta_frame, error

SLOW = Answer("Too late.", first_byte_after=30)
MIDDLE = Steps([delta_frame({"role": "assistant"}), delta_frame({"content": "One"}), "stall"])


def test_head_and_health(backend, proxy):
    with httpx.Client(base_url=proxy.url, trust_env=False) as client:
        assert client.head("/").status_code == 200
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 200
        answer = client.get("/v1/models?limit=1000")
        assert answer.elapsed.total_seconds() < 1
    assert answer.json()["data"][0].keys() >= {"type", "id", "display_name", "created_at"}


def test_ready_says_when_the_backend_is_away(start_proxy):
    away = start_proxy("http://127.0.0.1:1/v1")
    assert httpx.get(f"{away.url}/health/live", trust_env=False).status_code == 200
    assert httpx.get(f"{away.url}/health/ready", trust_env=False).status_code == 503


@pytest.mark.parametrize("method,path", [
    ("POST", "/v1/files"), ("GET", "/v1/files"), ("POST", "/v1/messages/batches"), ("GET", "/v1/messages/batches/b1"),
    ("POST", "/v1/complete"), ("GET", "/nowhere"),
])
def test_what_is_not_there_is_a_404_in_the_right_shape(backend, proxy, method, path):
    answer = httpx.request(method, proxy.url + path, json={} if method == "POST" else None, trust_env=False)
    assert answer.status_code == 404
    assert check_error(answer.json())["type"] == "not_found_error"
    assert answer.headers["request-id"]
    assert backend.exchanges == []


@pytest.mark.parametrize("path", ["/api/event_logging/batch", "/api/claude_code/metrics", "/api/hello"])
def test_telemetry_goes_nowhere(backend, proxy, path):
    answer = httpx.post(proxy.url + path, json={"events": []}, trust_env=False)
    assert answer.status_code == 200
    assert backend.exchanges == [] and backend.others == []


@pytest.mark.parametrize("header", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_web_pages_are_refused(backend, proxy, header):
    reply = messages.post(proxy.url, messages.request(), headers=header)
    assert (reply.status, reply.error["type"]) == (403, "permission_error")
    assert backend.exchanges == []


def test_inbound_token(backend, start_proxy):
    backend.script(Answer("In."), Answer("In."))
    proxy = start_proxy(env={"ANYCLAUDE_INBOUND_TOKEN": "open-sesame"})
    assert messages.post(proxy.url, messages.request()).status == 401
    assert messages.post(proxy.url, messages.request(), headers={"x-api-key": "open-sesame"}).text == "In."
    bearer = {"x-api-key": "", "authorization": "Bearer open-sesame"}
    assert messages.post(proxy.url, messages.request(), headers=bearer).text == "In."
    for exchange in backend.exchanges:
        assert "open-sesame" not in json.dumps(exchange.request.headers)


def test_the_backend_gets_its_own_key(backend, start_proxy):
    backend.script(Answer("In."))
    messages.post(start_proxy(key="backend-key").url, messages.request())
    assert backend.exchanges[0].request.headers["authorization"] == "Bearer backend-key"


def test_the_model_that_was_chosen(backend, start_proxy):
    backend.script(Answer("In."))
    messages.post(start_proxy(model="my-model").url, messages.request())
    assert backend.exchanges[0].body["model"] == "my-model"


def test_many_at_once_do_not_mix(backend, proxy):
    """Each of 40 clients gets the answer to its own question."""

    def echo(request, _number):
        return Answer(f"You said {request.json['messages'][-1]['content']}.", first_byte_after=0.2, pieces=9)

    backend.script(echo)
    with ThreadPoolExecutor(40) as pool:
        replies = list(pool.map(lambda n: messages.post(proxy.url, messages.request(f"<{n}>"), stream=True), range(40)))
    assert [reply.text for reply in replies] == [f"You said <{n}>." for n in range(40)]


def test_port_in_use(backend, proxy, tmp_path):
    port = urlsplit(proxy.url).port
    second = Server([*proxy.command[:-1], str(port)], tmp_path / "second.log")
    second.process.wait(5)
    code = second.stop()
    assert code not in (0, None) and str(port) in second.errors() and second.output == []


def test_safeguards_and_local_paths_stay_here(backend, proxy):
    """The strict backend refuses the request if any of it gets through."""
    backend.script(Answer("Fine."))
    extra = {"safeguards": [{"type": "dangerous_tool_use", "classifier_context": {"live_cwd": "/home/me/secret"}}],
             "metadata": {"user_id": "{\"device_id\": \"d3vice\"}"}, "diagnostics": {}, "some_new_key": [1]}
    assert messages.post(proxy.url, messages.request(**extra)).text == "Fine."
    sent = json.dumps(backend.exchanges[0].body)
    assert "/home/me/secret" not in sent and "d3vice" not in sent


# ---- silence


def test_pings_through_a_silent_backend(backend, proxy):
    backend.script(Answer("At last.", first_byte_after=2))
    start = time.monotonic()
    reply = messages.post(proxy.url, messages.request(), stream=True)
    assert reply.text == "At last." and reply.ended
    assert reply.names[0] == "message_start" and reply.times[0] - start < 0.9, "the head comes early"
    assert reply.names.count("ping") >= 3
    gaps = [later - earlier for earlier, later in zip(reply.times, reply.times[1:])]
    assert max(gaps) < 0.9, "no longer silence than a ping interval, and a bit"


def test_pings_between_pieces(backend, start_proxy):
    proxy = start_proxy(ping_interval="300ms", stall_timeout="5s")
    backend.script(Steps([delta_frame({"content": "One"}), 1.2, delta_frame({"content": " two"}, "stop"),
                          b"data: [DONE]\n\n", "end"]))
    reply = messages.post(proxy.url, messages.request(), stream=True)
    assert reply.text == "One two" and reply.names.count("ping") >= 2


@pytest.mark.parametrize("reply", [
    error(400, "no"), error(429, "slow down"), Status(503, {"error": {"message": "loading"}}),
], ids=["400", "429", "503"])
def test_quick_refusals_keep_their_status(backend, proxy, reply):
    backend.script(lambda *_: reply)
    start = time.monotonic()
    got = messages.post(proxy.url, messages.request(), stream=True)
    assert got.status == reply.code and time.monotonic() - start < 0.3


# ---- clients that leave


@pytest.mark.parametrize("reply,stream,leave_after", [
    (SLOW, True, 0.1), (SLOW, True, 0.8), (MIDDLE, True, 0.5), (SLOW, False, 0.5),
], ids=["before the head", "before the first byte", "mid-stream", "non-stream"])
def test_client_gone(backend, start_proxy, reply, stream, leave_after):
    proxy = start_proxy(commit_after="300ms")  # a long stall timeout: only the client's leaving ends this
    backend.script(reply)
    left = leave(proxy.url, {**messages.request(), "stream": stream}, leave_after)
    [exchange] = backend.exchanges
    backend.wait_for(lambda: exchange.client_left, 2)
    assert exchange.client_left - left < 1, "the backend still worked for a client that had gone"


def leave(url: str, body: dict, seconds: float) -> float:
    """Send a request, read what comes for some seconds, close the connection; when that was."""
    where = urlsplit(url)
    data = json.dumps(body).encode()
    head = (f"POST /v1/messages HTTP/1.1\r\nhost: {where.netloc}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(data)}\r\n\r\n")
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(head.encode() + data)
        time.sleep(seconds)
    return time.monotonic()


def test_one_failure_does_not_spoil_the_next(backend, proxy):
    """There is only one backend: giving up on it after failures would give up altogether."""
    backend.script(lambda _request, number: Steps(["reset"], head=False) if number < 20 else Answer("Back again."))
    statuses = [messages.post(proxy.url, messages.request()).status for _ in range(21)]
    assert statuses[0] == 502 and statuses[-1] == 200, statuses
