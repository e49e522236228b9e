"""Warm, hardened, single-use worker processes, leased one execution at a time (errors: options.py)."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import MappingProxyType, TracebackType

from proxy.sandbox.background import Background, processors
from proxy.sandbox.demand import WINDOW_SECONDS, Demand
from proxy.sandbox.foreground import Foreground, most_at_once
from proxy.sandbox.options import (
    MECHANISMS,
    HardeningMissing,
    HardeningReport,
    PoolBusy,
    PoolOptions,
    PoolStats,
    PoolUnavailable,
)
from proxy.sandbox.remote import Worker
from proxy.sandbox.seats import Seats
from proxy.sandbox.supervisor import Supervisor, ZygoteFailed, zygote_options
from proxy.sandbox.typescript import TypeScript
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger

_log = Logger("sandbox")

_RESTART_SECONDS = (0.0, 0.1, 0.5, 2.0, 5.0)


def _unheard(waits: bool) -> None:
    """Before its execution has begun, nobody's time is counted."""


class Pool:
    """`async with Pool(options) as pool: async with pool.worker(workspace, deadline) as worker: ...`"""

    def __init__(self, options: PoolOptions, tasks: TaskSupervisor | None = None) -> None:
        unknown = options.require - set(MECHANISMS)
        if unknown:
            raise HardeningMissing(f"unknown mechanism {sorted(unknown)}; known: {', '.join(MECHANISMS)}")
        self._options = options
        self._warm: deque[Worker] = deque()
        self._idle: list[tuple[str, Worker]] = []  # with their workspaces, the longest idle first
        self._demand = Demand()
        self._shrinking: asyncio.TimerHandle | None = None
        per_account = options.running_per_account or max(1, options.running // 2)
        self._seats = Seats(options.running, per_account, options.queue)
        self._foreground = Foreground(most_at_once())
        self._background = Background(processors(), self._foreground.used)
        self._counts: Counter[str] = Counter()
        self._generation = 0
        self._up = asyncio.Event()
        self._hardening = HardeningReport(MappingProxyType({}))
        self._typescript = TypeScript()
        self._supervisor: Supervisor | None = None
        self._tasks = tasks or TaskSupervisor()
        self._keepers: tuple[asyncio.Task[None], ...] = ()

    async def __aenter__(self) -> Pool:
        try:
            await self._start_zygote()
        except BaseException:
            self._typescript.close()
            raise
        self._keepers = (
            self._tasks.keep("zygote", self._keep_zygote),
            self._tasks.keep("transform", self._prepare_typescript),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._tasks.stop(*self._keepers)
        finally:
            self._typescript.close()
            self._drop_warm()
            if self._supervisor is not None:
                self._supervisor.close()

    @property
    def hardening(self) -> HardeningReport:
        """What the zygote found to work on this system."""
        return self._hardening

    @property
    def typescript(self) -> str:
        """Whether TypeScript can be compiled: `not tried yet`, `ok`, or why not."""
        return self._typescript.status

    async def check_typescript(self) -> str | None:
        """Compile a line of it. Why that does not work, or None."""
        return await self._typescript.check()

    def stats(self) -> PoolStats:
        """Figures for status and metrics."""
        counts = self._counts
        return PoolStats(
            warm=len(self._warm) + len(self._idle),
            busy=self._seats.busy,
            waiting=self._seats.waiting,
            spawned=counts["spawned"],
            reused=counts["reused"],
            zygote_restarts=counts["restarts"],
        )

    def retire(self) -> None:
        """Drop every warm worker, and let those at work serve no further execution."""
        self._generation += 1
        self._drop_warm()
        self._refill()

    @asynccontextmanager
    async def worker(
        self, workspace_id: str, deadline_seconds: float, account: str = ""
    ) -> AsyncIterator[Worker]:
        """Lease a worker for an account; it is killed when the deadline passes. Raises PoolBusy, PoolUnavailable."""
        await self._enter(account)
        worker: Worker | None = None
        generation = self._generation
        # Entered before there is a worker: forking one is computing too.
        foreground = self._foreground.place(account)
        try:
            await foreground.enter(_unheard)
            worker = await self._take(workspace_id, behind=foreground.behind)
            worker.open(deadline_seconds, account, foreground, self._background)
            yield worker
        finally:
            if worker is not None:
                self._give_back(worker, workspace_id, generation)
            foreground.give_up()
            self._seats.leave(account)
            # Refilled after this execution's caller went on, so that forking is not on its path.
            asyncio.get_running_loop().call_soon(self._refill)

    async def _enter(self, account: str) -> None:
        seats = self._seats
        place = seats.take(account)
        if place.done():
            return
        try:
            async with asyncio.timeout(self._options.wait_seconds):
                await asyncio.shield(place)
        except TimeoutError:
            seats.withdraw(account, place)
            raise PoolBusy(self._still_waiting(account)) from None
        except asyncio.CancelledError:
            seats.withdraw(account, place)
            raise

    def _still_waiting(self, account: str) -> str:
        why = f"no sandbox worker came free in {self._options.wait_seconds:g} s"
        if not self._seats.is_full(account):
            return why
        running = self._seats.taken(account)
        return f"{why}: {running} executions of this account are running (sandbox.max_running_per_account)"

    # ---- workers -------------------------------------------------------------------------------------------
    async def _take(self, workspace_id: str, *, behind: bool) -> Worker:
        """One that has served the workspace, or a new one. What has a lower priority keeps it, so it is for those who
        are behind."""
        self._demand.note(self._seats.busy, self._now())
        for at in range(len(self._idle) - 1, -1, -1):
            if self._idle[at][0] == workspace_id and self._idle[at][1].lowered == behind:
                worker = self._idle.pop(at)[1]
                if worker.alive:
                    self._counts["reused"] += 1
                    return worker
                worker.close()
        # The last one is for who is not behind: a fork waits for the forks before it.
        while len(self._warm) > behind:
            worker = self._warm.popleft()
            if worker.alive:
                return worker
            worker.close()
        return self._spawn(await self._living_zygote())

    def _give_back(self, worker: Worker, workspace_id: str, generation: int) -> None:
        worker.rest()
        keep = (
            self._options.reuse == "workspace"
            and worker.finished
            and not worker.background
            and worker.alive
            and worker.runs < self._options.runs
            and generation == self._generation
        )
        if keep:
            self._idle.append((workspace_id, worker))
            self._shrink()
        else:
            worker.close()

    def _shrink(self) -> None:
        """Keep as many idle ones as lately were busy, and look again when that may be fewer."""
        least = self._options.workers
        for _, worker in self._idle[: -self._demand.kept(least, self._now()) or None]:
            worker.close()
        self._idle = [one for one in self._idle if one[1].alive]
        if self._shrinking is None and len(self._idle) > least:
            self._shrinking = asyncio.get_running_loop().call_later(WINDOW_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._shrinking = None
        self._shrink()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _spawn(self, supervisor: Supervisor) -> Worker:
        self._counts["spawned"] += 1
        return supervisor.spawn()

    def _refill(self) -> None:
        supervisor = self._supervisor
        if supervisor is None or supervisor.ended.is_set() or not self._up.is_set():
            return
        while len(self._warm) < self._options.workers:
            self._warm.append(self._spawn(supervisor))

    def _drop_warm(self) -> None:
        for worker in [*self._warm, *(worker for _, worker in self._idle)]:
            worker.close()
        if self._shrinking is not None:
            self._shrinking.cancel()
            self._shrinking = None
        self._warm.clear()
        self._idle.clear()

    def _on_worker_end(self, worker: Worker) -> None:
        if worker in self._warm:
            self._warm.remove(worker)
            worker.close()

    async def _prepare_typescript(self) -> None:
        if self._options.prepare_typescript_seconds is not None:
            await asyncio.sleep(self._options.prepare_typescript_seconds)
            await self._typescript.prepare()
            trouble = await self._typescript.check()
            if trouble is not None:
                _log.error("typescript_missing", detail=f"agents must send plain JavaScript: {trouble}")

    # ---- the zygote ----------------------------------------------------------------------------------------
    async def _living_zygote(self) -> Supervisor:
        try:
            async with asyncio.timeout(self._options.wait_seconds):
                await self._up.wait()
        except TimeoutError:
            raise PoolUnavailable("the process that makes sandbox workers is down") from None
        assert self._supervisor is not None
        return self._supervisor

    async def _start_zygote(self) -> None:
        options = self._options
        told = zygote_options(
            memory_bytes=options.memory_bytes,
            cpu_seconds=options.cpu_seconds,
            max_message_bytes=options.max_message_bytes,
            runs=options.runs if options.reuse == "workspace" else 1,
        )
        supervisor = Supervisor(told, self._typescript.transform, self._on_worker_end)
        report = await supervisor.start()
        failed = set(report["failed"])
        self._hardening = HardeningReport(
            MappingProxyType({name: "missing" if name in failed else "on" for name in MECHANISMS})
        )
        lacking = sorted(options.require & failed)
        if lacking:
            supervisor.close()
            raise HardeningMissing(f"sandbox.require names {', '.join(lacking)}, which this system lacks")
        self._supervisor = supervisor
        self._up.set()
        self._refill()

    async def _keep_zygote(self) -> None:
        while True:
            assert self._supervisor is not None
            await self._supervisor.ended.wait()
            self._up.clear()
            _log.error("zygote_ended", detail="another is started")
            await self._restart_zygote()

    async def _restart_zygote(self) -> None:
        attempt = 0
        while True:
            await asyncio.sleep(_RESTART_SECONDS[min(attempt, len(_RESTART_SECONDS) - 1)])
            attempt += 1
            try:
                await self._start_zygote()
            except (ZygoteFailed, HardeningMissing, OSError) as error:
                _log.error("zygote_not_started", attempt=attempt, detail=str(error))
            else:
                self._counts["restarts"] += 1
                return
