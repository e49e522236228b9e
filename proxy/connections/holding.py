"""What is held open for connections and shared by reference count: a document, or the session of an MCP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from proxy.catalog import build_index
from proxy.connections.sources import LoadedSource, Source
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger

if TYPE_CHECKING:
    from integrations.mcp import McpUpstream
    from proxy.connections.oauth.tokens import ConnectionTokens

log = Logger("connections")
Changed = Callable[[], None]
# How long a sign-in on another replica goes unnoticed while the tools of a server are unknown.
_LOOK_SECONDS = 5.0
# A start waits no longer for what it has a vendored catalog of.
_VENDORED_SECONDS = 0.5


class Holding(Protocol):
    """Made by `proxy.connections.kinds`, owned by `Connections`, which calls `first`, then `keep`, at last `stop`."""

    @property
    def loaded(self) -> LoadedSource:
        """Its tools now. Another object whenever they were loaded anew."""
        ...

    async def first(self, tasks: TaskSupervisor, limit_seconds: float) -> None:
        """Load unless that was done; what is remote gets only so long. Raises `SourceError` for a wrong file."""
        ...

    def keep(self, tasks: TaskSupervisor, refresh_seconds: float | None, changed: Changed) -> None:
        """Retry and refresh in the background; may be called again with another interval."""
        ...

    async def stop(self) -> None: ...


class DocumentHolding:
    """An OpenAPI document or a GraphQL schema. Without `asks` a vendored one is not asked for."""

    def __init__(self, source: Source, *, asks: bool = True) -> None:
        self._source = source
        self._asks = asks
        self._loading = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._refresh_seconds: float | None = None

    @property
    def loaded(self) -> LoadedSource:
        return self._source.loaded

    async def first(self, tasks: TaskSupervisor, limit_seconds: float) -> None:
        async with self._loading:
            if self.loaded.toolset is not None:
                return
            vendored = await self._source.load_vendored()
            if vendored and not self._asks:
                return
            limit = min(limit_seconds, _VENDORED_SECONDS) if vendored else limit_seconds
            try:
                async with asyncio.timeout(limit if self._source.remote else None):
                    await self._source.load()
            except TimeoutError:
                detail = (
                    "serving begins with the vendored catalog" if vendored else "serving begins without it"
                )
                log.warning("source_slow", **self._source.named(), detail=detail)

    def keep(self, tasks: TaskSupervisor, refresh_seconds: float | None, changed: Changed) -> None:
        if not self._source.remote or (self.loaded.vendored and not self._asks):
            return
        if self._keeper is not None and not self._keeper.done():
            if self._refresh_seconds == refresh_seconds:
                return
            self._keeper.cancel()
        self._refresh_seconds = refresh_seconds
        self._keeper = tasks.keep(
            "refresh", lambda: self._source.keep(refresh_seconds, changed), about=self._source.key[:8]
        )

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])


class McpHolding:
    """An MCP server: the upstream keeps itself connected and its tools fresh, and says when either changed. Without
    `asks` one with a vendored catalog is not connected to."""

    def __init__(
        self,
        key: str,
        upstream: McpUpstream,
        name: str = "",
        tokens: ConnectionTokens | None = None,
        *,
        asks: bool = True,
    ) -> None:
        self.upstream = upstream
        self._asks = asks
        self._tokens = tokens
        self._name = name
        self._key = key
        self._started = False
        self._looking: asyncio.Task[None] | None = None
        self._loaded = LoadedSource(key, error="not connected yet")

    @property
    def loaded(self) -> LoadedSource:
        """The index is made when the tools changed. Tools that were listed once stay, whatever the status."""
        toolset, status = self.upstream.toolset, self.upstream.status
        if not self.upstream.listed:
            error = _sentence(status)
            if self._loaded.toolset is not None or self._loaded.error != error:
                self._loaded = LoadedSource(self._key, error=error)
        elif self._loaded.toolset is not toolset or self._loaded.vendored != self.upstream.kept:
            index = self._loaded.index if self._loaded.toolset is toolset else build_index(toolset)
            self._loaded = LoadedSource(self._key, toolset, index, vendored=self.upstream.kept)
        return self._loaded

    async def first(self, tasks: TaskSupervisor, limit_seconds: float) -> None:
        if self.upstream.kept:
            if not self._asks:
                return
            limit_seconds = min(limit_seconds, _VENDORED_SECONDS)
            if not self._started:
                log.info("vendored_catalog", connection=self._name, tools=len(self.upstream.toolset.tools))
        if not self._started:
            self._started = True
            self.upstream.start(lambda work: tasks.keep("mcp", work, about=self._name))
            if self._tokens is not None:
                self._tokens.listeners.append(self.upstream.signed_in)
        await self.upstream.settled(limit_seconds)

    def keep(self, tasks: TaskSupervisor, refresh_seconds: float | None, changed: Changed) -> None:
        """The upstream's own task does it; but nobody tells it of a sign-in on another replica."""
        if self._tokens is not None and self._looking is None and not self.upstream.listed:
            self._looking = tasks.keep("refresh", self._look, about=self._name)

    async def _look(self) -> None:
        """Until the tools are known: connect anew whenever somebody else has signed in."""
        assert self._tokens is not None
        known = await self._tokens.holders()
        while not self.upstream.listed:
            await asyncio.sleep(_LOOK_SECONDS)
            before, known = known, await self._tokens.holders()
            if set(known) - set(before):
                self.upstream.signed_in()

    async def stop(self) -> None:
        if self._tokens is not None and self.upstream.signed_in in self._tokens.listeners:
            self._tokens.listeners.remove(self.upstream.signed_in)
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await self.upstream.aclose()


def _sentence(status: Mapping[str, object]) -> str:
    return str(status.get("error") or status["status"])
