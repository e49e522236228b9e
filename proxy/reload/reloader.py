"""Carries out reloads, one at a time: read, judge, build, swap.

Rules:
- Whatever fails before the swap leaves the running generation untouched.
- What was validated is what is built: a `Loaded` is never read again, only replaced by a newer one.
- A reload asked for during a build starts over if the content is newer, and joins the build if it is not.
- Advice is asked for after the swap, and not at all when something newer is wanted: nothing waits for it.
- The work belongs to the reloader's task, not to the request that asked: hanging up changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from proxy.config.diagnostic import Diagnostic
from proxy.config.footprint import content_digest
from proxy.config.report import Summary
from proxy.config.watch import Watcher
from proxy.live import ReloadResult
from proxy.reload.decisions import (
    Effects,
    Loaded,
    Rejected,
    ReloadOutcome,
    Running,
    Trigger,
    for_a_running_process,
    judge,
    restart_required,
    summary_of,
)
from proxy.reload.requests import ReloadRequests
from proxy.reload.status import ReloadStatus
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger, MetricsRegistry, new_correlation_id

# A rejected config is said again, so that the line is still among the last lines somebody reads.
REMIND_SECONDS: Final = 300.0
# Files that change while they are read are read again this often; then the reload waits until they rest.
READS: Final = 5

L = TypeVar("L", bound=Loaded)
G = TypeVar("G")


class ReloadStopped(RuntimeError):
    """The server is shutting down; nobody will answer this reload."""


class _Moving(Exception):
    """The files did not hold still long enough to be read as a whole."""


@dataclass(frozen=True, slots=True)
class _Read(Generic[L]):
    loaded: L
    references: str


class Reloader(Generic[L, G]):
    """`async with Reloader(...) as reloader: outcome = await reloader.reload("start")`.

    `load` blocks, and never raises for bad content. `build(loaded, generation)` makes the new generation
    without touching the running one; it may raise `Rejected`. It is cancelled when newer content
    supersedes it and must then close what it opened. `swap` assigns the pointer, tells the clients and
    must not fail. `advise(loaded)` blocks, and adds warnings; `standing()` are those of what serves.
    `on_outcome` hears how each reload ended, and must not block. `references(config)` are the files whose
    content belongs to the config (specs). `clock` is monotonic, `now` is Unix time, both in seconds.
    """

    def __init__(
        self,
        load: Callable[[], L],
        build: Callable[[L, int], Coroutine[Any, Any, G]],
        swap: Callable[[G], Effects | None],
        *,
        metrics: MetricsRegistry,
        watcher: Watcher | None = None,
        references: Callable[[Any], Sequence[Path]] = lambda _config: (),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        remind_seconds: float = REMIND_SECONDS,
        on_outcome: Callable[[ReloadOutcome], None] = lambda outcome: None,
        advise: Callable[[L], L] | None = None,
        standing: Callable[[], Sequence[Diagnostic]] = tuple,
        tasks: TaskSupervisor | None = None,
    ) -> None:
        self._tasks = tasks or TaskSupervisor()
        self._load, self._build, self._swap = load, build, swap
        self._watcher, self._references = watcher, references
        self._clock = clock
        self._status = ReloadStatus(metrics, clock=clock, now=now, remind_seconds=remind_seconds)
        self._log = Logger("config")
        self._started: Any = None
        self._on_outcome = on_outcome
        self._advise, self._standing = advise, standing
        self._requests = ReloadRequests()
        self._owner: asyncio.Task[None] | None = None
        self._stopped = False

    async def __aenter__(self) -> Self:
        self._owner = self._tasks.keep("reload", self._serve)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        await self._tasks.stop(self._owner)
        self._requests.stop()

    def request(self, trigger: Trigger) -> None:
        """Asks for a reload without waiting for it."""
        self._requests.ask(trigger)

    async def reload(self, trigger: Trigger) -> ReloadOutcome:
        """Reloads the content as it is now and waits for the outcome. Raises `ReloadStopped` at shut-down."""
        if self._stopped:
            raise ReloadStopped("the server is shutting down")
        outcome = await asyncio.shield(self._requests.ask(trigger))
        if outcome is None:
            raise ReloadStopped("the server is shutting down")
        return outcome

    def status(self) -> dict[str, Any]:
        """For `GET /-/status`."""
        return self._status.status()

    def warn(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Log what shows to be wrong with the config while it serves, as after a reload."""
        self._status.warn(diagnostics)

    @property
    def in_sync(self) -> bool:
        """Whether the newest content is what runs (`/-/ready?config=latest`)."""
        return self._status.in_sync

    @property
    def last(self) -> ReloadOutcome | None:
        return self._status.last

    async def _serve(self) -> None:
        while True:
            if await self._requests.wanted_within(self._status.remind_in()):
                outcome = await self._guarded()
                try:
                    self._status.note(outcome)
                    self._on_outcome(outcome)
                finally:
                    # Whoever waits gets the outcome, whatever happened to those who only hear of it.
                    self._requests.answer(outcome)
            else:
                # A rejection is repeated until it is mended.
                self._status.say()

    async def _guarded(self) -> ReloadOutcome:
        began = self._clock()
        try:
            return await self._attempt(began)
        except _Moving:
            return self._gave_up("the config files keep changing while they are read", began)
        # A defect in a build must not end the server, which runs well on what it has; the cause is logged.
        except Exception as error:
            identifier = new_correlation_id()
            self._log.exception("reload failed", error, id=identifier)
            return self._gave_up(f"internal error [{identifier}]", began)

    async def _attempt(self, began: float) -> ReloadOutcome:
        self._requests.join()
        read = await self._read()
        while True:
            step = judge(read.loaded, read.references, self._status.running)
            if step == "reject":
                return self._rejected(read.loaded.diagnostics, read.loaded, began)
            if step == "keep":
                return await self._advised(self._unchanged(read.loaded, began), read.loaded)
            number = self._status.generation + 1
            building = asyncio.get_running_loop().create_task(
                self._build(read.loaded, number), name="config-build"
            )
            newer = await self._superseded(building, read)
            if newer is None:
                return await self._advised(self._finished(building, read, began), read.loaded)
            if not building.cancelled() and building.exception() is None:
                # It was done before it could be cancelled: it serves until the newer one does.
                self._status.note(self._finished(building, read, began))
            read = newer

    async def _superseded(self, building: asyncio.Task[G], read: _Read[L]) -> _Read[L] | None:
        """Waits for the build. If it was cancelled because the files have newer content: that content."""
        try:
            while not building.done():
                await self._requests.wanted_or_done(building)
                if building.done() or not self._requests.wanted:
                    continue
                self._requests.join()
                newer = await self._read()
                if (newer.loaded.raw_digest, newer.references) != (read.loaded.raw_digest, read.references):
                    return newer
            return None
        finally:
            if not building.done():
                building.cancel()
                await asyncio.wait([building])

    def _finished(self, building: asyncio.Task[G], read: _Read[L], began: float) -> ReloadOutcome:
        """The swap. There is no `await` in here: nobody can see a part of it."""
        try:
            generation = building.result()
        except Rejected as rejected:
            said = (*read.loaded.diagnostics, *rejected.diagnostics)
            return self._rejected(said, read.loaded, began, rejected.error)
        effects = self._swap(generation)
        if self._started is None:
            self._started = read.loaded.config
        self._status.running = Running(
            generation=self._status.generation + 1,
            sha256=read.loaded.sha256,
            references=read.references,
            summary=summary_of(read.loaded, self._elapsed_ms(began)),
            restart_required=restart_required(self._started, read.loaded.config),
        )
        said = (*read.loaded.diagnostics, *(effects.warnings if effects is not None else ()))
        return self._outcome("applied", read.loaded, began, diagnostics=said, effects=effects)

    def _unchanged(self, loaded: L, began: float) -> ReloadOutcome:
        """What the tools showed to be wrong when they were loaded still is."""
        found = tuple(self._standing())
        said = (*loaded.diagnostics, *found)
        return self._outcome("unchanged", loaded, began, diagnostics=said, effects=Effects(warnings=found))

    async def _advised(self, outcome: ReloadOutcome, loaded: L) -> ReloadOutcome:
        """The outcome with the lint of what runs now; as it is when it runs not, or something newer is wanted."""
        if self._advise is None or outcome.result == "rejected":
            return outcome
        advising = asyncio.get_running_loop().create_task(
            asyncio.to_thread(self._advise, loaded), name="config-advice"
        )
        try:
            await self._requests.wanted_or_done(advising)
        finally:
            advising.cancel()
        if not advising.done():
            return outcome
        return replace(outcome, diagnostics=(*advising.result().diagnostics, *outcome.effects.warnings))

    async def _read(self) -> _Read[L]:
        """Everything that is there now, in one piece: nothing changed between the first byte and the last."""
        for _ in range(READS):
            before = await self._fingerprint()
            loaded = await asyncio.to_thread(self._load)
            if before == await self._fingerprint():
                return _Read(loaded, await self._referred(loaded))
        raise _Moving

    async def _fingerprint(self) -> str:
        return await asyncio.to_thread(self._watcher.digest) if self._watcher else ""

    async def _referred(self, loaded: L) -> str:
        """The digest of the files that the config names; the watcher looks after them from now on."""
        if loaded.config is None:
            return ""
        files = await asyncio.to_thread(lambda: tuple(self._references(loaded.config)))
        if self._watcher is not None:
            await self._watcher.refer(files)
        return await asyncio.to_thread(content_digest, files)

    def _rejected(
        self, diagnostics: Sequence[Diagnostic], loaded: L, began: float, error: str | None = None
    ) -> ReloadOutcome:
        told = for_a_running_process(diagnostics) if self._status.running else tuple(diagnostics)
        return self._outcome("rejected", loaded, began, diagnostics=told, error=error)

    def _gave_up(self, error: str, began: float) -> ReloadOutcome:
        return self._outcome("rejected", None, began, error=error)

    def _outcome(
        self,
        result: ReloadResult,
        loaded: L | None,
        began: float,
        *,
        diagnostics: tuple[Diagnostic, ...] | None = None,
        effects: Effects | None = None,
        error: str | None = None,
    ) -> ReloadOutcome:
        status, elapsed_ms = self._status, self._elapsed_ms(began)
        known = loaded.diagnostics if loaded else ()
        return ReloadOutcome(
            result=result,
            trigger=self._requests.trigger,
            generation=status.generation,
            sha256=status.sha256,
            diagnostics=known if diagnostics is None else diagnostics,
            summary=summary_of(loaded, elapsed_ms) if loaded else Summary(0, 0, 0, 0, elapsed_ms),
            restart_required=status.running.restart_required if status.running else (),
            elapsed_ms=elapsed_ms,
            effects=effects or Effects(),
            error=error,
        )

    def _elapsed_ms(self, began: float) -> int:
        return round((self._clock() - began) * 1000)


async def follow(changes: AsyncIterable[str], reloader: Reloader[Any, Any]) -> None:
    """Asks for a reload at every change of a watcher; one that is still at work is superseded."""
    async for _ in changes:
        reloader.request("watch")
