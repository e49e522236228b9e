"""What the sources of a config offer now, for `executor lock`: asked of all of them, a failure of one stops none."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from integrations import McpLocal, McpRemote
from integrations.base import Toolset
from integrations.http.recorded import RecordingClient
from integrations.mcp.toolset import McpToolset
from proxy.app.paths import cache_dir, origins_dir
from proxy.config import Config, LoadedConfig
from proxy.config.secrets import Resolver
from proxy.connections import Connections
from proxy.connections.opening import WrongSource
from proxy.connections.sources import LoadedSource
from proxy.lock.definition import Offered
from proxy.lock.records import Records
from proxy.lock.vendored import catalog_text


@dataclass(frozen=True, slots=True)
class Offers:
    """By connection: what it offers, its toolset, or why nobody knows. `skipped`: not asked, as somebody wished.
    `catalogs`: what there is to vendor."""

    tools: Mapping[str, Offered]
    toolsets: Mapping[str, Toolset]
    unreached: Mapping[str, str]
    skipped: Mapping[str, str]
    catalogs: Mapping[str, bytes] = field(default_factory=dict)


async def ask_sources(
    loaded: LoadedConfig, env: Mapping[str, str], only: Collection[str] = (), *, launch: bool = True
) -> Offers:
    """Open every connection of a valid config (`only`: of these integrations) and list its tools.

    Without `launch` no local MCP server is started: that runs its code.
    """
    config = loaded.config
    assert config is not None, "only a valid config has sources"
    skipped = dict(_skipped(config, only, launch))
    toolsets: dict[str, Toolset] = {}
    unreached: dict[str, str] = {}
    catalogs: dict[str, bytes] = {}
    async with (
        RecordingClient() as http,
        Connections(http, Resolver(env), cache_dir(env), origins_dir=origins_dir(env)) as connections,
    ):

        async def ask(part: Config) -> None:
            try:
                opened = await connections.open(part, loaded.directories)
            except WrongSource as error:
                unreached.update(dict.fromkeys(part.connections, str(error)))
                return
            for prefix, source in opened.sources.items():
                if source.toolset is None:
                    unreached[prefix] = _reason(opened.connections[prefix].status, source.error)
                else:
                    toolsets[prefix] = source.toolset
                    content = _catalog(config, prefix, source, http)
                    if content is not None:
                        catalogs[prefix] = content

        async with asyncio.TaskGroup() as asking:
            for part in _parts(config, skipped, only):
                asking.create_task(ask(part))
        tools = await asyncio.to_thread(_offered, config, toolsets, Records(cache_dir(env)))
    return Offers(tools, dict(sorted(toolsets.items())), dict(sorted(unreached.items())), skipped, catalogs)


def _catalog(config: Config, prefix: str, source: LoadedSource, http: RecordingClient) -> bytes | None:
    """What a remote source said; None for one that stands in a file."""
    kind = config.integrations[prefix.partition(".")[0]].kind
    if isinstance(source.toolset, McpToolset):
        offer = source.toolset.offer
        return catalog_text(kind, {"offer": offer.as_json()}) if offer is not None else None
    answers = {key: one.as_json() for key, one in http.kept(source.key).items()}
    return catalog_text(kind, {"answers": answers}) if answers else None


def _parts(config: Config, skipped: Mapping[str, str], only: Collection[str]) -> Iterator[Config]:
    """The config cut into one for each integration that is asked."""
    wanted = sorted(one for one in config.connections if one not in skipped and _is_wanted(one, only))
    for _, prefixes in groupby(wanted, key=lambda prefix: prefix.partition(".")[0]):
        yield config.model_copy(update={"connections": {one: config.connections[one] for one in prefixes}})


def _is_wanted(prefix: str, only: Collection[str]) -> bool:
    return not only or prefix.partition(".")[0] in only


def _skipped(config: Config, only: Collection[str], launch: bool) -> Iterator[tuple[str, str]]:
    for prefix in sorted(config.connections):
        integration = config.integrations[prefix.partition(".")[0]]
        if not _is_wanted(prefix, only):
            continue
        if isinstance(integration, McpLocal | McpRemote) and not integration.enabled:
            yield prefix, "it is disabled"
        elif isinstance(integration, McpLocal) and not launch:
            yield prefix, "its command would have to be started (--no-launch)"


def _reason(status: Mapping[str, object], error: str | None) -> str:
    """`failed: connection refused`, said once."""
    word, why = str(status["status"]), str(status.get("error") or error or "")
    return word if not why or why == word else f"{word}: {why}"


def _offered(config: Config, toolsets: Mapping[str, Toolset], records: Records) -> dict[str, Offered]:
    """Connections that share a document share its records, and so do runs."""
    return {
        prefix: records.of(config.integrations[prefix.partition(".")[0]].kind, toolset)
        for prefix, toolset in sorted(toolsets.items())
    }
