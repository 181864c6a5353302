"""The route to Anthropic: nothing is translated, so nothing may change, in neither direction."""

import gzip
import json
import threading
import time

import httpx
import pytest

from support import messages
from support.anthropic_server import OWN_SIGNATURE, AnthropicServer, Raw, answer, body, chunked
from support.assembly import check_error
from support.claude import Claude
from support.history import text_of
from support.proxy import anyclaude
from support.replies import Answer

HOP_BY_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}
FINE = body(200, b'{"type": "message"}')


@pytest.fixture
def far():
    """The server in Anthropic's place."""
    server = AnthropicServer()
    yield server
    server.stop()
    assert not server.violations, server.violations


@pytest.fixture
def passing(far, start_proxy):
    return start_proxy(far.url, backend="anthropic", commit_after="300ms", ping_interval="300ms")


def send(url: str, method: str, path: str, content: bytes | None = None, headers: dict | list | None = None):
    """Request and answer with raw bytes; no header but the given ones and those of the connection."""
    with httpx.Client(timeout=20, trust_env=False) as client:
        client.headers.clear()
        request = client.build_request(method, url + path, content=content, headers=headers)
        answer = client.send(request, stream=True)
        return request, answer, b"".join(answer.iter_raw())


def fields(raw: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Header lines that mean something to the other end; names without case, values as they are."""
    pairs = [(name.decode().lower(), value.decode()) for name, value in raw]
    return sorted(pair for pair in pairs if pair[0] not in HOP_BY_HOP)


ODD_JSON = ('{ "model":"claude-opus-5-5",\t"max_tokens" : 1.0e2, "b":1, "a":{"z":null,"z":2}, "x":"\\u00e9\\/é",\n'
            '"messages":[{"content":"hi","role":"user"}] , "stream":false}\r\n').encode()
THINKING = json.dumps(messages.request() | {"messages": [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "real-a=="}, {"type": "text", "text": "Hello"}]},
    {"role": "user", "content": "go on"},
]}).encode()
JSON = {"content-type": "application/json", "x-api-key": "sk-ant-api03-abc"}
REQUESTS = {
    "odd JSON": ("POST", "/v1/messages?beta=true&x=%2F+%20", ODD_JSON, JSON),
    "thinking of its own": ("POST", "/v1/messages", THINKING, JSON),
    "no JSON": ("POST", "/v1/messages", b"not JSON \xff\x00", JSON),
    "compressed": ("POST", "/v1/messages", gzip.compress(ODD_JSON), {**JSON, "content-encoding": "gzip"}),
    "count": ("POST", "/v1/messages/count_tokens?beta=true", ODD_JSON, JSON),
    "batch": ("POST", "/v1/messages/batches", b'{"requests":[]}', JSON),
    "file": ("POST", "/v1/files", b'--x\r\ncontent-disposition: form-data; name="file"\r\n\r\n\x00\xff\r\n--x--\r\n',
             {"content-type": "multipart/form-data; boundary=x"}),
    "models": ("GET", "/v1/models?limit=1000&after_id=a%2Fb", None, {}),
    "escapes in the path": ("GET", "/v1/models/a%2Fb%20c", None, {}),
    "delete": ("DELETE", "/v1/files/file_1", None, {}),
    "telemetry": ("POST", "/api/event_logging/batch", b'{"events":[]}', JSON),
    "unknown": ("PUT", "/v2/what/ever/?", b"x" * 100_000, {}),
    "root": ("GET", "/", None, {}),
}
CLIENT = [("authorization", "Bearer sk-ant-oat01-secret"), ("anthropic-beta", "oauth-2025-04-20,some-new-beta-2027"),
          ("anthropic-beta", "and-another"), ("anthropic-version", "2023-06-01"), ("X-Stainless-Lang", "js"),
          ("user-agent", "claude-cli/2.1.330 (external, cli)"), ("accept-encoding", "gzip, br"), ("x-empty", "")]


@pytest.mark.parametrize("what", REQUESTS)
def test_requests_arrive_as_they_were_sent(far, passing, what):
    far.script(lambda *_: FINE)
    method, path, content, headers = REQUESTS[what]
    request, got, _ = send(passing.url, method, path, content, [*CLIENT, *headers.items()])
    assert got.status_code == 200
    [exchange] = far.exchanges
    assert (exchange.request.method, exchange.request.path) == (method, path)
    assert exchange.request.body == (content or b"")
    arrived = [tuple(part.strip().encode() for part in line.split(":", 1)) for line in exchange.request.lines]
    assert fields(arrived) == fields(request.headers.raw)
    assert exchange.request.headers["host"] == f"127.0.0.1:{far.port}"


OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}'
LIMITED = b'{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed"}}'
EVENTS = answer("Grüße", thinking="Hm.")
ANSWERS = {
    "message": body(200, b'{ "type" : "message",\n"new":[1.0] }', request_id="req_1"),
    "overloaded": body(529, OVERLOADED, x_should_retry="true", request_id="req_1"),
    "rate limit": body(429, LIMITED, retry_after="17", anthropic_ratelimit_unified_status="rejected",
                       anthropic_ratelimit_unified_reset="1790000000"),
    "bad key": body(401, b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'),
    "too long": body(400, b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1"}}'),
    "html": body(502, b"<html>bad gateway</html>", content_type="text/html"),
    "redirect": body(302, b"", location="https://elsewhere.example/"),
    "gzip": body(200, gzip.compress(OVERLOADED), content_encoding="gzip"),
    "no content": Raw([b"HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n"]),
    "stream": chunked([b"".join(EVENTS)]),
    "stream in odd pieces": chunked([b"".join(EVENTS)[at : at + 7] for at in range(0, len(b"".join(EVENTS)), 7)]),
    "stream in gzip": Raw([b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n"
                           b"connection: close\r\n\r\n", gzip.compress(b"".join(EVENTS))], close=True),
    "error event": chunked([EVENTS[0], b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n']),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_answers_arrive_as_they_were_sent(far, passing, what):
    """The same request straight to the server and through the proxy: nobody can tell them apart."""
    far.script(lambda *_: ANSWERS[what])
    content = json.dumps(messages.request(stream=True)).encode()
    _, straight, expected = send(far.url, "POST", "/v1/messages", content, JSON)
    _, through, got = send(passing.url, "POST", "/v1/messages", content, JSON)
    assert (through.status_code, got) == (straight.status_code, expected)
    given = fields(straight.headers.raw)
    added = [pair for pair in fields(through.headers.raw) if pair not in given]
    assert {name for name, _ in added} <= {"date", "request-id"} - {name for name, _ in given}, "what was missing"
    assert sorted(set(fields(through.headers.raw)) - set(added)) == sorted(set(given))
    assert len(through.headers.raw) - len(added) >= len(given), "a line twice is two lines"


def test_head(far, passing):
    far.script(lambda *_: Raw([b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\nx-a: b\r\n\r\n"]))
    _, got, data = send(passing.url, "HEAD", "/v1/models", headers=JSON)
    assert (got.status_code, got.headers["content-length"], got.headers["x-a"], data) == (200, "1234", "b", b"")


def test_events_are_passed_on_at_once_and_silence_stays_silent(far, passing):
    """No pings of ours in a stream that is not ours, and no event waits for the next."""
    far.script(chunked([EVENTS[0], 1.5, *EVENTS[1:]]))
    arrived: list[tuple[float, bytes]] = []
    start = time.monotonic()
    with httpx.stream("POST", f"{passing.url}/v1/messages", json=messages.request(stream=True), headers=JSON,
                      trust_env=False) as got:
        for piece in got.iter_raw():
            arrived.append((time.monotonic() - start, piece))
    assert arrived[0][0] < 0.7 and arrived[0][1] == EVENTS[0]
    assert arrived[1][0] > 1.4 and b"".join(piece for _, piece in arrived) == b"".join(EVENTS)


def test_a_slow_head_is_waited_for(far, passing):
    """The status is the server's, however late: here nothing is committed early."""
    far.script(Raw([1.5, *body(429, LIMITED, retry_after="3").pieces]))
    content = json.dumps(messages.request(stream=True)).encode()
    _, got, data = send(passing.url, "POST", "/v1/messages", content, JSON)
    assert got.status_code == 429 and got.headers["retry-after"] == "3" and data == LIMITED


def test_a_cut_stream_is_cut(far, passing):
    far.script(Raw([*chunked(EVENTS[:3]).pieces[:-1]], close=True))
    with pytest.raises(httpx.RemoteProtocolError):
        send(passing.url, "POST", "/v1/messages", b"{}", JSON)


def test_a_client_that_leaves(far, passing):
    far.script(chunked([EVENTS[0], 60.0]))
    with httpx.stream("POST", f"{passing.url}/v1/messages", json=messages.request(stream=True), headers=JSON,
                      trust_env=False) as got:
        next(got.iter_raw())
        left = time.monotonic()
    far.wait_for(lambda: far.exchanges[0].client_left, 3)
    assert far.exchanges[0].client_left - left < 1


def test_nobody_there(start_proxy):
    proxy = start_proxy("http://127.0.0.1:1", backend="anthropic")
    reply = messages.post(proxy.url, messages.request())
    assert (reply.status, reply.error["type"]) == (502, "api_error") and "127.0.0.1:1" in reply.error["message"]


# ---- who asks


def test_the_login_of_the_user_is_kept(far, passing):
    far.script(lambda *_: FINE)
    send(passing.url, "POST", "/v1/messages", b"{}", {"authorization": "Bearer sk-ant-oat01-abc"})
    send(passing.url, "POST", "/v1/messages", b"{}", {"x-api-key": "sk-ant-api03-abc"})
    one, two = (exchange.request.headers for exchange in far.exchanges)
    assert one["authorization"] == "Bearer sk-ant-oat01-abc" and "x-api-key" not in one
    assert two["x-api-key"] == "sk-ant-api03-abc" and "authorization" not in two


def test_a_key_of_the_proxy(far, start_proxy):
    far.script(lambda *_: FINE)
    proxy = start_proxy(far.url, backend="anthropic", key="sk-ant-own")
    send(proxy.url, "POST", "/v1/messages", b"{}", {"authorization": "Bearer anyclaude"})
    headers = far.exchanges[0].request.headers
    assert headers["x-api-key"] == "sk-ant-own" and "authorization" not in headers


@pytest.mark.parametrize("headers", [{"authorization": "Bearer anyclaude"}, {"x-api-key": "anyclaude"}, {},
                                     {"authorization": "Bearer anyclaude", "x-api-key": ""}],
                         ids=["bearer", "key", "none", "an empty key"])
def test_the_placeholder_is_no_login(far, passing, headers):
    """A session that was launched for a local server has no login: its user reads how to get one."""
    _, got, data = send(passing.url, "POST", "/v1/messages", b"{}", headers)
    error = check_error(json.loads(data))
    assert (got.status_code, error["type"]) == (403, "permission_error")
    assert "--key-env" in error["message"] and "--backend anthropic" in error["message"], error
    assert far.exchanges == []


def test_web_pages_are_refused_here_too(far, passing):
    for header in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
        _, got, _ = send(passing.url, "GET", "/v1/models", headers=header)
        assert got.status_code == 403
    assert far.exchanges == []


def test_the_inbound_token_stays_here(far, start_proxy):
    far.script(lambda *_: FINE)
    proxy = start_proxy(far.url, backend="anthropic", key="sk-ant-own", env={"ANYCLAUDE_INBOUND_TOKEN": "open-sesame"})
    send(proxy.url, "POST", "/v1/messages", b"{}", {"authorization": "Bearer open-sesame"})
    assert "open-sesame" not in json.dumps(far.exchanges[0].request.headers)
    _, got, _ = send(proxy.url, "POST", "/v1/messages", b"{}", {"authorization": "Bearer wrong"})
    assert got.status_code == 401 and len(far.exchanges) == 1


# ---- thinking of other servers


OWN = '{"type":"thinking","thinking":"of a local model \\u00e9","signature":"%s"}' % OWN_SIGNATURE
REAL = '{ "type":"thinking", "thinking":"Hm.", "signature":"real-a==" }'
CUTS = {
    "first": ('[%s,{"type":"text","text":"a"}]' % OWN, '[{"type":"text","text":"a"}]'),
    "last": ('[{"type":"text","text":"a"} , %s]' % OWN, '[{"type":"text","text":"a"}]'),
    "beside real": ('[%s,%s,{"type":"text","text":"a"}]' % (REAL, OWN), '[%s,{"type":"text","text":"a"}]' % REAL),
    "two": ('[%s,%s, {"type":"text","text":"a"}]' % (OWN, OWN), '[{"type":"text","text":"a"}]'),
}


@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("what", CUTS)
def test_own_thinking_is_cut(far, passing, what, path):
    """And nothing else: around it every byte is the client's."""
    far.script(lambda *_: FINE)
    given, left = CUTS[what]
    start = '{"max_tokens":9, "x":1.50,\n"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":'
    end = '},{"role":"user","content":"%s"}],"model":"m"} ' % OWN_SIGNATURE
    send(passing.url, "POST", path, (start + given + end).encode(), JSON)
    [exchange] = far.exchanges
    got = exchange.request.body.decode()
    assert got.startswith(start) and got.endswith(end)
    middle = got[len(start) : -len(end)]
    assert json.loads(middle) == json.loads(left)
    assert REAL not in left or REAL in middle
    assert exchange.request.headers["content-length"] == str(len(got.encode()))


def test_own_thinking_alone(far, passing):
    """A message without blocks would be refused, too; the server's check fails the test then."""
    far.script(lambda *_: FINE)
    request = messages.request() | {"messages": [
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": [json.loads(OWN)]},
        {"role": "user", "content": "go on"}]}
    _, got, _ = send(passing.url, "POST", "/v1/messages", json.dumps(request).encode(), JSON)
    assert got.status_code == 200 and OWN_SIGNATURE not in far.exchanges[0].request.body.decode()


def test_own_thinking_in_a_compressed_body(far, passing):
    far.script(lambda *_: FINE)
    request = messages.request() | {"messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [json.loads(OWN), {"type": "text", "text": "a"}]},
        {"role": "user", "content": "go on"}]}
    send(passing.url, "POST", "/v1/messages", gzip.compress(json.dumps(request).encode()),
         {**JSON, "content-encoding": "gzip"})
    arrived = far.exchanges[0].request
    data = gzip.decompress(arrived.body) if arrived.headers.get("content-encoding") == "gzip" else arrived.body
    assert OWN_SIGNATURE not in data.decode() and json.loads(data)["messages"][1]["content"] == [
        {"type": "text", "text": "a"}]


# ---- a session that changes its server


def test_a_session_moves_there_and_back(backend, far, start_proxy, tmp_path):
    """Claude Code goes on in the same conversation; each side gets what it can read, and no login leaves its own."""
    proxy = start_proxy()
    claude = Claude(proxy.url, tmp_path / "claude")
    backend.script(
        Answer("I look.", thinking="A local thought.", tools=[("Bash", {"command": "echo one"})]),
        Answer("Local one.", thinking="Another local thought."), Answer("Local two."))
    far.script(lambda request, _: chunked(answer("Far.", thinking="A far thought.")))

    def use(*arguments: str) -> None:
        done = anyclaude("use", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done

    first = claude.run("First.", tools="Bash")
    assert first.text == "Local one.", first
    use("anthropic", "--backend-url", far.url)
    second = claude.run("Second.", options=("--continue",))
    assert not second.failed and second.text == "Far.", second
    use("openai", "--backend-url", backend.url)
    third = claude.run("Third.", options=("--continue",))
    assert not third.failed and third.text == "Local two.", third
    use("anthropic", "--backend-url", far.url)
    fourth = claude.run("Fourth.", options=("--continue",))
    assert not fourth.failed and fourth.text == "Far.", fourth

    early, late = (exchange for exchange in far.exchanges if exchange.request.method == "POST")
    assert "local thought" not in early.request.body.decode()
    assert "A far thought." in late.request.body.decode(), "its own thinking is back, with its signature"
    assert early.request.headers["x-api-key"] == "client-secret"
    assert "x-anthropic-billing-header" in early.request.body.decode(), "what Anthropic asks for stays"
    assert "Far." in json.dumps(backend.exchanges[-1].messages) and "Second." in json.dumps(backend.exchanges[-1].messages)
    assert text_of(backend.exchanges[-1].messages[-1]).endswith("Third.")


def test_switching_during_an_answer(backend, far, start_proxy, tmp_path):
    """The answer that has begun is brought to its end by the server that began it."""
    proxy = start_proxy()
    backend.script(Answer("From here.", first_byte_after=1))
    far.script(lambda *_: chunked(answer("From there.")))
    replies: list[messages.Reply] = []
    client = threading.Thread(
        target=lambda: replies.append(messages.post(proxy.url, messages.request(), stream=True)))
    client.start()
    backend.wait_for(lambda: backend.exchanges)
    assert anyclaude("use", "anthropic", "--backend-url", far.url, cwd=tmp_path).returncode == 0
    assert messages.post(proxy.url, messages.request(), stream=True).text == "From there."
    client.join(10)
    assert replies[0].text == "From here." and replies[0].ended


@pytest.mark.parametrize("flags,model", [((), "claude-listed-5"), (("--model", "claude-named-5"), "claude-named-5")])
def test_doctor_live_asks_for_a_model_that_is_there(far, tmp_path, flags, model):
    listed = body(200, json.dumps({"data": [{"type": "model", "id": "claude-listed-5"}]}).encode())
    far.script(lambda request, _: chunked(answer("Yes.")) if request.method == "POST" else listed)
    anyclaude("doctor", "--live", "--json", "--backend", "anthropic", "--backend-url", far.url, *flags, cwd=tmp_path,
              env={"ANYCLAUDE_API_KEY": "sk-ant-own"})
    asked = [exchange.request.json["model"] for exchange in far.exchanges if exchange.request.method == "POST"]
    assert asked and set(asked) == {model}
