"""Directories by environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.app.paths import cache_dir, state_dir


@pytest.mark.parametrize(
    ("env", "state", "cache"),
    [
        ({"EXECUTOR_STATE_DIR": "/var/lib/x", "HOME": "/h"}, "/var/lib/x", "/var/lib/x/cache"),
        ({"EXECUTOR_STATE_DIR": "", "HOME": "/h"}, "/h/.local/state/executor", "/h/.cache/executor"),
        ({"XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/s/executor", "/c/executor"),
        (
            {"XDG_STATE_HOME": "s", "XDG_CACHE_HOME": "c", "HOME": "/h"},
            "/h/.local/state/executor",
            "/h/.cache/executor",
        ),
        ({}, ".local/state/executor", ".cache/executor"),
        ({"HOME": ""}, ".local/state/executor", ".cache/executor"),
    ],
)
def test_places(env: dict[str, str], state: str, cache: str) -> None:
    assert (state_dir(env), cache_dir(env)) == (Path(state), Path(cache))
