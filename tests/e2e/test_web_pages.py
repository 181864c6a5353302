"""What a page in the user's browser can do to the proxy beside it: nothing."""

import json
from urllib.parse import urlsplit

import httpx
import pytest

from support import messages
from support.browser import EVIL, Site, dump, visit
from support.replies import Answer

# Whatever a browser shows to a page of an answer that the page may not read.
UNREADABLE = ("failed: TypeError", "opaque 0 ", "failed: refused", "sent: true", "submitted")


@pytest.fixture
def site():
    """Start hostile sites."""
    sites: list[Site] = []

    def start(rebound: str = "") -> Site:
        sites.append(Site(rebound))
        return sites[-1]

    yield start
    for one in sites:
        one.stop()


def attack(site: Site, page: str, tmp_path) -> dict[str, str]:
    visit(page, tmp_path / "profile", site.reported)
    print(json.dumps(site.report, indent=1))
    return site.report


def test_the_page_can_attack(site, tmp_path):
    """Against a server that lets everyone in, all of it works; or the tests below would prove nothing."""
    careless, hostile = site(), site()
    report = attack(hostile, hostile.page(EVIL, f"http://127.0.0.1:{careless.port}"), tmp_path)
    readable = {name for name, came in report.items() if "scripted" in came}
    assert readable == {
        "post json", "post text", "post with a key", "count tokens", "read models", "read status", "read health",
        "switch, json"}
    assert careless.got.count("POST /v1/messages") == 6, "fetch, with and without CORS, beacon and form"
    assert careless.got.count("POST /anyclaude/backend") == 3


@pytest.mark.parametrize("host,sandbox", [(EVIL, False), ("127.0.0.1", False), ("localhost", False), (EVIL, True)],
                         ids=["another host", "another port", "localhost", "origin null"])
def test_pages_of_another_origin(backend, proxy, site, tmp_path, host, sandbox):
    backend.script(lambda *_: Answer("for nobody else"))
    hostile = site()
    report = attack(hostile, hostile.page(host, proxy.url, sandbox=sandbox), tmp_path)
    assert [came for came in report.values() if not came.startswith(UNREADABLE)] == []
    assert backend.exchanges == []
    unmoved(backend, proxy)


def test_a_rebound_name(backend, proxy, site, tmp_path):
    """To the browser page and proxy are one origin, so it lets the page read: the proxy has to refuse by the Host."""
    backend.script(lambda *_: Answer("for nobody else"))
    hostile = site(rebound=proxy.url)
    report = attack(hostile, hostile.page(EVIL, f"http://{EVIL}:{hostile.port}"), tmp_path)
    readable = {name: came for name, came in report.items() if not came.startswith(UNREADABLE)}
    assert len(readable) == 11, "the page has read what the proxy said"
    for name, came in readable.items():
        assert came.startswith("basic 403 ") and "scripted" not in came and "for nobody" not in came, (name, came)
    assert backend.exchanges == []
    unmoved(backend, proxy)


def test_a_link_to_a_rebound_name(proxy, tmp_path):
    port = urlsplit(proxy.url).port
    shown = dump(f"http://{EVIL}:{port}/v1/models", tmp_path / "profile")
    assert "permission_error" in shown and "scripted" not in shown
    assert "scripted" in dump(f"{proxy.url}/v1/models", tmp_path / "other profile"), "the user's own look is fine"


def test_an_origin_that_was_allowed(backend, start_proxy, site, tmp_path):
    """The same page, let in by name, gets its answers; the control door has a key of its own."""
    backend.script(lambda *_: Answer("for a friend"))
    hostile = site()
    proxy = start_proxy(allowed_origins=f"http://{EVIL}:{hostile.port}")
    report = attack(hostile, hostile.page(EVIL, proxy.url), tmp_path)
    assert "for a friend" in report["post json"] and "scripted" in report["read models"]
    for name in ("read status", "switch, json"):
        assert " 403 " in report[name] or report[name].startswith("failed"), report[name]
        assert backend.url not in report[name]
    assert messages.post(proxy.url, messages.request()).text == "for a friend", "not switched"


@pytest.mark.parametrize("origin", [None, "http://friend.test", "http://other.test", "null"])
def test_only_an_allowed_origin_is_named(backend, start_proxy, origin):
    proxy = start_proxy(allowed_origins="http://friend.test")
    headers = {"origin": origin} if origin else {}
    asked = {**headers, "access-control-request-method": "POST", "access-control-request-headers": "content-type,x-api-key"}
    for got in (httpx.get(f"{proxy.url}/v1/models", headers=headers, trust_env=False),
                httpx.options(f"{proxy.url}/v1/messages", headers=asked, trust_env=False)):
        allowed = got.headers.get("access-control-allow-origin")
        assert allowed == ("http://friend.test" if origin == "http://friend.test" else None)
        assert "access-control-allow-credentials" not in got.headers


def unmoved(backend, proxy) -> None:
    """The backend is the same as before."""
    assert messages.post(proxy.url, messages.request()).text == "for nobody else"
    assert len(backend.exchanges) == 1
