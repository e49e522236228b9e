"""What tests of several packages share: the cache, so that every document is compiled once a run. Nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled documents; all xdist workers of a run share them."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    cache = base / "shared-cache"
    cache.mkdir(mode=0o700, exist_ok=True)
    return cache


@pytest.fixture
def env(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables that name a state directory of this test alone: servers on one state file go on with each other's
    executions."""
    state = tmp_path_factory.mktemp("state")
    (state / "cache").symlink_to(cache, target_is_directory=True)
    return {"EXECUTOR_STATE_DIR": str(state)}
