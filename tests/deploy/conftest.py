"""Tests marked `promtool` need that program; `make monitoring` fetches it. Without it the run says what it left out."""

from __future__ import annotations

import pytest

from tests.deploy.promtool import promtool

MISSING = (
    "promtool: MISSING. The tests marked `promtool` are not part of this run; `make monitoring` fetches it"
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if promtool() is None:
        terminalreporter.write_line(MISSING, yellow=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if promtool() is not None:
        return
    absent = [item for item in items if item.get_closest_marker("promtool")]
    items[:] = [item for item in items if not item.get_closest_marker("promtool")]
    if absent:
        config.hook.pytest_deselected(items=absent)
