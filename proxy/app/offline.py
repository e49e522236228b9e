"""A generation without network and without starting anything: known are the tools of documents that are here, and
those of vendored catalogs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from proxy.app.build import build_generation
from proxy.app.local import open_sources
from proxy.app.locking import lock_file, vendored_catalogs
from proxy.config import Config, LoadedConfig
from proxy.config.semantics.tools import is_readable, reasons
from proxy.connections import Opened
from proxy.lock.records import Records
from proxy.workspace import Generation

_NOTHING: Final = Opened({}, {}, ())


@dataclass(frozen=True, slots=True)
class OfflineView:
    """`absent`: by connection, why its tools are not known. `opened`: the sources of those that are."""

    generation: Generation
    absent: Mapping[str, str]
    opened: Opened = _NOTHING


@asynccontextmanager
async def open_offline(
    loaded: LoadedConfig, env: Mapping[str, str], *, online: bool = False, records: Records | None = None
) -> AsyncIterator[OfflineView]:
    """What a valid config decides of the tools that are known; `online` asks every source. `records`: those of another
    view, to be shared. Raises `WrongSource`, `LockProblem`."""
    config = loaded.config
    assert config is not None, "only a valid config decides anything"
    reviewed = await asyncio.to_thread(lock_file, loaded)
    vendored = vendored_catalogs(loaded, reviewed)
    part = loaded if online else replace(loaded, config=local_part(config, vendored))
    async with open_sources(part, env, reviewed, asks_vendored=online, records=records) as (opened, lock):
        generation = build_generation(part, opened, 1, lock=lock, with_report=False)
        yield OfflineView(replace(generation, config=config), _absent(config, generation), opened)


def local_part(config: Config, vendored: Container[str]) -> Config:
    """The config with the connections only whose tools are known from files."""
    readable = {name for name, one in config.integrations.items() if is_readable(one)}
    kept = {
        key: one
        for key, one in config.connections.items()
        if key in vendored or key.partition(".")[0] in readable
    }
    return config.model_copy(update={"connections": kept})


def _absent(config: Config, generation: Generation) -> dict[str, str]:
    known = {one.prefix: one for one in generation.connections if one.upstream is not None}
    failed = {
        one.prefix: str(one.status.get("error") or one.status["status"])
        for one in generation.connections
        if one.upstream is None
    }
    return {prefix: failed.get(prefix, why) for prefix, why in reasons(config).items() if prefix not in known}
