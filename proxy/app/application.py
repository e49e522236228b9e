"""Puts the parts together, and takes them apart in the opposite order. The only module that knows everyone.

async with open_application(options) as application:    # config applied, sandbox warm, nothing listens yet
    ...                                                 # `proxy.app.running` serves `application.gateway`
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from integrations.fields import Listen, parse_listen
from integrations.http import HttpClient
from integrations.openapi.config import OpenApi
from proxy.app.access import Access, CurrentLimits, build_access, exposure
from proxy.app.build import build_generation
from proxy.app.effects import effects_of, gone
from proxy.app.gateway import AppGateway
from proxy.app.health import health_problems
from proxy.app.operations import Operations
from proxy.app.options import InvalidConfig, StartOptions
from proxy.app.places import cache_dir
from proxy.app.sandboxes import Sandboxes
from proxy.app.store import open_store
from proxy.app.tasks import companions
from proxy.auth import LocalTokenError
from proxy.calls import CallReport, Calls
from proxy.config import Config, Diagnostic, Loaded, load_config
from proxy.config.report import Summary, render
from proxy.config.secrets import Resolver, SecretMissing
from proxy.config.watch import Watcher
from proxy.connections import Connections, Opened
from proxy.connections.opening import WrongSource
from proxy.executions import ExecutionReport, Executions
from proxy.limits import open_storage
from proxy.live import Live
from proxy.principal import Principal
from proxy.reload import Effects, Rejected, Reloader, follow
from proxy.sandbox import HardeningMissing, PoolUnavailable
from proxy.state import State, StateError
from proxy.telemetry import Log, Metrics, configure_logging
from proxy.workspace import Generation

_RECOVERY_SECONDS = 5.0
_EXPOSED: Final = "add `auth` with api_keys, without `anonymous: true`, or listen on 127.0.0.1"


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made and a swap puts in place."""

    loaded: Loaded
    opened: Opened
    generation: Generation
    access: Access
    effects: Effects


class Application:
    """One running proxy. What is mutable in it are pointers, and only `_swap` moves them."""

    def __init__(
        self,
        options: StartOptions,
        connections: Connections,
        sandboxes: Sandboxes,
        sources_changed: asyncio.Event,
        state: State,
    ) -> None:
        self.options = options
        self.metrics = Metrics()
        self.live = Live(self._release)
        self.sources_changed = sources_changed
        self._connections = connections
        self._sandboxes = sandboxes
        self._storage = open_storage()
        self._built: dict[int, Built] = {}
        self._now: Built | None = None
        self._listener: Listen | None = None
        self._log = Log("app")
        self.state = state
        self.base_url: str | None = None
        limiter = CurrentLimits(lambda: self.access.limits, self._limit_hit)
        calls = Calls(self.live, state, limiter=limiter, on_call=self._called)
        self.executions = Executions(
            sandboxes,
            calls,
            self.live,
            state,
            on_execution=self._executed,
            is_approver=lambda principal: self.access.roles.is_approver(principal),
            approval_url=self.approval_url,
        )
        self._reloader: Reloader[Loaded, Built] | None = None
        operations = Operations(
            self.live, lambda: self.reloader, lambda: sandboxes.pool, self.metrics, connections.health
        )
        self.gateway = AppGateway(self.live, lambda: self.access, self.executions, operations, self.metrics)

    @property
    def config(self) -> Config:
        return self.live.current.config

    @property
    def access(self) -> Access:
        """Who may come in, under the config that serves now."""
        assert self._now is not None
        return self._now.access

    def load(self) -> Loaded:
        return load_config(self.options.paths, env=self.options.env)

    async def build(self, loaded: Loaded, number: int) -> Built:
        """Make everything the config asks for, without touching what serves. Raises `Rejected`."""
        if loaded.refused:
            raise Rejected([_refusal(loaded, path) for path in loaded.refused])
        self._check_exposure(loaded)
        built = await self._built_around(loaded, number)
        try:
            await self._prepare_sandbox(loaded)
        except BaseException:
            self._connections.release(built.opened.keys)
            raise
        return built

    def _check_exposure(self, loaded: Loaded) -> None:
        """The address stays bound until a restart, so no reload may open it to strangers. Raises `Rejected`."""
        assert loaded.config is not None
        exposed = exposure(self._listener, loaded.config) if self._listener is not None else None
        if exposed is not None:
            raise Rejected([_problem(loaded, "auth", "E501", f"this process is {exposed}", _EXPOSED)])

    async def _prepare_sandbox(self, loaded: Loaded) -> None:
        assert loaded.config is not None
        try:
            await self._sandboxes.prepare(loaded.config.sandbox)
        except (HardeningMissing, PoolUnavailable) as error:
            raise Rejected([_problem(loaded, "sandbox", "E501", str(error), None)]) from None

    async def _built_around(self, loaded: Loaded, number: int) -> Built:
        """All but the sandbox. Raises `Rejected`."""
        assert loaded.config is not None
        try:
            opened = await self._connections.open(loaded.config)
        except WrongSource as error:
            raise Rejected([_wrong_source(loaded, error)]) from None
        wrong = health_problems(loaded, opened)
        if wrong:
            self._connections.release(opened.keys)
            raise Rejected(wrong)
        try:
            return await self._assembled(loaded, opened, number)
        except BaseException:
            self._connections.release(opened.keys)
            raise

    async def _assembled(self, loaded: Loaded, opened: Opened, number: int) -> Built:
        generation = build_generation(loaded, opened, number)
        try:
            access = build_access(loaded, self.options.env, self._storage)
        except (SecretMissing, LocalTokenError) as error:
            raise Rejected([_problem(loaded, "auth", "E402", str(error), None)]) from None
        old = self.live.current if self.live.serving else None
        effects = await asyncio.to_thread(effects_of, old, generation)
        return Built(loaded, opened, generation, access, effects)

    def swap(self, built: Built) -> Effects:
        """Everything at once: who may come in, what is there, where it runs."""
        self._sandboxes.adopt()
        return self._serve(built)

    def _serve(self, built: Built) -> Effects:
        before = self._now
        self._built[id(built.generation)] = built
        self._now = built
        set_logging(built.generation.config, self.options.env)
        self.live.swap(built.generation)
        self._connections.watch(built.opened, built.generation.config)
        for labels in gone(before.generation, built.generation) if before is not None else ():
            self.metrics.forget(**labels)
        if self._connections.stale(built.opened):
            self.sources_changed.set()
        return built.effects

    def _limit_hit(self, name: str) -> None:
        self.metrics.count("executor_rate_limit_hits_total", limit=name)

    def _executed(self, report: ExecutionReport) -> None:
        self.metrics.count("executor_executions_total", status=report.status)
        self.metrics.observe("executor_execution_seconds", report.duration_ms / 1000)
        if report.lost is not None:
            self.metrics.count("executor_sandbox_kills_total", reason=report.lost)

    def _called(self, report: CallReport) -> None:
        integration = report.integration or "unknown"
        self.metrics.count("executor_tool_calls_total", integration=integration, outcome=report.code or "ok")
        self.metrics.observe(
            "executor_tool_call_seconds", report.milliseconds / 1000, integration=integration
        )
        if report.decision is not None:
            self.metrics.count("executor_policy_decisions_total", action=report.decision.action)

    def _release(self, generation: Generation) -> None:
        self._connections.release(self._built.pop(id(generation)).opened.keys)

    async def follow_sources(self) -> None:
        """Serve remote documents as they arrive: the same config, built again around what is loaded now."""
        while True:
            await self.sources_changed.wait()
            self.sources_changed.clear()
            before = self._now
            if before is None:
                continue
            # The sandbox is left alone: a reload may be preparing another one at this moment.
            try:
                built = await self._built_around(before.loaded, before.generation.number)
            except Rejected as rejected:
                # A local document is wrong by now: what serves stays, and the reload that saw it says why.
                self._log.warning("documents changed, and cannot be served", detail=str(rejected))
                continue
            if self._now is before:
                self._serve(built)
                self._log.info("documents changed", generation=before.generation.number)
            else:
                # A reload was faster, and took the new documents along or will be told of them.
                self._connections.release(built.opened.keys)

    async def recover_executions(self) -> None:
        """Go on with what a dead process left behind, and end what waited too long."""
        while True:
            try:
                await self.executions.recover()
            except StateError as error:
                self._log.exception("recovery_failed", error)
            await asyncio.sleep(_RECOVERY_SECONDS)

    def approval_url(self, execution_id: str, session_id: str | None) -> str | None:
        """The page where a person decides; None when nothing serves pages."""
        base = self.config.server.public_url or self.base_url
        if base is None:
            return None
        session = f"?mcp_session_id={quote(session_id, safe='')}" if session_id else ""
        return f"{str(base).rstrip('/')}/resume/{execution_id}{session}"

    @property
    def reloader(self) -> Reloader[Loaded, Built]:
        assert self._reloader is not None
        return self._reloader

    def use_reloader(self, reloader: Reloader[Loaded, Built]) -> None:
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
            raise InvalidConfig(f"error[E501]: {exposed}\n  = help: {_EXPOSED}")
        self._listener = listen

    async def finish_executions(self, seconds: float, at_once: asyncio.Event) -> None:
        """Wait for running executions, at most `seconds` or until `at_once`; then cancel what is left."""
        idle = asyncio.ensure_future(self.executions.idle())  # noqa: TID251 - awaited and cancelled right here
        hurry = asyncio.ensure_future(at_once.wait())  # noqa: TID251 - as above
        try:
            await asyncio.wait([idle, hurry], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            idle.cancel()
            hurry.cancel()
        await self.executions.cancel_all()

    def local_principal(self, workspace: str | None) -> Principal:
        """Who speaks over stdio: the person who started the process. Raises `InvalidConfig`."""
        known = self.live.current.workspaces
        if workspace is None and len(known) > 1:
            raise InvalidConfig(
                f"there are several workspaces: name one with --workspace ({', '.join(known)})"
            )
        name = workspace or next(iter(known))
        if name not in known:
            raise InvalidConfig(f"--workspace {name}: no such workspace; there are: {', '.join(known)}")
        return Principal(name, "local", "local")

    def first_tools(self) -> Iterator[str]:
        """Addresses of tools that run unasked and need no argument: what a first try should call."""
        for workspace in self.live.current.workspaces.values():
            for tool in workspace.catalog.all():
                needs = tool.toolset.schemas(tool.definition.name).input.get("required")
                if tool.definition.risk == "read" and not needs:
                    yield tool.address


@asynccontextmanager
async def open_application(options: StartOptions) -> AsyncIterator[Application]:
    """Everything open and the config applied. Raises `InvalidConfig` with the rendered diagnostics."""
    first = load_config(options.paths, env=options.env)
    if first.config is None:
        raise InvalidConfig(_rendered(first.diagnostics))
    set_logging(first.config, options.env)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(HttpClient())
        # The application is made around its parts; the callback reaches it once it exists.
        changed = asyncio.Event()
        connections = await stack.enter_async_context(
            Connections(http, Resolver(options.env), cache_dir(options.env), changed.set)
        )
        sandboxes = await stack.enter_async_context(Sandboxes())
        state = await stack.enter_async_context(open_store(first.config, options.env))
        application = Application(options, connections, sandboxes, changed, state)
        watcher = await stack.enter_async_context(_watcher(options, first.config))
        reloader = Reloader(
            application.load,
            application.build,
            application.swap,
            metrics=application.metrics,
            watcher=watcher,
            references=references,
        )
        application.use_reloader(await stack.enter_async_context(reloader))
        outcome = await reloader.reload("start")
        if outcome.result == "rejected":
            raise InvalidConfig(outcome.error or _rendered(outcome.diagnostics))
        Log("sandbox").info(sandboxes.pool.hardening.line())
        await stack.enter_async_context(_tasks(application, watcher))
        try:
            yield application
        finally:
            application.live.close()


@asynccontextmanager
async def _tasks(application: Application, watcher: Watcher) -> AsyncIterator[None]:
    """What happens without anybody asking: files change, documents arrive, dead processes leave executions behind."""
    async with companions() as group:
        tasks = [
            group.create_task(follow(watcher.changes(), application.reloader), name="follow files"),
            group.create_task(application.follow_sources(), name="follow documents"),
            group.create_task(application.recover_executions(), name="recover executions"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await application.executions.let_go()


def _watcher(options: StartOptions, config: Config) -> Watcher:
    reload = config.server.reload
    return Watcher(
        options.paths,
        poll_interval_seconds=reload.poll_interval,
        settle_seconds=reload.settle,
        watch=options.watch and reload.watch,
    )


def _rendered(diagnostics: tuple[Diagnostic, ...]) -> str:
    errors = [one for one in diagnostics if one.severity == "error"]
    return render("text", errors, Summary(len({one.file for one in errors}), 0, 0, 0, 0), color=False)


def set_logging(config: Config, env: Mapping[str, str]) -> None:
    """Logs as the config says; `EXECUTOR_MCP_DEBUG` adds what the protocol library says (seed 002)."""
    log = config.telemetry.log
    debug = env.get("EXECUTOR_MCP_DEBUG", "").lower() in ("1", "true")
    configure_logging(log.level, log.format, protocol_debug=debug)


def references(config: Config) -> list[Path]:
    """Files whose content belongs to the config: they are watched, and a change is a reload."""
    return [
        Path(one.spec.file)
        for one in config.integrations.values()
        if isinstance(one, OpenApi) and one.spec.file
    ]


def _refusal(loaded: Loaded, path: str) -> Diagnostic:
    return _problem(
        loaded, path, "W690", f"`{path}` is not supported yet, and must not be ignored", "remove it for now"
    )


def _wrong_source(loaded: Loaded, error: WrongSource) -> Diagnostic:
    path = f"integrations.{error.integration}.spec"
    return _problem(loaded, path, "E206", f"`spec`: {error}", None)


def _problem(loaded: Loaded, path: str, code: str, message: str, help_: str | None) -> Diagnostic:
    place = loaded.place(path)
    return Diagnostic(
        code, "error", message, help_, path=path, file=place.file, line=place.line, column=place.column
    )
