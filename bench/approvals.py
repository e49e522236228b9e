"""What approvals cost: `python -m bench.approvals [memory|sqlite|redis ...]`. Journal, replay, paused executions.

Times are medians in milliseconds: the wall's, and the CPU time of this process where other work may disturb the wall.
`sqlite` is a file in a temporary directory, `redis` a server of our own with its append-only file off. The journal's
cost is the difference to `memory`, which writes none to anywhere. `--paused N` sets how many executions wait (10,000).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL

from integrations.base import Secret
from policies import Rule
from proxy.sandbox import PoolOptions
from proxy.state import State
from proxy.state.opening import open_state
from tests.e2e import configs
from tests.e2e.running import Proxy, serving, spawn
from tests.proxy.executions.world import ALICE, World, world
from tests.proxy.state.servers import redis_server
from tests.replicas.fleet import AGENT, Caller, config
from tests.replicas.upstream import ledger

RULES = (Rule("ask", "demo.org.main.things.create", "require_approval"),)
OPTIONS = PoolOptions(workers=2, memory_bytes=256 * 1024 * 1024, reuse="workspace")
PAUSED = 10_000
KEYS = (Secret("a key for measuring only"),)


@asynccontextmanager
async def store(name: str) -> AsyncIterator[State]:
    """Empty."""
    with tempfile.TemporaryDirectory() as folder:
        if name == "redis":
            with redis_server() as server:
                async with open_state("redis", url=Secret(server.url), keys=KEYS) as state:
                    yield state
        elif name == "sqlite":
            async with open_state("sqlite", path=Path(folder) / "state.db", keys=KEYS) as state:
                yield state
        else:
            async with open_state("memory") as state:
                yield state


async def timed(work: Callable[[], Awaitable[object]], times: int) -> tuple[float, float]:
    """Median of the wall and mean of the CPU, in milliseconds."""
    took, cpu = [], time.process_time()
    for _ in range(times):
        began = time.perf_counter()
        await work()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), (time.process_time() - cpu) * 1000 / times


def calls(name: str, count: int) -> str:
    return f"for (let i = 0; i < {count}; i++) await tools.demo.org.main.things.{name}({{i}});"


async def costs(name: str) -> None:
    async with store(name) as state, world(rules=RULES, state=state, pool_options=OPTIONS) as running:
        trivial = await timed(lambda: running.run("return 1"), 300)
        say(f"{name}: trivial execute {trivial[0]:.2f} ms, {trivial[1]:.2f} CPU")
        for what, tool, count in (("read", "get", 50), ("write", "delete", 20)):
            code = f"{calls(tool, count)} return 1"
            wall, cpu = await timed(lambda code=code: running.run(code), 30)  # type: ignore[misc]
            each = ((wall - trivial[0]) / count, (cpu - trivial[1]) / count)
            say(f"{name}: one {what} call {each[0]:.3f} ms, {each[1]:.3f} CPU")
        before = 0.0
        for count in (0, 10, 100, 999):
            wall, cpu = await resumed(running, count)
            say(
                f"{name}: resume to result over {count} recorded calls {wall:.1f} ms, {cpu:.1f} CPU"
                + (f"; {(cpu - before) / count:.3f} ms CPU each" if count else "")
            )
            before = before or cpu


async def resumed(running: World, count: int) -> tuple[float, float]:
    """Wall and CPU from the decision to the result; the best of five, for nothing makes it faster than it is."""
    found = []
    for _ in range(5):
        code = f"{calls('get', count)} return await tools.demo.org.main.things.create({{}})"
        paused = await running.run(code)
        began, cpu = time.perf_counter(), time.process_time()
        result = await running.executions.resume(
            paused.execution_id, "accept", None, paused.interactions[0].id, ALICE
        )
        took = ((time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000)
        assert result.status == "completed", result.text()
        found.append(took)
    return min(found)


async def paused(name: str, count: int) -> None:
    """Memory of this process, with pages shared with its workers counted in part (PSS)."""
    rules = (Rule("ask", "demo.*", "require_approval"),)
    async with store(name) as state, world(rules=rules, state=state, pool_options=OPTIONS) as running:
        await wait_for_people(running, 500)
        before = resident()
        began = time.perf_counter()
        await wait_for_people(running, count)
        each = (time.perf_counter() - began) * 1000 / count
        say(
            f"{name}: {count} paused executions: {(resident() - before) / 1024:+.1f} MiB in the proxy; "
            f"{each:.1f} ms to pause one"
        )


async def wait_for_people(running: World, count: int) -> None:
    """They stay paused: one account may have 50 questions, so there are many accounts."""
    for number in range(count):
        who = type(ALICE)("ws", f"key:{count}-{number // 40}", "key")
        result = await running.run("return await tools.demo.org.main.things.create({})", who)
        assert result.waiting, result.text()


def resident() -> int:
    """KiB of this process."""
    gc.collect()
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])


def restarted(folder: Path) -> None:
    """The server is killed while an execution waits; another one on the same file goes on with it."""
    with ledger() as api:
        file = configs.write(folder / "executor.yaml", config(api, state={"backend": "sqlite"}))
        code = "return (await tools.plain.org.main.ledger.post({run: 'r', n: '1'})).data.text"
        with serving(file, folder / "state") as first:
            waiting = asyncio.run(Caller(first.url, AGENT).execute(code))
            first.signal_group(SIGKILL)
            first.wait()
        began = time.perf_counter()
        second = spawn("serve", "--config", str(file), "--listen", "127.0.0.1:0", state=folder / "state")
        second.ready()
        ready = time.perf_counter()
        (question,) = waiting.structured["interactions"]
        asked = Caller(second.url, AGENT).resume(
            waiting.structured["executionId"], interactionId=question["id"]
        )
        assert asyncio.run(asked).value == "post 1"
        done = time.perf_counter()
        say(
            f"across a restart (sqlite): new process to ready {(ready - began) * 1000:.0f} ms, "
            f"{spent(second):.0f} CPU; resume to result {(done - ready) * 1000:.0f} ms"
        )
        second.stop()


def spent(proxy: Proxy) -> float:
    """CPU milliseconds of the server's own process so far."""
    fields = Path(f"/proc/{proxy.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", default=["memory", "sqlite", "redis"])
    parser.add_argument("--paused", type=int, default=PAUSED)
    options = parser.parse_args()
    for name in options.stores:
        asyncio.run(costs(name))
    for name in options.stores:
        if name != "memory":
            asyncio.run(paused(name, options.paused))
    with tempfile.TemporaryDirectory() as folder:
        restarted(Path(folder))


if __name__ == "__main__":
    main()
