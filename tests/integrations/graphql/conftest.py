"""Tests marked `specs` need what `make specs` fetches; without it they are not part of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integrations.graphql.specs import SPECS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SPECS.is_dir():
        return
    here = Path(__file__).parent
    absent = [item for item in items if here in item.path.parents and item.get_closest_marker("specs")]
    if absent:
        items[:] = [item for item in items if item not in absent]
        config.hook.pytest_deselected(items=absent)
