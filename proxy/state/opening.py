"""Opening the store that the config names."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from integrations.base import Secret
from proxy.config.redis_address import RedisForm
from proxy.state.base import State
from proxy.state.keys import KeyRing
from proxy.state.memory import MemoryState
from proxy.state.records import StateUnavailable
from proxy.tasks import TaskSupervisor

if TYPE_CHECKING:
    from proxy.config.model import StateBackend


@asynccontextmanager
async def open_state(
    backend: StateBackend,
    *,
    path: Path | None = None,
    url: Secret | None = None,
    keys: Sequence[Secret] = (),
    clock: Callable[[], float] | None = None,
    tasks: TaskSupervisor | None = None,
    form: RedisForm | None = None,
) -> AsyncIterator[State]:
    """The store, until the end of the block. Raises `StateUnavailable` when it cannot be used, and says why.

    `path` is sqlite's file, `url` Redis, `form` how that is run. `keys`, newest first: both need at least one; see
    `keys.split_keys` for several in one secret and `keys.minted_key` for one in a file beside the store. `clock` gives
    seconds since 1970; None: the system's, or with redis the server's. `tasks` owns what the store runs in the
    background.
    """
    if backend == "memory":
        yield MemoryState(clock=clock or time.time)
        return
    ring = _ring(keys)
    # Imported here: who uses one store does not wait for the other's client to load.
    if backend == "sqlite":
        from proxy.state.sqlite import SqliteOptions, open_sqlite

        assert path is not None
        async with open_sqlite(path, ring, clock or time.time, SqliteOptions()) as state:
            yield state
        return
    from proxy.state.redis import RedisOptions, open_redis

    assert url is not None
    form = form or RedisForm()
    options = RedisOptions(limit_seconds=form.limit_seconds)
    async with open_redis(url, ring, options, clock, tasks, form) as state:
        yield state


def _ring(keys: Sequence[Secret]) -> KeyRing:
    try:
        return KeyRing(keys)
    except ValueError as error:
        raise StateUnavailable(f"The store is encrypted, and {error}. Set `state.encryption_key`.") from error
