"""What every test may use: a scripted backend, proxies in front of it, and Claude Code behind them."""

import os

import pytest

from support.backend import Backend
from support.claude import Claude
from support.proxy import Proxy, binary
from support.text_answers import models


def pytest_sessionstart() -> None:
    if not binary().exists():
        pytest.exit(f"{binary()} is missing: run `make cli`, or name another in ANYCLAUDE_BINARY", 2)


def pytest_report_header() -> str:
    return f"network: {os.environ.get('ANYCLAUDE_E2E_NETWORK', 'host (use tests/e2e/isolate.py)')}"


@pytest.fixture
def backend():
    """The scripted server; a request that a strict server would refuse fails the test."""
    server = Backend()
    yield server
    server.stop()
    if server.violations:
        pytest.fail("the backend got what strict servers refuse:\n" + "\n".join(server.violations[:20]))


@pytest.fixture
def start_proxy(backend, tmp_path):
    """Start proxies with flags of their own; by default in front of the scripted backend."""
    started: list[Proxy] = []

    def start(url: str = "", **flags) -> Proxy:
        proxy = Proxy(tmp_path / f"proxy-{len(started)}.log", url or backend.url, **flags)
        started.append(proxy)
        return proxy

    yield start
    for proxy in started:
        code = proxy.stop()
        print(f"---- log of {proxy.url} (exit code {code})\n{proxy.errors()}")  # shown when the test fails
        assert code == 0, f"the proxy ended with {code} on SIGTERM"


@pytest.fixture
def proxy(start_proxy) -> Proxy:
    """With short times, so that what they lead to can be seen."""
    return start_proxy(commit_after="300ms", ping_interval="300ms", stall_timeout="1s", connect_timeout="1s")


@pytest.fixture
def claude(proxy, tmp_path) -> Claude:
    return Claude(proxy.url, tmp_path / "claude")


@pytest.fixture
def session(backend, start_proxy, tmp_path):
    """Claude Code with a model of this name behind it."""

    def start(model: str, **flags) -> Claude:
        backend.models = models(model)
        return Claude(start_proxy(**flags).url, tmp_path / "claude")

    return start
