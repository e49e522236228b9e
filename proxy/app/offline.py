"""A generation without network and without starting anything: known are the tools of documents that are here, and
those of vendored catalogs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from proxy.app.local import open_live
from proxy.app.locking import vendored_catalogs
from proxy.config import Config, LoadedConfig
from proxy.config.semantics.tools import is_readable, reasons
from proxy.workspace import Generation


@dataclass(frozen=True, slots=True)
class OfflineView:
    """`absent`: by connection, why its tools are not known."""

    generation: Generation
    absent: Mapping[str, str]


@asynccontextmanager
async def open_offline(
    loaded: LoadedConfig, env: Mapping[str, str], *, online: bool = False
) -> AsyncIterator[OfflineView]:
    """What a valid config decides of the tools that are known; `online` asks every source. Raises `WrongSource`."""
    assert loaded.config is not None, "only a valid config decides anything"
    vendored = await asyncio.to_thread(vendored_catalogs, loaded)
    part = loaded if online else replace(loaded, config=local_part(loaded.config, vendored))
    async with open_live(part, env, asks_vendored=online) as live:
        generation = live.current
        yield OfflineView(replace(generation, config=loaded.config), _absent(loaded.config, generation))


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
