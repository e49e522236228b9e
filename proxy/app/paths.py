"""Where this process keeps what is not config: the minted token, known origins, the cache of compiled documents."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path


class NoDirectory(OSError):
    """Neither the environment nor the account names a directory to keep things in."""

    def __init__(self) -> None:
        super().__init__(
            0,
            "HOME is not set and this user has no home: set EXECUTOR_STATE_DIR to a directory that can be written",
        )


def state_dir(env: Mapping[str, str]) -> Path:
    """`EXECUTOR_STATE_DIR`, else `executor` under XDG_STATE_HOME (XDG Base Directory Specification). Absolute: what is
    printed of it is read in other directories too. Raises `NoDirectory`."""
    if named := env.get("EXECUTOR_STATE_DIR"):
        return Path(os.path.abspath(named))
    return _base(env, "XDG_STATE_HOME", ".local/state") / "executor"


def origins_dir(env: Mapping[str, str]) -> Path | None:
    """What is remembered of where fetched documents send calls. Whoever deletes it accepts what they say next. None
    where there is no directory: then the process remembers for itself."""
    try:
        return state_dir(env) / "origins"
    except NoDirectory:
        return None


def cache_dir(env: Mapping[str, str]) -> Path | None:
    """May be deleted at any time. Under `EXECUTOR_STATE_DIR` when that is set, else under XDG_CACHE_HOME. None where
    there is no directory: what a cache saves is done at each start."""
    if env.get("EXECUTOR_STATE_DIR"):
        return state_dir(env) / "cache"
    try:
        return _base(env, "XDG_CACHE_HOME", ".cache") / "executor"
    except NoDirectory:
        return None


def _base(env: Mapping[str, str], variable: str, fallback: str) -> Path:
    named = env.get(variable, "")
    # The specification tells us to ignore relative paths.
    if Path(named).is_absolute():
        return Path(named)
    return _home(env) / fallback


def _home(env: Mapping[str, str]) -> Path:
    """`HOME`, else the account's own; never the working directory, which may be a checkout that tokens would be
    committed to. Raises `NoDirectory`."""
    if home := env.get("HOME"):
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise NoDirectory() from None
