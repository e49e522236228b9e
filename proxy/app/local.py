"""The parts that commands without a server need: one generation, opened and closed around a block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from integrations.http import HttpClient
from proxy.app.build import build_generation
from proxy.app.locking import lock_state, vendored_catalogs
from proxy.app.paths import cache_dir, origins_dir
from proxy.config import LoadedConfig
from proxy.config.secrets import Resolver
from proxy.connections import Connections
from proxy.live import Live
from proxy.lock.records import Records


@asynccontextmanager
async def open_live(
    loaded: LoadedConfig, env: Mapping[str, str], *, asks_vendored: bool = True
) -> AsyncIterator[Live]:
    """A live generation of `loaded`, without sandbox, server or reload. Without `asks_vendored` the vendored catalogs
    are all that is known of what has one. Raises `WrongSource`, `LockProblem`."""
    assert loaded.config is not None
    cache = cache_dir(env)
    vendored = await asyncio.to_thread(vendored_catalogs, loaded)
    async with (
        HttpClient() as http,
        Connections(
            http, Resolver(env), cache, origins_dir=origins_dir(env), asks_vendored=asks_vendored
        ) as connections,
    ):
        opened = await connections.open(loaded.config, loaded.directories, vendored=vendored)
        live = Live(lambda _: connections.release(opened.keys))
        lock = await asyncio.to_thread(lock_state, loaded, opened, Records(cache))
        live.swap(build_generation(loaded, opened, 1, lock=lock))
        try:
            yield live
        finally:
            live.close()
