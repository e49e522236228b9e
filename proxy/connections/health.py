"""Health probes: a read-only tool of each connection, asked now and then, so that a dead token is seen before an
agent meets it.

Rules
- A probe is a call of the connection, not of a caller: no policy judges it, so only tools that read may be probed.
- Nothing waits for a probe, and none runs before the connection serves. At most `AT_ONCE` run at the same time.
- Reports name codes and HTTP statuses, never the upstream's words: those may repeat a credential.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from integrations.base import Failure, InvalidArguments, JsonObject, PreparedCall, Result
from integrations.paths import dig
from integrations.shared_config import Health
from proxy.config import Config
from proxy.connections.connection import OpenConnection
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger, Millis

AT_ONCE: Final = 8
PROBE_SECONDS: Final = 10.0
FIRST_SECONDS: Final = 2.0
log = Logger("connections")


@dataclass(frozen=True, slots=True)
class HealthReport:
    """`healthy` is None when the probe could not be made; `error` then says what is wrong with it."""

    healthy: bool | None
    at: datetime
    milliseconds: int = 0
    identity: str | None = None
    error: str | None = None

    def as_json(self) -> JsonObject:
        shown: JsonObject = {
            "healthy": self.healthy,
            "checkedAt": self.at.isoformat(timespec="seconds"),
            "milliseconds": self.milliseconds,
        }
        given = {"identity": self.identity, "error": self.error}
        return shown | {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """One connection and how to probe it."""

    connection: OpenConnection
    health: Health


def targets_of(connections: Mapping[str, OpenConnection], config: Config) -> list[ProbeTarget]:
    """The connections whose integration says how to probe it. A probe is nobody's call, so where every account signs in
    for itself there is nothing to probe with."""
    asked = {name: one.health for name, one in config.integrations.items() if one.health is not None}
    return [
        ProbeTarget(one, asked[one.integration])
        for one in connections.values()
        if one.integration in asked and not (one.oauth is not None and one.oauth.per_user)
    ]


async def probe(target: ProbeTarget) -> HealthReport:
    """One call. Never raises for what an upstream does."""
    now = datetime.now(UTC)
    call = _prepared(target)
    if isinstance(call, str):
        return HealthReport(None, now, error=call)
    started = time.perf_counter()
    result = await _invoked(target.connection, call)
    milliseconds = round((time.perf_counter() - started) * 1000)
    if isinstance(result, Failure):
        status = f" (HTTP {result.status})" if result.status is not None else ""
        return HealthReport(False, now, milliseconds, error=f"{result.code}{status}")
    return HealthReport(True, now, milliseconds, _identity(target, result.data))


async def _invoked(connection: OpenConnection, call: PreparedCall) -> Result:
    try:
        async with asyncio.timeout(PROBE_SECONDS + 1):
            return await connection.invoke(call, PROBE_SECONDS)
    except TimeoutError:
        return Failure("upstream_timeout", "")


def _prepared(target: ProbeTarget) -> PreparedCall | str:
    """The call, or why there is none."""
    upstream, tool = target.connection.upstream, target.health.tool
    if upstream is None:
        return str(target.connection.status.get("error", "the connection is not ready"))
    definition = next((one for one in upstream.toolset.tools if one.name == tool), None)
    if definition is None:
        return f"there is no tool `{tool}`"
    if definition.risk != "read":
        return f"`{tool}` does not only read"
    try:
        return upstream.prepare(tool, dict(target.health.arguments))
    except InvalidArguments as error:
        return f"wrong arguments for `{tool}`: {error}"


def _identity(target: ProbeTarget, data: object) -> str | None:
    found = dig(data, target.health.identity) if target.health.identity else None
    if not isinstance(found, str | int):
        return None
    text = str(found)[:200]
    return "[redacted]" if any(secret in text for secret in target.connection.known_secrets()) else text


Reported = Callable[[str, HealthReport | None, HealthReport], None]


def log_change(prefix: str, before: HealthReport | None, now: HealthReport) -> None:
    """A line when a connection becomes unhealthy, and when it is well again."""
    if before is not None and before.healthy == now.healthy:
        return
    if now.healthy:
        log.info("connection_healthy", connection=prefix, **{"in": Millis(now.milliseconds)})
    else:
        log.warning("connection_unhealthy", connection=prefix, error=now.error)


@dataclass(slots=True)
class _Watched:
    target: ProbeTarget
    changed: asyncio.Event
    task: asyncio.Task[None] | None = None


class HealthChecks:
    """Probes what is watched, and remembers the last report of each connection. Its tasks live in `tasks`.

    `reported` hears of every report with the one before it; the first probes are spread over `first_seconds`.
    """

    def __init__(
        self,
        tasks: TaskSupervisor,
        reported: Reported = log_change,
        first_seconds: float = FIRST_SECONDS,
    ) -> None:
        self._tasks = tasks
        self._reported = reported
        self._first_seconds = first_seconds
        self._watched: dict[str, _Watched] = {}
        self._reports: dict[str, HealthReport] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    def report(self, prefix: str) -> HealthReport | None:
        """The last one of a watched connection; None before the first."""
        return self._reports.get(prefix)

    def watch(self, targets: Iterable[ProbeTarget]) -> None:
        """Watch these connections, and no others any more. One whose tools or probe changed is probed soon."""
        wanted = {target.connection.prefix: target for target in targets}
        for prefix in self._watched.keys() - wanted.keys():
            self._forget(prefix)
        for prefix, target in wanted.items():
            known = self._watched.get(prefix)
            if known is None:
                self._begin(prefix, target)
                continue
            if _differs(known.target, target):
                known.changed.set()
            known.target = target

    async def stop(self) -> None:
        tasks = [watched.task for watched in self._watched.values()]
        self.watch(())
        await self._tasks.stop(*tasks)

    def _begin(self, prefix: str, target: ProbeTarget) -> None:
        watched = self._watched[prefix] = _Watched(target, asyncio.Event())
        watched.task = self._tasks.keep("health", lambda: self._keep(prefix, watched), about=prefix)

    def _forget(self, prefix: str) -> None:
        task = self._watched.pop(prefix).task
        self._reports.pop(prefix, None)
        if task is not None:
            task.cancel()

    async def _keep(self, prefix: str, watched: _Watched) -> None:
        pause = random.uniform(0, self._first_seconds)  # noqa: S311 - spreads the probes, no secret
        while True:
            await _pause(watched.changed, pause)
            async with self._places:
                report = await _probe_guarded(watched.target)
            self._reported(prefix, self._reports.get(prefix), report)
            self._reports[prefix] = report
            pause = watched.target.health.interval * random.uniform(0.9, 1.1)  # noqa: S311 - as above


async def _probe_guarded(target: ProbeTarget) -> HealthReport:
    before = time.perf_counter()
    try:
        return await probe(target)
    # A defect of ours in a probe must not end the task group, and with it the server.
    except Exception as error:
        log.error("probe_defect", connection=target.connection.prefix, cause=type(error).__name__)
        milliseconds = round((time.perf_counter() - before) * 1000)
        return HealthReport(None, datetime.now(UTC), milliseconds, error="internal_error")


async def _pause(changed: asyncio.Event, seconds: float) -> None:
    """Until the time is over or something changed, whichever is first."""
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return
    changed.clear()


def _differs(before: ProbeTarget, now: ProbeTarget) -> bool:
    same_tools = before.connection.digest == now.connection.digest
    return before.health != now.health or not same_tools


async def probe_all(targets: Iterable[ProbeTarget]) -> Mapping[str, HealthReport]:
    """Every connection once, at the same time; by prefix."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(target: ProbeTarget) -> tuple[str, HealthReport]:
        async with places:
            return target.connection.prefix, await probe(target)

    return dict(await asyncio.gather(*map(one, targets)))
