"""What tests of several packages share: a state directory, so that every document is compiled once a run."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest


@pytest.fixture(scope="session")
def env(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables that name the state directory, with the cache in it; all xdist workers of a run share it."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return {"EXECUTOR_STATE_DIR": str(base / "state")}
