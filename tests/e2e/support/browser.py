"""A real browser without a screen, and a server with a hostile page for it to open."""

import http.client
import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

from .process import clean_env, end_group

EVIL = "evil.test"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    f"--host-resolver-rules=MAP {EVIL} 127.0.0.1",
]
PAGE = Path(__file__).with_name("hostile.html")


def chromium() -> str:
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    assert found, "no Chromium here: run `tests/setup/system.sh clients`"
    return found


def visit(url: str, profile: Path, done: threading.Event, seconds: float = 30) -> None:
    """Open a page in a fresh browser and leave it open until `done`."""
    with profile.with_suffix(".log").open("wb") as log:
        browser = subprocess.Popen([chromium(), *FLAGS, f"--user-data-dir={profile}", url], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, env=clean_env(HOME=str(profile.parent)),
                                   start_new_session=True)
    try:
        assert done.wait(seconds), f"no report from the page; {profile.with_suffix('.log').read_text()[-3000:]}"
    finally:
        end_group(browser)


def dump(url: str, profile: Path) -> str:
    """What a user sees who follows a link."""
    command = [chromium(), *FLAGS, f"--user-data-dir={profile}", "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, timeout=30, env=clean_env(HOME=str(profile.parent)))
    return done.stdout.decode()


class Site:
    """Serves the page, takes its report, and answers everything else to everyone: as no proxy should.

    With `rebound` it hands everything else on, headers and all. To the browser that is one origin, as when the
    page's host name has meanwhile become the name of 127.0.0.1.
    """

    def __init__(self, rebound: str = "") -> None:
        self.rebound = urlsplit(rebound)
        self.got: list[str] = []
        self.report: dict[str, str] = {}
        self.reported = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                site.answer(self)

            do_POST = do_OPTIONS = do_GET

            def log_message(self, *_arguments) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def page(self, host: str, target: str, *, sandbox: bool = False) -> str:
        report = f"http://127.0.0.1:{self.port}/report"
        where = "sandboxed" if sandbox else "page"
        return f"http://{host}:{self.port}/{where}?target={quote(target)}&report={quote(report)}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        path = request.path.split("?")[0]
        if path in ("/page", "/sandboxed"):
            policy = {"content-security-policy": "sandbox allow-scripts allow-forms"} if path == "/sandboxed" else {}
            return reply(request, 200, {"content-type": "text/html", **policy}, PAGE.read_bytes())
        if path == "/report":
            if request.command == "POST":
                self.report = json.loads(body)
                self.reported.set()
            return reply(request, 200, {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}, b"")
        if path == "/favicon.ico":
            return reply(request, 404, {}, b"")
        self.got.append(f"{request.command} {path}")
        if self.rebound.netloc:
            return reply(request, *self.forward(request, body))
        allow = {f"access-control-allow-{what}": "*" for what in ("origin", "headers", "methods")}
        reply(request, 200, {"content-type": "application/json", **allow}, b'{"data": [{"id": "scripted"}]}')

    def forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict, bytes]:
        connection = http.client.HTTPConnection(self.rebound.hostname, self.rebound.port, timeout=10)
        connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        drop = ("transfer-encoding", "content-length", "connection")
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in drop}
        return answer.status, headers, answer.read()


def reply(request: BaseHTTPRequestHandler, status: int, headers: dict, body: bytes) -> None:
    request.send_response(status)
    for name, value in {**headers, "content-length": str(len(body))}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
