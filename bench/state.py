"""What the stores cost: journal, pauses, decisions, sessions, and 10,000 paused executions in memory.

Run: python -m bench.state [memory|sqlite|redis ...]. Budgets: journal 0.3 ms an execute and 0.1 ms an inner call with
sqlite; nothing in the proxy for a paused execution. Times are those of a caller who waits, in microseconds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from integrations.base import Secret
from proxy.state import DecisionRecord, ExecutionRecord, Owner, SessionRecord, State, open_state
from tests.proxy.state.servers import redis_server

OWNER = Owner("one", "key:bench")
KEY = Secret("a key for measuring, long enough")
RECORD = os.urandom(300)
ROUNDS = 3000
PAUSED = 10_000
Step = Callable[[int], Awaitable[object]]


@asynccontextmanager
async def opened(backend: str) -> AsyncIterator[State]:
    """The store, empty; redis without persistence, on a Unix socket."""
    if backend == "redis":
        with redis_server() as server:
            async with open_state("redis", url=Secret(server.url), keys=[KEY]) as state:
                yield state
    elif backend == "sqlite":
        with tempfile.TemporaryDirectory() as directory:
            async with open_state("sqlite", path=Path(directory) / "state.db", keys=[KEY]) as state:
                yield state
    else:
        async with open_state("memory") as state:
            yield state


async def one_by_one(step: Step, count: int = ROUNDS) -> dict[str, float]:
    took: list[float] = []
    for number in range(count):
        began = time.perf_counter()
        await step(number)
        took.append((time.perf_counter() - began) * 1e6)
    took.sort()
    p99 = took[int(count * 0.99)]
    return {"p50": statistics.median(took), "p99": p99, "mean": statistics.mean(took)}


async def side_by_side(step: Step, count: int = ROUNDS, tasks: int = 16) -> dict[str, float]:
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await step(number)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(tasks)))
    return {"per call, 16 at once": (time.perf_counter() - began) / count * 1e6}


def execution(number: int, status: str = "paused", version: int = 0, body: int = 2000) -> ExecutionRecord:
    now = time.time()
    return ExecutionRecord(
        f"exec_{number:032x}", OWNER, status, now, now + 86400, os.urandom(body),  # type: ignore[arg-type]
        due_at=now + 3600, pending=1, version=version,
    )  # fmt: skip


async def measure(backend: str) -> dict[str, dict[str, float]]:
    async with opened(backend) as state:

        async def append(number: int) -> None:
            await state.append_journal(f"exec_{number // 20}", OWNER, [RECORD])

        async def append_to_own(number: int) -> None:
            await state.append_journal(f"own_{number}", OWNER, [RECORD])

        async def trivial(number: int) -> None:
            await state.append_journal(f"trivial_{number}", OWNER, [RECORD], durable=False)
            await state.drop_journal(f"trivial_{number}", OWNER)

        async def trivial_durable(number: int) -> None:
            await state.append_journal(f"durable_{number}", OWNER, [RECORD])
            await state.drop_journal(f"durable_{number}", OWNER)

        async def call(number: int) -> None:
            await state.append_journal(f"call_{number // 20}", OWNER, [RECORD])
            await state.append_journal(f"call_{number // 20}", OWNER, [RECORD], durable=False)

        async def pause(number: int) -> None:
            await state.save_execution(execution(number))

        async def decide(number: int) -> None:
            name = f"exec_{number:032x}"
            decision = DecisionRecord(name, "i1", OWNER, "sha256", time.time() + 60, RECORD)
            await state.decide(decision)
            await state.use_decision(decision, records=[RECORD])

        async def lease(number: int) -> None:
            held = await state.acquire_lease(f"lease_{number}", "bench", 30)
            assert held is not None
            await state.release_lease(held)

        session = SessionRecord("mcp_1", OWNER, os.urandom(500), time.time(), time.time())
        await state.open_session(session, ttl_seconds=1800, owner_cap=10, total_cap=100)
        await state.append_journal("long", OWNER, [RECORD])
        for _ in range(100):
            await state.append_journal("long", OWNER, [RECORD] * 20)

        await one_by_one(append, 200)
        figures = {
            "append, durable": await one_by_one(append),
            "append, durable, side by side": await side_by_side(append_to_own),
            "inner call (dispatch durable, settle held back)": await one_by_one(call),
            "trivial execute (start held back, dropped)": await one_by_one(trivial),
            "trivial execute (start durable, dropped)": await one_by_one(trivial_durable),
            "pause (save, synced)": await one_by_one(pause, 500),
            "decide and use (synced)": await one_by_one(decide, 500),
            "take and give back a lease": await one_by_one(lease, 500),
            "session of a request": await one_by_one(lambda _: state.use_session("mcp_1", 1800)),
            "read 2,000 records": await one_by_one(lambda _: state.read_journal("long", OWNER), 100),
        }
    return figures


async def memory_of_paused(backend: str) -> dict[str, float]:
    """Resident memory added by 10,000 paused executions with a journal of 3 kB and a record of 2 kB each."""
    async with opened(backend) as state:
        for number in range(200):
            await pause(state, PAUSED + number)
        gc.collect()
        before = resident()
        for number in range(PAUSED):
            await pause(state, number)
        gc.collect()
        return {"MB": (resident() - before) / 1e6}


async def memory_of_sessions(backend: str) -> dict[str, float]:
    """Resident memory added by 10,000 idle sessions of 500 bytes each."""
    async with opened(backend) as state:
        gc.collect()
        before = resident()
        for number in range(PAUSED):
            record = SessionRecord(f"mcp_{number:032x}", OWNER, os.urandom(500), time.time(), time.time())
            await state.open_session(record, ttl_seconds=1800, owner_cap=PAUSED * 2, total_cap=PAUSED * 2)
        gc.collect()
        return {"MB": (resident() - before) / 1e6}


async def pause(state: State, number: int) -> None:
    name = f"exec_{number:032x}"
    for _ in range(5):
        await state.append_journal(name, OWNER, [RECORD * 2], durable=False)
    await state.save_execution(execution(number))


def resident() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


MEMORY = {
    "10,000 paused executions, memory of the proxy": memory_of_paused,
    "10,000 idle sessions, memory of the proxy": memory_of_sessions,
}


def fresh(name: str, backend: str) -> dict[str, float]:
    """In a process of its own, so that nothing measured before counts."""
    command = [sys.executable, "-m", "bench.state", "--memory", name, backend]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--memory"]:
        print(json.dumps(uvloop.run(MEMORY[arguments[1]](arguments[2]))))
        return
    for backend in arguments or ["memory", "sqlite", "redis"]:
        print(backend)
        figures = uvloop.run(measure(backend))
        figures |= {name: fresh(name, backend) for name in MEMORY}
        for name, values in figures.items():
            print(f"  {name:<50}" + "  ".join(f"{key} {value:,.1f}" for key, value in values.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
