"""The state store that the config asks for: opened once at the start, and closed last.

Without a `state` section it is SQLite in the state directory. A key that nobody configured is minted beside the file
(mode 0600): it protects copies of the file that were made without it, such as backups.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.app.options import InvalidConfig
from proxy.app.places import state_dir
from proxy.config import Config
from proxy.config.secrets import Resolver, SecretMissing
from proxy.state import MemoryState, State, StateError
from proxy.state.keys import KeyRing, minted_key, split_keys
from proxy.state.sqlite.store import SqliteOptions, open_sqlite

FILE_NAME = "state.db"
KEY_NAME = "state.key"


@asynccontextmanager
async def open_store(config: Config, env: Mapping[str, str]) -> AsyncIterator[State]:
    """Raises `InvalidConfig` with the reason when it cannot be opened."""
    if config.state.backend == "memory":
        yield MemoryState()
        return
    try:
        path = Path(config.state.path) if config.state.path else state_dir(env) / FILE_NAME
        async with open_sqlite(path, _keys(config, env, path), time.time, SqliteOptions()) as store:
            yield store
    except StateError as error:
        raise InvalidConfig(str(error)) from error


def _keys(config: Config, env: Mapping[str, str], path: Path) -> KeyRing:
    reference = config.state.encryption_key
    try:
        if reference is not None:
            return KeyRing(split_keys(Resolver(env).resolve(reference)))
        return KeyRing([minted_key(path.with_name(KEY_NAME))])
    except (SecretMissing, ValueError, OSError) as error:
        raise InvalidConfig(f"state.encryption_key: {error}") from error
