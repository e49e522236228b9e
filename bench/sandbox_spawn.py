"""The sandbox alone: what an execution costs on the path and in all.

Run: `python bench/sandbox_spawn.py [--json]`. Targets on two cores: a trivial run takes at most 1 ms (median) on
the path with a warm worker, and 4 ms of CPU in all.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from proxy.sandbox import Blocked, Pool, PoolOptions, ResultDelivery, StartMessage

SEED = "5e" * 32
TYPED = "interface A { x: number }\nconst a: A = { x: 1 };\nreturn a.x as number"


async def run(pool: Pool, code: str) -> Any:
    async with pool.worker("bench", 30) as worker:
        await worker.start(StartMessage(code, SEED, 1000.0))
        message = await worker.receive()
        while isinstance(message, Blocked):
            await worker.deliver(
                [ResultDelivery(1001.0, call.seq, b'{"ok":true,"data":1}') for call in message.calls]
            )
            message = await worker.receive()
        return message


async def spaced(pool: Pool, code: str, count: int) -> dict[str, float]:
    """Milliseconds for one run at a time, with time between for the pool to warm another worker."""
    times = []
    for _ in range(count):
        await asyncio.sleep(0.008)
        began = time.perf_counter()
        await run(pool, code)
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return {"p50": times[count // 2], "p99": times[min(count - 1, count * 99 // 100)]}


async def crowd(pool: Pool, code: str, clients: int, each: int) -> float:
    """Runs per second with so many clients."""

    async def client() -> None:
        for _ in range(each):
            await run(pool, code)

    began = time.perf_counter()
    await asyncio.gather(*[client() for _ in range(clients)])
    return clients * each / (time.perf_counter() - began)


def cpu() -> float:
    """CPU seconds of this process and of all children that were waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


async def total_cpu(reuse: Any, count: int) -> float:
    """Milliseconds of CPU a run, everything included: ours, the zygote's, the workers'."""
    began = cpu()
    async with Pool(PoolOptions(reuse=reuse, prepare_typescript_seconds=None)) as pool:
        for _ in range(count):
            await run(pool, "1+1")
    idle = cpu()
    async with Pool(PoolOptions(reuse=reuse, prepare_typescript_seconds=None)):
        pass
    return ((idle - began) - (cpu() - idle)) / count * 1000


def resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


async def measure() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for reuse in ("never", "workspace"):
        began = time.perf_counter()
        async with Pool(PoolOptions(reuse=reuse, prepare_typescript_seconds=None)) as pool:
            figures[f"{reuse}: start, ms"] = (time.perf_counter() - began) * 1000
            figures[f"{reuse}: trivial, ms"] = await spaced(pool, "1+1", 300)
            figures[f"{reuse}: one call, ms"] = await spaced(
                pool, "return (await tools.a.b({x: 1})).data", 200
            )
            fifty = "return (await Promise.all(Array.from({length: 50}, (_, n) => tools.a.b({n})))).length"
            figures[f"{reuse}: 50 calls, ms"] = await spaced(pool, fifty, 100)
            await run(pool, TYPED)
            figures[f"{reuse}: TypeScript, ms"] = await spaced(pool, TYPED, 100)
            figures[f"{reuse}: 16 clients, runs/s"] = await crowd(pool, "1+1", 16, 40)
            if pool._supervisor is not None:
                figures[f"{reuse}: zygote, KiB"] = resident_kib(pool._supervisor.pid)
        figures[f"{reuse}: CPU a run in all, ms"] = await total_cpu(reuse, 300)
    return figures


def main() -> None:
    figures = asyncio.run(measure())
    if "--json" in sys.argv:
        print(json.dumps(figures))
        return
    print(f"{os.cpu_count()} cores")
    for name, figure in figures.items():
        text = (
            "  ".join(f"{key} {value:.2f}" for key, value in figure.items())
            if isinstance(figure, dict)
            else f"{figure:.2f}"
        )
        print(f"{name:34} {text}")


if __name__ == "__main__":
    main()
