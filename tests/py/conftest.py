"""What tests tell at the end of a run."""

from __future__ import annotations

import pytest

ROUND_TRIPS = pytest.StashKey[list[str]]()


@pytest.fixture
def round_trips(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the report on round trips."""
    return request.config.stash.setdefault(ROUND_TRIPS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash.get(ROUND_TRIPS, []):
        terminalreporter.section("round trips through chat templates")
        for line in lines:
            terminalreporter.line(line)
