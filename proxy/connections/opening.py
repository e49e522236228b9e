"""Opens what a config asks for, shares what did not change, closes what nobody holds.

Ownership: `Connections` is opened by `async with` in the task that also closes it; the tasks that retry, refresh and
keep sessions belong to the supervisor of tasks. A holding is kept while any generation uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Final

from integrations import Integration
from integrations import mcp as mcp_kind
from integrations.base import SourceError, Titled
from integrations.http import HttpClient
from proxy.config import Config
from proxy.config.connection import Connection
from proxy.config.secrets import Resolver
from proxy.connections.connection import OpenConnection
from proxy.connections.health import HealthChecks, HealthReport, targets_of
from proxy.connections.holding import Holding, McpHolding
from proxy.connections.kinds import (
    ConnectionPlan,
    Dependencies,
    WrongCatalog,
    origin_change,
    plan_of,
    upstream_of,
)
from proxy.connections.oauth.access import OAuthAccess, SignInUrl
from proxy.connections.oauth.registry import OAuthRegistry
from proxy.connections.oauth.storage import SHARED, OAuthState
from proxy.connections.origins import KnownOrigins
from proxy.connections.sources import USUAL_PATIENCE, CannotCompile, LoadedSource, Patience
from proxy.lock.vendored import VendoredCatalog
from proxy.principal import DEFAULT_WORKSPACE
from proxy.tasks import TaskSupervisor

_NONE_VENDORED: Final[Mapping[str, VendoredCatalog]] = {}
SCOPED_SECONDS: Final = 0.4
"""Changes of one workspace are served by all within a second, however slow its servers are."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What one generation uses: by prefix, the connection and the tools it was built on. `keys`: what it holds."""

    sources: Mapping[str, LoadedSource]
    connections: Mapping[str, OpenConnection]
    keys: tuple[str, ...]


class WrongSource(Exception):
    """A local document is wrong, so the config that names it is rejected. `integration` says whose it is;
    `catalog`: it is the vendored catalog; `machine`: it may be right, and this machine cannot read it now."""

    def __init__(
        self, integration: str, reason: str, *, catalog: bool = False, machine: bool = False
    ) -> None:
        super().__init__(reason)
        self.integration = integration
        self.catalog = catalog
        self.machine = machine


@dataclass(slots=True)
class _Held:
    holding: Holding
    users: int = 0


class Connections:
    """Every open upstream of this process. `changed` is called when the tools or the status of one changed.

    `origins_dir` outlives the process: it holds where fetched documents may send calls (see `origins`). `state` keeps
    OAuth tokens; None: they live as long as the process. Without `asks_vendored` connections with a vendored catalog
    are not asked for anything before they are called.
    """

    def __init__(
        self,
        http: HttpClient,
        resolver: Resolver,
        cache_dir: Path | None,
        changed: Callable[[], None] = lambda: None,
        patience: Patience = USUAL_PATIENCE,
        origins_dir: Path | None = None,
        state: OAuthState | None = None,
        sign_in_page: SignInUrl = lambda prefix, account: None,
        tasks: TaskSupervisor | None = None,
        *,
        asks_vendored: bool = True,
    ) -> None:
        origins = KnownOrigins(origins_dir)
        self._held: dict[str, _Held] = {}
        self._tasks = tasks or TaskSupervisor()
        self._closing: set[asyncio.Task[None]] = set()
        self._oauth = oauth = OAuthRegistry(state, resolver, self._tasks, changed)
        self._dependencies = Dependencies(
            http,
            resolver,
            cache_dir,
            patience,
            _shared(),
            changed,
            origins,
            oauth,
            asks_vendored=asks_vendored,
        )
        self._sign_in_page = sign_in_page
        self._health = HealthChecks(self._tasks)

    async def __aenter__(self) -> Connections:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._health.stop()
        for held in self._held.values():
            await held.holding.stop()
        if self._closing:
            await asyncio.wait(self._closing)
        await self._oauth.close()

    async def open(
        self,
        config: Config,
        directories: Sequence[Path] = (),
        scope: str = "",
        closed: Collection[str] = (),
        vendored: Mapping[str, VendoredCatalog] = _NONE_VENDORED,
    ) -> Opened:
        """Open every connection. Raises `WrongSource`; what a remote one does is its status.

        `directories` are those of the config's files. `scope` is the workspace where all of it was registered: then
        no server is waited for longer than `SCOPED_SECONDS`. MCP servers in `closed` are not connected to.
        `vendored` are the catalogs of connections that have one.
        """
        if not scope:
            self._oauth.workspaces = tuple(config.workspaces) or (DEFAULT_WORKSPACE,)
        dependencies = replace(self._dependencies, scope=scope, vendored=vendored)
        # Plans look at files, which may take their time to answer.
        plans = await asyncio.to_thread(_plans, config, dependencies, directories, closed)
        for plan in plans.values():
            self._hold(plan)
        keys = tuple(plan.key for plan in plans.values())
        try:
            async with asyncio.TaskGroup() as loads:
                for prefix, plan in plans.items():
                    loads.create_task(self._first(prefix, plan.key, scope), name=f"load {prefix}")
        except BaseException as error:
            # A wrong document, or a reload superseded by a newer one: nothing of this attempt is kept.
            self.release(keys)
            raise _first_of(error) from None
        for key in dict.fromkeys(keys):
            refresh = _shortest(plan for plan in plans.values() if plan.key == key)
            self._held[key].holding.keep(self._tasks, refresh, self._dependencies.changed)
        sources = {prefix: self._held[plan.key].holding.loaded for prefix, plan in plans.items()}
        connections = {
            prefix: self._connection(
                prefix,
                one,
                config.integrations[prefix.partition(".")[0]],
                plans[prefix],
                sources[prefix],
                dependencies,
            )
            for prefix, one in config.connections.items()
        }
        for one in connections.values():
            if one.oauth is not None and not one.oauth.per_user:
                await one.oauth.tokens.look(SHARED)
        return Opened(sources, connections, keys)

    def watch(self, opened: Opened, config: Config) -> None:
        """Probe the health of these connections from now on, and of no others. For what serves."""
        self._health.watch(targets_of(opened.connections, config))

    def health(self, prefix: str) -> HealthReport | None:
        """The last report of a connection that is watched."""
        return self._health.report(prefix)

    def stale(self, opened: Opened) -> bool:
        """Whether the tools of a connection changed since `opened` was made."""
        return any(
            self._held[one.key].holding.loaded is not one
            for one in opened.sources.values()
            if one.key in self._held
        )

    def release(self, keys: Iterable[str]) -> None:
        """Give back what `open` gave; a holding without users is stopped and forgotten."""
        for key in keys:
            held = self._held[key]
            held.users -= 1
            if held.users == 0:
                del self._held[key]
                self._close(key, held.holding)

    def _close(self, key: str, holding: Holding) -> None:
        closing = self._tasks.keep("closing", holding.stop, about=key[:8], restart=False)
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _hold(self, plan: ConnectionPlan) -> None:
        if plan.key not in self._held:
            self._held[plan.key] = _Held(plan.hold())
        self._held[plan.key].users += 1

    async def _first(self, prefix: str, key: str, scope: str) -> None:
        seconds = SCOPED_SECONDS if scope else self._dependencies.patience.first_load_seconds
        try:
            await self._held[key].holding.first(self._tasks, seconds)
        except SourceError as error:
            refused = isinstance(error, CannotCompile)
            raise WrongSource(prefix.partition(".")[0], str(error), machine=refused) from None

    def _connection(
        self,
        prefix: str,
        connection: Connection,
        integration: Integration,
        plan: ConnectionPlan,
        loaded: LoadedSource,
        dependencies: Dependencies,
    ) -> OpenConnection:
        name, owner, own = prefix.split(".")
        title = (
            connection.description
            or integration.description
            or integration.title
            or _title_of(loaded.toolset)
        )
        holding = self._held[plan.key].holding
        failure: dict[str, str] | None = None
        if loaded.toolset is None and not isinstance(holding, McpHolding):
            failure = {"status": "failed", "error": loaded.error or "not loaded"}
        elif objection := origin_change(connection, integration, loaded, dependencies):
            failure = {"status": "failed", "error": objection}
        return OpenConnection(
            name,
            owner,
            own,
            integration.kind,
            title,
            integration.timeout,
            loaded.digest,
            None if failure else upstream_of(prefix, connection, integration, holding, loaded, dependencies),
            plan.resolve,
            failure,
            holding.upstream if isinstance(holding, McpHolding) else None,
            oauth=self._access(prefix, connection, integration, dependencies),
            scope=dependencies.scope,
            vendored=loaded.vendored,
        )

    def _access(
        self, prefix: str, connection: Connection, integration: Integration, dependencies: Dependencies
    ) -> OAuthAccess | None:
        tokens = dependencies.tokens(prefix, connection, integration)
        return OAuthAccess(tokens, self._sign_in_page) if tokens is not None else None


def _plans(
    config: Config, dependencies: Dependencies, directories: Sequence[Path], closed: Collection[str]
) -> dict[str, ConnectionPlan]:
    plans: dict[str, ConnectionPlan] = {}
    for prefix, one in config.connections.items():
        name = prefix.partition(".")[0]
        try:
            integration = config.integrations[name]
            if prefix in closed:
                integration = integration.model_copy(update={"enabled": False})
            plans[prefix] = plan_of(prefix, one, integration, dependencies, directories)
        except SourceError as error:
            raise WrongSource(name, str(error), catalog=isinstance(error, WrongCatalog)) from None
    return plans


def _shared() -> Callable[[], mcp_kind.Shared]:
    """One `Shared` for all MCP servers of the process, made when the first is opened."""

    @cache
    def make() -> mcp_kind.Shared:
        return mcp_kind.Shared(mcp_kind.ChildSlots(), client_version=metadata.version("executor-proxy"))

    return make


def _shortest(plans: Iterable[ConnectionPlan]) -> float | None:
    """The refresh interval of a shared document; None when none of its users asks for one."""
    return min((plan.refresh_seconds for plan in plans if plan.refresh_seconds is not None), default=None)


def _first_of(error: BaseException) -> BaseException:
    return _first_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _title_of(toolset: object) -> str:
    """What the document calls itself."""
    return toolset.title if isinstance(toolset, Titled) else ""
