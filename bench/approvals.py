"""What approvals cost: `python -m bench.approvals`. Journal, replay, paused executions, pause to resume.

Medians in milliseconds on a quiet machine; stores: memory, and sqlite in a temporary directory.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from integrations.base import Secret
from policies import Rule
from proxy.sandbox import PoolOptions
from proxy.state import State
from proxy.state.opening import open_state
from tests.proxy.executions.world import ALICE, World, world

RULES = (Rule("ask", "demo.org.main.things.create", "require_approval"),)
OPTIONS = PoolOptions(workers=2, memory_bytes=256 * 1024 * 1024, reuse="workspace")
PAUSED = 10_000


@asynccontextmanager
async def store(name: str, folder: Path) -> AsyncIterator[State]:
    keys = (Secret("a key for measuring only"),)
    async with open_state(
        "memory" if name == "memory" else "sqlite", path=folder / "state.db", keys=keys
    ) as state:
        yield state


async def timed(running: World, code: str, times: int) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await running.run(code)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def calls(name: str, count: int) -> str:
    return f"for (let i = 0; i < {count}; i++) await tools.demo.org.main.things.{name}({{i}}); return 1"


async def costs(name: str, folder: Path) -> None:
    async with store(name, folder) as state, world(rules=RULES, state=state, options=OPTIONS) as running:
        trivial = await timed(running, "return 1", 200)
        reads = (await timed(running, calls("get", 50), 40) - trivial) / 50
        writes = (await timed(running, calls("delete", 20), 20) - trivial) / 20
        say(f"{name}: trivial {trivial:.2f} ms, read call {reads:.3f} ms, write call {writes:.3f} ms")
        for count in (10, 100, 900):
            code = calls("get", count).replace(
                "return 1", "return await tools.demo.org.main.things.create({})"
            )
            result = await running.run(code)
            began = time.perf_counter()
            resumed = await running.executions.resume(result.execution_id, "accept", None, None, ALICE)
            took = (time.perf_counter() - began) * 1000
            assert resumed.status == "completed", resumed.text()
            say(f"{name}: pause to result over {count} recorded calls {took:.1f} ms")


async def paused(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with store("sqlite", Path(folder)) as state:
            async with world(
                rules=(Rule("ask", "demo.*", "require_approval"),), state=state, options=OPTIONS
            ) as running:
                before = resident()
                for number in range(count):
                    who = type(ALICE)("ws", f"key:{number % 1000}", "key")
                    await running.run("return await tools.demo.org.main.things.create({})", who)
                say(f"{count} paused executions: {(resident() - before) / 1024:.1f} MiB more in the proxy")


def resident() -> int:
    """KiB of this process."""
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1])


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    for name in ("memory", "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            await costs(name, Path(folder))
    await paused(int(sys.argv[1]) if len(sys.argv) > 1 else PAUSED)


if __name__ == "__main__":
    asyncio.run(main())
