"""The sandbox that serves now. A reload that changes `sandbox:` starts a new pool and lets the old one finish.

Each pool is opened and closed by one task of its own, so no pool's tasks outlive or cross another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType

from proxy.config.model import SandboxConfig
from proxy.sandbox import Pool, PoolOptions, PoolUnavailable, Worker
from proxy.tasks import TaskSupervisor

CPU_SECONDS = 30.0
RUNNING = 64
# What the config calls a mechanism by its effect, the pool calls by its means.
MECHANISMS = {"not_dumpable": "dumpable", "unprivileged": "user", "no_network": "network"}


@dataclass(slots=True)
class _Slot:
    pool: Pool
    leases: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    retired: asyncio.Event = field(default_factory=asyncio.Event)


def pool_options(config: SandboxConfig) -> PoolOptions:
    """What the config says, as the pool wants it."""
    return PoolOptions(
        workers=config.workers,
        memory_bytes=config.memory + 64 * 1024 * 1024,
        cpu_seconds=CPU_SECONDS,
        require=frozenset(MECHANISMS.get(name, name) for name in config.require),
        reuse=config.reuse,
        running=max(RUNNING, config.workers),
        running_per_account=config.max_running_per_account,
    )


class Sandboxes:
    """Looks like a `Pool` to those who lease workers."""

    def __init__(self, tasks: TaskSupervisor | None = None) -> None:
        self._tasks = tasks or TaskSupervisor()
        self._pools: set[asyncio.Task[None]] = set()
        self._slot: _Slot | None = None
        self._options: PoolOptions | None = None
        self._next: tuple[PoolOptions, _Slot] | None = None

    async def __aenter__(self) -> Sandboxes:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop_next()
        if self._slot is not None:
            self._slot.retired.set()
        if self._pools:
            await asyncio.wait(self._pools)

    @property
    def pool(self) -> Pool:
        assert self._slot is not None, "a config was applied"
        return self._slot.pool

    async def prepare(self, config: SandboxConfig) -> None:
        """Start what `adopt` will serve with. Raises what a pool raises when it cannot start."""
        options = pool_options(config)
        self._drop_next()
        if options == self._options:
            return
        started: asyncio.Future[_Slot] = asyncio.get_running_loop().create_future()
        pool = self._tasks.keep("sandbox pool", lambda: _keep(options, started, self._tasks), restart=False)
        self._pools.add(pool)
        pool.add_done_callback(partial(self._ended, started))
        self._next = (options, await started)

    def _ended(self, started: asyncio.Future[_Slot], pool: asyncio.Task[None]) -> None:
        self._pools.discard(pool)
        if not started.done():
            started.set_exception(PoolUnavailable("the sandbox did not start; the server's log says why"))

    def adopt(self) -> None:
        """Serve with what was prepared; without it, only drop warm workers made under the older config."""
        if self._next is None:
            self.pool.retire()
            return
        old = self._slot
        (self._options, self._slot), self._next = self._next, None
        if old is not None:
            old.retired.set()

    def _drop_next(self) -> None:
        if self._next is not None:
            self._next[1].retired.set()
            self._next = None

    @asynccontextmanager
    async def worker(
        self, workspace_id: str, deadline_seconds: float, account: str = ""
    ) -> AsyncIterator[Worker]:
        """Lease a worker of the current pool; its pool stays open until the lease ends."""
        slot = self._slot
        assert slot is not None, "a config was applied"
        slot.leases += 1
        slot.idle.clear()
        try:
            async with slot.pool.worker(workspace_id, deadline_seconds, account) as worker:
                yield worker
        finally:
            slot.leases -= 1
            if not slot.leases:
                slot.idle.set()


async def _keep(options: PoolOptions, started: asyncio.Future[_Slot], tasks: TaskSupervisor) -> None:
    """Owns one pool. Its executions are bounded by their own lifetime, so the wait for them ends."""
    try:
        async with Pool(options, tasks) as pool:
            slot = _Slot(pool)
            slot.idle.set()
            if started.cancelled():
                # The reload that wanted this pool was superseded while it started.
                return
            started.set_result(slot)
            await slot.retired.wait()
            await slot.idle.wait()
    except Exception as error:
        if started.cancelled():
            return
        if started.done():
            raise
        started.set_exception(error)
