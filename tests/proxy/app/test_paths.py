"""Directories by environment."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from proxy.app.paths import NoDirectory, cache_dir, origins_dir, state_dir

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


def test_without_a_home_only_what_must_be_kept_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert (cache_dir({}), origins_dir({})) == (None, None)
    with pytest.raises(NoDirectory, match="EXECUTOR_STATE_DIR"):
        state_dir({})
