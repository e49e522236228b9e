"""Puts the parts together, and takes them apart in the opposite order. The only module that knows everyone.

async with open_application(options) as application:    # config applied, sandbox warm, nothing listens yet
    ...                                                 # `proxy.app.serve` serves `application.gateway`
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import ChainMap
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from integrations.fields import Listen, parse_listen
from integrations.files import READER
from integrations.http import HttpClient
from proxy.app import drift
from proxy.app.access import EXPOSED, Access, CurrentLimits, exposure
from proxy.app.activity import Activity
from proxy.app.auditing import Auditing
from proxy.app.background import background
from proxy.app.builder import Builder, Built
from proxy.app.clients import Clients
from proxy.app.effects import gone
from proxy.app.gateway import AppGateway, mode_rules
from proxy.app.last_good import LastGood
from proxy.app.last_hour import LastHour
from proxy.app.operations import Operations
from proxy.app.options import CannotServe, InvalidConfig, StartOptions, references, rendered, watcher_of
from proxy.app.overlay import Overlay
from proxy.app.paths import cache_dir, origins_dir
from proxy.app.pending import ApprovalsWatch
from proxy.app.replicas import ReplicaWatch
from proxy.app.sandboxes import Sandboxes
from proxy.app.series import begin, begin_named
from proxy.app.server_sign_ins import ServerSignIns
from proxy.app.servers import AppServers
from proxy.app.store import StoreWatch, open_store, warn_of_directories
from proxy.app.telemetry import Counts, all_of, open_spans, set_logging
from proxy.app.tls import ServedTls
from proxy.auth import IssuerPool
from proxy.calls import Calls, SystemTools
from proxy.config import Config, LoadedConfig, load_config
from proxy.config.secrets import Resolver
from proxy.connections import Connections
from proxy.connections.oauth.access import OAuthAccess
from proxy.connections.oauth.sign_in import SignIns
from proxy.connections.oauth.storage import TokenStore
from proxy.executions import ExecutionOptions, Executions
from proxy.history.executions import PastExecutions
from proxy.history.reader import HistoryReader
from proxy.history.recent import RecentExecutions
from proxy.history.rule_hits import RuleCounters
from proxy.live import Live
from proxy.principal import Principal
from proxy.reload import Effects, Rejected, Reloader
from proxy.serving.http.refused import RefusalLog
from proxy.state import State
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger
from proxy.telemetry.spans import Spans
from proxy.turns import Turns
from proxy.webhooks import WebhookSender
from proxy.workspace import Generation


class Application:
    """One running proxy. What is mutable in it are pointers, and only `swap` moves them."""

    def __init__(
        self,
        options: StartOptions,
        connections: Connections,
        sandboxes: Sandboxes,
        sources_changed: asyncio.Event,
        state: State,
        spans: Spans,
        tasks: TaskSupervisor,
        issuers: IssuerPool,
        overlay: Overlay,
    ) -> None:
        self.options = options
        self.tasks = tasks
        self.metrics = tasks.metrics
        self.live = Live(self._release)
        self.spans = spans
        stdout = sys.stderr.buffer if options.protocol_on_stdout else sys.stdout.buffer
        self.auditing = Auditing(self.live, self.metrics, stdout)
        self.sources_changed = sources_changed
        self._connections = connections
        self._sandboxes = sandboxes
        self._builder = Builder(
            options,
            connections,
            sandboxes,
            self.auditing,
            self.live,
            lambda: self._listener,
            state.counters,
            issuers,
            overlay,
        )
        self.overlay = overlay
        self._built: dict[int, Built] = {}
        self._now: Built | None = None
        self._listener: Listen | None = None
        self._log = Logger("app")
        self.state = state
        begin(self.metrics)
        self.store_watch = StoreWatch(state.check, self.metrics)
        self.pending = ApprovalsWatch(state.paused_summary, self.metrics)
        self.last_good = LastGood(
            options.paths, options.env, lambda: self._now.loaded if self._now is not None else None
        )
        self.replicas = ReplicaWatch(state, lambda: self.reloader.status())
        self.tls = ServedTls(self.metrics)
        self.local_address: Callable[[], str | None] = lambda: None
        self.clients = Clients(lambda: self.config.server, self.metrics, self.tls)
        self.rules, self.recent = RuleCounters(), RecentExecutions(self.replicas.id)
        self.live.subscribe(self.rules.swapped)
        counts, activity = Counts(self.metrics), Activity(self.auditing.shown)
        self.last_hour = LastHour()
        self.refusals = RefusalLog()
        self.turns = Turns(self.clients.held.under_way)
        self._limited = all_of(counts.limit_hit, self.last_hour.limited)
        limiter = CurrentLimits(lambda: self.access.limits, self._limited)
        calls = Calls(
            self.live,
            state,
            limiter=limiter,
            on_call=all_of(
                counts.called,
                self.auditing.called,
                activity.called,
                self.rules.called,
                self.recent.called,
                self.last_hour.called,
            ),
            spans=spans,
        )
        lent = ExecutionOptions(
            on_execution=all_of(
                counts.executed,
                self.auditing.executed,
                activity.executed,
                self.recent.executed,
                self.last_hour.executed,
            ),
            on_decision=all_of(counts.decided, self.auditing.decided, activity.decided),
            on_run=self.recent.run_ended,
            on_begin=self.recent.begun,
            spans=spans,
            is_approver=lambda principal: self.access.roles.is_approver(principal),
            person_decides=lambda workspace: mode_rules(self.config, workspace).mode != "model",
            approval_url=self.approval_url,
            refresh_principal=lambda principal: self.access.authenticator.refresh(principal),
            turns=self.turns,
        )
        self.executions = Executions(sandboxes, calls, self.live, state, lent)
        self._reloader: Reloader[LoadedConfig, Built] | None = None
        self.gateway = self._gateway()

    def _servers(self, sign_ins: SignIns) -> AppServers:
        return AppServers(
            self.live,
            lambda: self._serving.loaded,
            self.overlay,
            ServerSignIns(self.state, sign_ins, time.time),
            lambda principal: self.access.roles.is_admin(principal),
            self.sources_changed.set,
            self.auditing.server_changed,
        )

    def _gateway(self) -> AppGateway:
        sign_ins = SignIns(self._oauth_of, TokenStore(self.state), self.page_base)
        operations = Operations(
            self.live,
            lambda: self.reloader,
            lambda: self._sandboxes.pool,
            self.metrics,
            self._connections.health,
            lambda: self.store_watch.trouble,
            lambda: self.executions.running,
            self.clients,
            self.pending,
            self.overlay.rows,
            self.replicas,
            self.last_hour,
            lambda: self._now.loaded if self._now is not None else None,
        )
        return AppGateway(
            self.live,
            lambda: self.access,
            self.executions,
            operations,
            self._limited,
            self.metrics,
            SystemTools(self.live, self.state),
            sign_ins,
            self._servers(sign_ins),
            HistoryReader(
                self.live,
                PastExecutions(self.state, self.recent),
                self.rules,
                lambda: self.auditing.file,
            ),
            self.auditing.not_admitted,
            self.refusals.note,
        )

    @property
    def config(self) -> Config:
        return self.live.current.config

    @property
    def directories(self) -> tuple[Path, ...]:
        """Where the files of the config are that serves now."""
        return self._now.loaded.directories if self._now is not None else ()

    @property
    def access(self) -> Access:
        """Who may come in, under the config that serves now."""
        return self._serving.access

    @property
    def _serving(self) -> Built:
        assert self._now is not None
        return self._now

    def load(self) -> LoadedConfig:
        """The files; before anything serves, what the start is to begin with."""
        return load_config(start_paths(self.options, self._now), env=self.options.env, advice=False)

    async def build(self, loaded: LoadedConfig, number: int) -> Built:
        """Make everything the config asks for, without touching what serves. Raises `Rejected`."""
        return await self._builder.build(loaded, number)

    def swap(self, built: Built) -> Effects:
        """Everything at once: who may come in, what is there, where it runs."""
        self._sandboxes.adopt()
        self.tls.adopt(built.tls)
        self.auditing.adopt()
        return self._serve(built)

    def _serve(self, built: Built) -> Effects:
        before = self._now
        self._built[id(built.generation)] = built
        self._now = built
        set_logging(built.generation.config, self.options.env)
        self.live.swap(built.generation)
        self.overlay.adopt(built.overlay)
        self._connections.watch(built.opened, built.generation.config)
        for labels in gone(before.generation, built.generation) if before is not None else ():
            self.metrics.forget(**labels)
        begin_named(self.metrics, built.generation)
        drifted = drift.changes(before.generation.lock if before is not None else None, built.generation.lock)
        drift.log_changes(drifted)
        self.auditing.drifted(drifted)
        if any(map(self._connections.stale, (built.opened, *built.overlay.opened))):
            self.sources_changed.set()
        return built.effects

    def _release(self, generation: Generation) -> None:
        self._connections.release(self._built.pop(id(generation)).keys)

    async def follow_sources(self) -> None:
        """Serve remote documents as they arrive: the same config, built again around what is loaded now."""
        while True:
            await self.sources_changed.wait()
            self.sources_changed.clear()
            before = self._now
            if before is None:
                continue
            try:
                built = await self._builder.around(before.loaded, before.generation.number)
            except Rejected as rejected:
                # A local document is wrong by now: what serves stays, and the reload that saw it says why.
                self._log.warning("documents changed, and cannot be served", detail=str(rejected))
                continue
            if self._now is before:
                self._serve(built)
                self._log.info("documents changed", generation=before.generation.number)
                known = before.generation.report.diagnostics
                self.reloader.warn([one for one in built.generation.report.diagnostics if one not in known])
            else:
                # A reload was faster, and took the new documents along or will be told of them.
                self._connections.release(built.keys)

    @property
    def address(self) -> str | None:
        """Where people and agents reach this server, without a slash at the end; None before it listens."""
        base = self.config.server.public_url or self.base_url
        return str(base).rstrip("/") if base is not None else None

    @property
    def base_url(self) -> str | None:
        """Where the listener of this process is; None before it listens."""
        return self.local_address()

    def approval_url(self, execution_id: str, session_id: str | None) -> str | None:
        """The page where a person decides; None when nothing serves pages."""
        if self.address is None:
            return None
        session = f"?mcp_session_id={quote(session_id, safe='')}" if session_id else ""
        return f"{self.address}/resume/{execution_id}{session}"

    def sign_in_url(self, prefix: str, account: str | None) -> str | None:
        """The page where this account signs in to a connection; None when nothing serves pages."""
        base = self.page_base()
        if base is None:
            return None
        who = f"?account={quote(account, safe='')}" if account else ""
        return f"{base.rstrip('/')}/sign-in/{prefix}{who}"

    def page_base(self) -> str | None:
        """Where people's browsers reach this server."""
        base = self.config.server.public_url or self.base_url
        return str(base) if base is not None else None

    def _oauth_of(self, workspace_id: str, prefix: str) -> OAuthAccess | None:
        workspace = self.live.current.workspace(workspace_id)
        connection = workspace.connections.get(prefix) if workspace is not None else None
        return connection.oauth if connection is not None else None

    @property
    def reloader(self) -> Reloader[LoadedConfig, Built]:
        assert self._reloader is not None
        return self._reloader

    def use_reloader(self, reloader: Reloader[LoadedConfig, Built]) -> None:
        self._reloader = reloader

    def request_reload(self) -> None:
        """SIGHUP."""
        self.reloader.request("sighup")

    @property
    def listen(self) -> Listen:
        """Where to bind: the command line's word, else the config's."""
        return parse_listen(self.options.listen) if self.options.listen else self.config.server.listen

    def listens_on(self, listen: Listen) -> None:
        """From now on this address is bound, whatever the config says later. Raises `InvalidConfig`."""
        exposed = exposure(listen, self.config)
        if exposed is not None:
            raise InvalidConfig(f"error[E501]: {exposed}\n  = help: {EXPOSED}")
        self._listener = listen

    def local_principal(self, workspace: str | None) -> Principal:
        """Who speaks over stdio: the person who started the process. Raises `CannotServe`."""
        known = self.live.current.workspaces
        if workspace is None and len(known) > 1:
            raise CannotServe(f"there are several workspaces: name one with --workspace ({', '.join(known)})")
        name = workspace or next(iter(known))
        if name not in known:
            raise CannotServe(f"--workspace {name}: no such workspace; there are: {', '.join(known)}")
        return Principal(name, "local", "local")


def start_paths(options: StartOptions, now: object) -> tuple[Path, ...]:
    """What is read: the files, or the last good config as long as nothing serves."""
    return options.paths if options.last_good is None or now is not None else (options.last_good,)


@asynccontextmanager
async def open_application(
    options: StartOptions, tasks: TaskSupervisor | None = None
) -> AsyncIterator[Application]:
    """Everything open and the config applied, its tasks owned by `tasks`. Raises `InvalidConfig` with the rendered
    diagnostics, `CannotServe`."""
    tasks = tasks or TaskSupervisor()
    first = load_config(start_paths(options, None), env=options.env, advice=False)
    if first.config is None:
        raise InvalidConfig(rendered(first.diagnostics))
    set_logging(first.config, options.env)
    warn_of_directories(first.config, options.env)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(tasks.close)
        spans = await stack.enter_async_context(open_spans(first.config, options.env))
        http = await stack.enter_async_context(HttpClient(stamp=spans.headers))
        # The application is made around its parts; the callback reaches it once it exists.
        changed = asyncio.Event()
        registered: dict[str, str] = {}
        resolver = Resolver(ChainMap(registered, dict(options.env)))
        state = await stack.enter_async_context(open_store(first.config, options.env, tasks))
        connections = await stack.enter_async_context(
            Connections(
                http,
                resolver,
                cache_dir(options.env),
                changed.set,
                origins_dir=origins_dir(options.env),
                state=state,
                tasks=tasks,
                sign_in_page=lambda prefix, account: application.sign_in_url(prefix, account),
            )
        )
        sandboxes = await stack.enter_async_context(Sandboxes(tasks))
        issuers = IssuerPool(http, tasks)
        overlay = Overlay(state, registered)
        application = Application(
            options, connections, sandboxes, changed, state, spans, tasks, issuers, overlay
        )
        stack.callback(application.auditing.close)
        stack.callback(application.refusals.tell_rest)
        stack.enter_context(READER.reports_to(Counts(tasks.metrics).file_trouble))
        watcher = await stack.enter_async_context(watcher_of(options, first.config, tasks))
        reloader = Reloader(
            application.load,
            application.build,
            application.swap,
            metrics=application.metrics,
            watcher=watcher,
            references=references,
            on_outcome=all_of(
                application.auditing.reloaded,
                application.last_good.applied,
                lambda _outcome: application.replicas.announce(),
            ),
            advise=LoadedConfig.advised,
            standing=lambda: application.live.current.report.diagnostics,
            tasks=tasks,
        )
        application.use_reloader(await stack.enter_async_context(reloader))
        outcome = await reloader.reload("start")
        if outcome.result == "rejected":
            if outcome.error is not None:
                raise CannotServe(outcome.error)
            raise InvalidConfig(rendered(outcome.diagnostics))
        if options.last_good is not None:
            Logger("config").error("serves the last good config", file=str(options.last_good))
            await reloader.reload("start")
        Logger("sandbox").info("hardening", detail=sandboxes.pool.hardening.line())
        webhooks = WebhookSender(
            application.live, state, http, resolver, application.approval_url, application.metrics
        )
        await stack.enter_async_context(
            background(
                tasks,
                watcher,
                reloader,
                application.executions,
                webhooks,
                application.store_watch,
                application.pending,
                application.replicas,
                application.last_good,
                application.follow_sources,
                lambda: application.overlay.run(changed.set),
            )
        )
        try:
            yield application
        finally:
            application.live.close()
