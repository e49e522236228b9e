"""Opens what a config asks for, shares what did not change, closes what nobody holds.

Ownership: `Connections` is opened by `async with` in the task that also closes it; the tasks that retry or refresh
remote documents live in its TaskGroup. A source is kept while any generation uses it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from integrations import Integration
from integrations.base import Credential, SourceError
from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, OpenApiUpstream, SpecSource
from integrations.openapi.config import OpenApi
from proxy.config import Config
from proxy.config.connection import Connection
from proxy.config.secrets import Resolver
from proxy.connections.connection import OpenConnection
from proxy.connections.credentials import credential_source, plain_headers
from proxy.connections.sources import USUAL_PATIENCE, LoadedSource, Patience, Source, source_key

log = logging.getLogger("executor.connections")


@dataclass(frozen=True, slots=True)
class Opened:
    """What one generation uses. `sources` by integration name; `connections` by prefix."""

    sources: Mapping[str, LoadedSource]
    connections: Mapping[str, OpenConnection]
    keys: tuple[str, ...]


class WrongSource(Exception):
    """A local document is wrong, so the config that names it is rejected. `integration` says whose it is."""

    def __init__(self, integration: str, reason: str) -> None:
        super().__init__(reason)
        self.integration = integration


@dataclass(slots=True)
class _Held:
    source: Source
    users: int = 0
    keeper: asyncio.Task[None] | None = None
    refresh_seconds: float | None = None
    first_load: asyncio.Lock = field(default_factory=asyncio.Lock)


class Connections:
    """Every open upstream of this process. `changed` is called when a remote document was loaded or changed."""

    def __init__(
        self,
        http: HttpClient,
        resolver: Resolver,
        cache: Path | None,
        changed: Callable[[], None] = lambda: None,
        patience: Patience = USUAL_PATIENCE,
    ) -> None:
        self._http = http
        self._resolver = resolver
        self._cache = cache
        self._changed = changed
        self._patience = patience
        self._held: dict[str, _Held] = {}
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Connections:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for held in self._held.values():
            if held.keeper is not None:
                held.keeper.cancel()
        # The body's own error goes on as it is: given to the group it would come out wrapped in one.
        await self._tasks.__aexit__(None, None, None)

    async def open(self, config: Config) -> Opened:
        """Load every integration that has a connection. Raises `WrongSource`; remote failures become a status."""
        used = {key.partition(".")[0] for key in config.connections}
        wanted = {name: one for name, one in config.integrations.items() if name in used}
        keys = {name: self._hold(one) for name, one in wanted.items() if isinstance(one, OpenApi)}
        try:
            async with asyncio.TaskGroup() as loads:
                for name, key in keys.items():
                    loads.create_task(self._first_load(name, key), name=f"load {name}")
        except BaseException as error:
            # A wrong document, or a reload superseded by a newer one: nothing of this attempt is kept.
            self.release(keys.values())
            raise _first_of(error) from None
        for key in dict.fromkeys(keys.values()):
            self._keep(key, _shortest_refresh(wanted[name] for name in keys if keys[name] == key))
        sources = {name: self._held[key].source.loaded for name, key in keys.items()}
        connections = {
            prefix: self._connection(prefix, one, config.integrations[prefix.partition(".")[0]], sources)
            for prefix, one in config.connections.items()
        }
        return Opened(sources, connections, tuple(keys.values()))

    def stale(self, opened: Opened) -> bool:
        """Whether a remote document was loaded or changed since `opened` was made."""
        return any(
            self._held[one.key].source.loaded is not one
            for one in opened.sources.values()
            if one.key in self._held
        )

    def release(self, keys: Iterable[str]) -> None:
        """Give back what `open` gave; a source without users is forgotten."""
        for key in keys:
            held = self._held[key]
            held.users -= 1
            if held.users == 0:
                del self._held[key]
                if held.keeper is not None:
                    held.keeper.cancel()

    def _hold(self, integration: OpenApi) -> str:
        spec = spec_source(integration)
        key = source_key(integration, spec)
        if key not in self._held:
            source = Source(key, spec, spec_options(integration), self._http, self._cache, self._patience)
            self._held[key] = _Held(source)
        self._held[key].users += 1
        return key

    async def _first_load(self, name: str, key: str) -> None:
        held = self._held[key]
        async with held.first_load:
            if held.source.loaded.toolset is not None:
                return
            try:
                async with asyncio.timeout(self._patience.first_load_seconds if held.source.remote else None):
                    await held.source.load()
            except TimeoutError:
                log.warning("source is slow, going on without it integration=%s", name)
            except SourceError as error:
                raise WrongSource(name, str(error)) from None

    def _keep(self, key: str, refresh_seconds: float | None) -> None:
        held = self._held[key]
        if not held.source.remote:
            return
        if held.keeper is not None and not held.keeper.done():
            if held.refresh_seconds == refresh_seconds:
                return
            held.keeper.cancel()
        held.refresh_seconds = refresh_seconds
        held.keeper = self._tasks.create_task(
            held.source.keep(refresh_seconds, self._changed), name=f"keep {key[:8]}"
        )

    def _connection(
        self,
        prefix: str,
        connection: Connection,
        integration: Integration,
        sources: Mapping[str, LoadedSource],
    ) -> OpenConnection:
        name, owner, own = prefix.split(".")
        title = connection.description or integration.description or integration.title or ""
        if not isinstance(integration, OpenApi):
            failure = {"status": "failed", "error": f"kind {integration.kind} is not supported yet"}
            return _closed(name, owner, own, integration.kind, title, failure)
        resolve = credential_source(connection.auth, integration.headers, self._resolver)
        if resolve is None:
            failure = {
                "status": "needs_auth",
                "error": f"auth kind {connection.auth.kind} is not supported yet",
            }
            return _closed(name, owner, own, integration.kind, title, failure)
        loaded = sources[name]
        if loaded.toolset is None:
            failure = {"status": "failed", "error": loaded.error or "not loaded"}
            return _closed(name, owner, own, integration.kind, title, failure)
        upstream = OpenApiUpstream(
            loaded.toolset,  # type: ignore[arg-type]
            self._http,
            base_url=connection.base_url or integration.base_url,
            headers=plain_headers(integration.headers),
            retries=integration.retry.attempts - 1,
            idempotency_key=integration.idempotency_key,
            egress_allow=integration.egress.allow,
        )
        return OpenConnection(
            name, owner, own, integration.kind, title, integration.timeout, loaded.digest, upstream, resolve
        )


def _closed(
    integration: str, owner: str, name: str, kind: str, title: str, failure: dict[str, str]
) -> OpenConnection:
    def nothing() -> Credential:
        return Credential()

    return OpenConnection(integration, owner, name, kind, title, 0.0, "", None, nothing, failure)


def spec_source(integration: OpenApi) -> SpecSource:
    """Where the document is, as the loader wants it. File paths are absolute: the config loader made them so."""
    spec = integration.spec
    return SpecSource(spec.url, Path(spec.file) if spec.file else None, spec.inline)


def spec_options(integration: OpenApi) -> OpenApiOptions:
    return OpenApiOptions(
        include=integration.include,
        exclude=integration.exclude,
        overrides=tuple(one.as_json() for one in integration.overrides),
        root=Path(integration.spec.file).parent if integration.spec.file else None,
        egress_allow=integration.egress.allow,
    )


def _shortest_refresh(sharing: Iterable[Integration]) -> float | None:
    """Of the integrations that share one document; None when none of them asks for a refresh."""
    given = [one.spec.refresh for one in sharing if isinstance(one, OpenApi) and one.spec.refresh is not None]
    return min(given, default=None)


def _first_of(error: BaseException) -> BaseException:
    return _first_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
