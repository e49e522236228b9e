"""What a pool is told and what it tells.

PoolBusy          every place is taken and the queue is full, or the wait was too long
PoolUnavailable   the zygote is down and could not be restarted in time
HardeningMissing  a mechanism named in `require` is unknown or does not work here
WorkerGone        (remote.py) a worker died; costs its own execution
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from proxy.config.model import EngineReuse, Hardening

MECHANISMS: Final[tuple[Hardening, ...]] = get_args(Hardening)


class PoolBusy(Exception):
    """Too many executions at once; try again shortly."""


class PoolUnavailable(Exception):
    """No worker can be made at the moment."""


class HardeningMissing(Exception):
    """This system lacks a mechanism that the configuration requires."""


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """`workers`: how many are kept warm. `running`: how many may be leased at once; beyond that up to `queue`
    callers wait at most `wait_seconds`; one account has at most `running_per_account` (None: half of `running`).
    `memory_bytes`: address space a worker may take beyond its start (the
    JavaScript heap itself ends at 128 MiB). `reuse`: "never", or "workspace": up to `runs` successful
    executions of one workspace in one process, each in a fresh context. `prepare_typescript_seconds`: how
    long after start the TypeScript transform is compiled in the background (about 0.6 s of CPU, once); None
    leaves that to the first code that needs it."""

    workers: int = 2
    memory_bytes: int = 192 * 1024 * 1024
    cpu_seconds: float = 10.0
    require: frozenset[str] = frozenset()
    max_message_bytes: int = 32 * 1024 * 1024
    reuse: EngineReuse = "never"
    runs: int = 20
    running: int = 32
    running_per_account: int | None = None
    queue: int = 256
    wait_seconds: float = 10.0
    prepare_typescript_seconds: float | None = 2.0


@dataclass(frozen=True, slots=True)
class HardeningReport:
    """What protects this pool's workers: each mechanism is "on" or "missing"."""

    level: Mapping[str, Literal["on", "missing"]]

    @property
    def missing(self) -> tuple[str, ...]:
        """The mechanisms that this system lacks."""
        return tuple(name for name, state in self.level.items() if state == "missing")

    def line(self) -> str:
        """One line for the start-up log."""
        if not self.missing:
            return "sandbox: every hardening mechanism is on"
        return f"sandbox: this system lacks {', '.join(self.missing)} (sandbox.require makes that fatal)"


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A moment's figures; counters count from the start of the pool."""

    warm: int
    busy: int
    waiting: int
    spawned: int
    reused: int
    zygote_restarts: int
