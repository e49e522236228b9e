"""Tests marked `specs` need the servers that `make specs` installs from npm; without them they are not part of the
run, and the header says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integrations.mcp.npm import absent


def pytest_report_header() -> str:
    return "" if not absent() else "NOT RUN: MCP servers from npm (`make specs` installs them)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not absent():
        return
    here = Path(__file__).parent
    lacking = [item for item in items if here in item.path.parents and item.get_closest_marker("specs")]
    if lacking:
        items[:] = [item for item in items if item not in lacking]
        config.hook.pytest_deselected(items=lacking)
