"""The parts that commands without a server need: one generation, opened and closed around a block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from integrations.http import HttpClient
from proxy.app.build import build_generation
from proxy.app.locking import lock_file, lock_state, vendored_catalogs
from proxy.app.paths import cache_dir, origins_dir
from proxy.config import LoadedConfig
from proxy.config.secrets import Resolver
from proxy.connections import Connections, Opened
from proxy.live import Live
from proxy.lock.file import LockFile
from proxy.lock.records import Records
from proxy.lock.state import LockState


@asynccontextmanager
async def open_live(
    loaded: LoadedConfig, env: Mapping[str, str], *, asks_vendored: bool = True
) -> AsyncIterator[Live]:
    """A live generation of `loaded`, without sandbox, server or reload. Without `asks_vendored` the vendored catalogs
    are all that is known of what has one. Raises `WrongSource`, `LockProblem`."""
    reviewed = await asyncio.to_thread(lock_file, loaded)
    async with open_sources(loaded, env, reviewed, asks_vendored=asks_vendored) as (opened, lock):
        live = Live(lambda _: None)
        live.swap(build_generation(loaded, opened, 1, lock=lock))
        try:
            yield live
        finally:
            live.close()


@asynccontextmanager
async def open_sources(
    loaded: LoadedConfig,
    env: Mapping[str, str],
    reviewed: LockFile | None,
    *,
    asks_vendored: bool,
    records: Records | None = None,
) -> AsyncIterator[tuple[Opened, LockState | None]]:
    """The connections of a valid config, and how their tools compare with what was reviewed. Raises `WrongSource`."""
    assert loaded.config is not None
    cache = cache_dir(env)
    vendored = vendored_catalogs(loaded, reviewed)
    async with (
        HttpClient() as http,
        Connections(
            http, Resolver(env), cache, origins_dir=origins_dir(env), asks_vendored=asks_vendored
        ) as connections,
    ):
        opened = await connections.open(loaded.config, loaded.directories, vendored=vendored)
        try:
            yield (
                opened,
                await asyncio.to_thread(lock_state, loaded, reviewed, opened, records or Records(cache)),
            )
        finally:
            connections.release(opened.keys)
