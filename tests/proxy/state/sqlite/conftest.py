"""The contract over a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proxy.state.stores import SqliteStores


@pytest.fixture
def stores(tmp_path: Path) -> SqliteStores:
    return SqliteStores(tmp_path / "state" / "state.db")
