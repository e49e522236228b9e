"""Directories by environment."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from proxy.app.paths import cache_dir, state_dir

# Without HOME things are kept in the account's home, never in the working directory (field recipe 24).
OWN = pwd.getpwuid(os.getuid()).pw_dir


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
        ({}, f"{OWN}/.local/state/executor", f"{OWN}/.cache/executor"),
        ({"HOME": ""}, f"{OWN}/.local/state/executor", f"{OWN}/.cache/executor"),
    ],
)
def test_places(env: dict[str, str], state: str, cache: str) -> None:
    assert (state_dir(env), cache_dir(env)) == (Path(state), Path(cache))
