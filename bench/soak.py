"""`python -m bench.soak --minutes 60 [--store sqlite|redis]`: everything at once for a long time, and what grows.

Mixed traffic of three accounts, reloads (some of them broken), hostile code, an upstream that dies and comes back,
workers and transforms killed, clients that leave, idle or never read. Every few seconds it samples memory (PSS of all
processes), descriptors, threads and asyncio tasks of the server, and the p99 of one modest account. It prints the slope
of each over the second half, and writes `bench/results/soak-<store>.svg` and `.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.fairness import MODEST, Account, account, config_of
from bench.run import HOSTILE
from bench.server import HERE, Server, free_port, serve, tree_memory, upstream
from bench.upstream import document
from tests.proxy.state.servers import redis_server

TRAFFIC = (
    "return (await tools.bench.org.main.items.get({id: 1})).data.id",
    "return (await Promise.all([1, 2, 3].map(id => tools.bench.org.main.items.get({id, ms: 20})))).length",
    "return (await tools.flaky.org.main.items.get({id: 1, ms: 5})).ok",
    "const n: number = %d; enum E { A = 1 }; return n + E.A",
    "return (await tools.search({query: 'get item %d'})).total",
    "return await tools.catalog.tools({limit: 20, includeSchemas: true})",
    "return await tools['no.such.tool.%d']({})",
    "await new Promise(done => setTimeout(done, 50)); emit({n: %d}); console.log('x'.repeat(1000)); return 1",
    "throw new Error('%d')",
    "return 'x'.repeat(300000)",
)
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")


@dataclass
class Soak:
    """What the parts share: the server, its config, and what was counted."""

    server: Server
    config: dict[str, Any]
    rest: float = 0.1
    over: asyncio.Event = field(default_factory=asyncio.Event)
    counts: Counter[str] = field(default_factory=Counter)
    taken: list[float] = field(default_factory=list)
    samples: list[dict[str, float]] = field(default_factory=list)

    async def pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)


# ---- what goes on ----------------------------------------------------------------------------------------------------
async def traffic(soak: Soak, number: int) -> None:
    """One client that sends one execution after another."""
    async with account(soak.server.port, f"greedy{number % 3}") as one:
        for turn in itertools.count(number):
            if soak.over.is_set():
                return
            code = TRAFFIC[turn % len(TRAFFIC)].replace("%d", str(turn))
            status = await run(soak, one, code, 20_000)
            soak.counts[f"traffic {status}"] += 1
            await soak.pause(soak.rest)


async def run(soak: Soak, one: Account, code: str, timeout_ms: int) -> str:
    try:
        return await one.run(code, timeout_ms)
    except (OSError, asyncio.IncompleteReadError) as error:
        return type(error).__name__


async def modest(soak: Soak) -> None:
    async with account(soak.server.port, "modest") as one:
        while not soak.over.is_set():
            began = time.perf_counter()
            status = await run(soak, one, MODEST, 20_000)
            soak.taken.append((time.perf_counter() - began) * 1e3)
            soak.counts[f"modest {status}"] += 1
            await soak.pause(0.05)


async def hostile(soak: Soak) -> None:
    async with account(soak.server.port, "greedy7") as one:
        for code in itertools.cycle(HOSTILE.values()):
            if soak.over.is_set():
                return
            soak.counts[f"hostile {await run(soak, one, code, 1_000)}"] += 1
            await soak.pause(3)


async def reloads(soak: Soak) -> None:
    file = soak.server.folder / "executor.yaml"
    for turn in itertools.count():
        await soak.pause(7)
        if soak.over.is_set():
            return
        text = json.dumps(
            soak.config | {"policies": [{"pattern": "*", "action": "approve", "id": f"turn-{turn}"}]}
        )
        file.write_text(text if turn % 4 else text[:-20])
        soak.counts["reloads asked for"] += 1


async def killing(soak: Soak) -> None:
    """Workers and transforms die by SIGKILL; now and then the process that makes workers does."""
    chance = random.Random(5)
    for turn in itertools.count(1):
        await soak.pause(5)
        if soak.over.is_set():
            return
        children = [pid for pid in _children(soak.server.process.pid)]
        grandchildren = [pid for child in children for pid in _children(child)]
        victims = children if turn % 10 == 0 else grandchildren
        if victims:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(chance.choice(victims), signal.SIGKILL)
                soak.counts["processes killed"] += 1


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


async def clients(soak: Soak) -> None:
    """Those that close at once, those that stay idle, and those that never read."""
    body = json.dumps({"code": "return 'x'.repeat(200000)"}).encode()
    head = "POST /api/v1/executions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer greedy6\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    held: list[asyncio.StreamWriter] = []
    while not soak.over.is_set():
        with suppress(OSError):
            for kind in ("closed", "idle", "unread"):
                _, writer = await asyncio.open_connection("127.0.0.1", soak.server.port)
                if kind != "idle":
                    writer.write(request)
                soak.counts[f"clients {kind}"] += 1
                if kind == "closed":
                    writer.close()
                else:
                    held.append(writer)
        while len(held) > 20:
            held.pop(0).transport.abort()
        await soak.pause(1)
    for writer in held:
        writer.transport.abort()


@asynccontextmanager
async def dying(soak: Soak, port: int) -> AsyncIterator[None]:
    """An upstream that is killed and started again."""
    process: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        command = [sys.executable, str(HERE / "upstream.py"), str(port)]
        process.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    async def turns() -> None:
        while not soak.over.is_set():
            start()
            await soak.pause(11)
            process[-1].kill()
            process.pop().wait()
            await soak.pause(4)
            soak.counts["upstream deaths"] += 1

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(turns())
        yield


# ---- what is looked at -----------------------------------------------------------------------------------------------
async def sampling(soak: Soak, seconds: float) -> None:
    began = time.monotonic()
    async with Client(soak.server.port, {"authorization": "Bearer modest"}) as client:
        while not soak.over.is_set():
            await soak.pause(seconds)
            soak.samples.append(await sample(soak, client, time.monotonic() - began))


async def sample(soak: Soak, client: Client, at: float) -> dict[str, float]:
    pid = soak.server.process.pid
    text = (await client.get("/metrics")).body.decode()
    tasks = re.search(r"^executor_event_loop_tasks (\S+)", text, re.MULTILINE)
    taken, soak.taken = sorted(soak.taken), []
    status = Path(f"/proc/{pid}/status").read_text()
    threads = re.search(r"^Threads:\s*(\d+)", status, re.MULTILINE)
    resident = re.search(r"^RssAnon:\s*(\d+)", status, re.MULTILINE)
    return {
        "minute": at / 60,
        "PSS of all processes, MB": tree_memory(pid)[0],
        "anonymous memory of the server, MB": int(resident.group(1)) / 1e3 if resident else 0,
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(threads.group(1)) if threads else 0,
        "asyncio tasks": float(tasks.group(1)) if tasks else 0,
        "p99 of a modest account, ms": taken[int((len(taken) - 1) * 0.99)] if taken else 0,
    }


def slope(samples: list[dict[str, float]], name: str) -> float:
    """By least squares, in units an hour."""
    xs, ys = [one["minute"] / 60 for one in samples], [one[name] for one in samples]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle_x) ** 2 for x in xs) or 1.0
    return sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread


def report(samples: list[dict[str, float]]) -> list[dict[str, Any]]:
    """For each figure its median over the first and the last quarter, and its slope over the second half."""
    rows = []
    quarter, half = max(1, len(samples) // 4), samples[len(samples) // 2 :]
    for name in list(samples[0])[1:]:
        first, last = (
            sorted(one[name] for one in part)[quarter // 2]
            for part in (samples[:quarter], samples[-quarter:])
        )
        rows.append({"name": name, "first": first, "last": last, "slope_per_hour": slope(half, name)})
    return rows


WIDTH, HEIGHT, CURVE = 900, 110, 80


def plot(samples: list[dict[str, float]], rows: list[dict[str, Any]]) -> str:
    """One curve a figure, each on its own scale from 0, as SVG."""
    end, high = samples[-1]["minute"] or 1.0, HEIGHT * len(rows) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 40}" height="{high}"',
        ' font-family="sans-serif" font-size="12">',
    ]
    for place, row in enumerate(rows):
        name, top = row["name"], place * HEIGHT + 22
        most = max(one[name] for one in samples) or 1.0
        points = " ".join(
            f"{20 + one['minute'] / end * WIDTH:.1f},{top + CURVE * (1 - one[name] / most):.1f}"
            for one in samples
        )
        title = f"{name}: highest {most:.4g}, slope {row['slope_per_hour']:+.3g} an hour"
        ends = f'x1="20" x2="{WIDTH + 20}" y1="{top + CURVE}" y2="{top + CURVE}"'
        parts.append(f'<text x="20" y="{top - 6}">{title}</text><line {ends} stroke="#ccc"/>')
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[place]}"/>')
    parts.append(f'<text x="20" y="{high - 6}">0 to {end:.1f} minutes</text></svg>')
    return "\n".join(parts) + "\n"


# ---- the whole -------------------------------------------------------------------------------------------------------
@contextmanager
def store(kind: str, folder: Path) -> Iterator[dict[str, Any]]:
    """The `state` of the config."""
    if kind == "sqlite":
        yield {"backend": "sqlite", "path": str(folder / "state.db")}
        return
    with redis_server() as server:
        (folder / "redis-url").write_text(server.url)
        (folder / "key").write_text("k" + os.urandom(32).hex())
        secrets = {
            name: {"file": str(folder / file)}
            for name, file in (("url", "redis-url"), ("encryption_key", "key"))
        }
        yield {"backend": "redis", **secrets}


async def main(minutes: float, kind: str, every: float, rest: float) -> None:
    names = [f"greedy{number}" for number in range(8)] + ["modest"]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base = stack.enter_context(upstream())
        port, flaky = free_port(), free_port()
        config = config_of(port, base, names)
        config["auth"]["roles"] = {"admin": ["key:modest"]}
        config["state"] = stack.enter_context(store(kind, folder))
        spec = document(f"http://127.0.0.1:{flaky}")
        config["integrations"]["flaky"] = {"kind": "openapi", "spec": {"inline": spec}}
        config["connections"]["flaky.org.main"] = {}
        server = await stack.enter_async_context(serve(config, port, folder))
        soak = Soak(server, config, rest)
        await stack.enter_async_context(dying(soak, flaky))
        parts: list[Callable[[Soak], Coroutine[Any, Any, None]]] = [
            modest,
            hostile,
            reloads,
            killing,
            clients,
        ]
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(part(soak))
            for number in range(6):
                tasks.create_task(traffic(soak, number))
            tasks.create_task(sampling(soak, every))
            await asyncio.sleep(minutes * 60)
            soak.over.set()
        pattern = r'^executor_task_failures_total\{task="([^"]*)"\} (\S+)'
        for name, count in re.findall(pattern, await _metrics(soak), re.MULTILINE):
            soak.counts[f"failures of the task {name}"] += int(float(count))
        finished(soak, kind)


async def _metrics(soak: Soak) -> str:
    async with Client(soak.server.port, {"authorization": "Bearer modest"}) as client:
        return (await client.get("/metrics")).body.decode()


def finished(soak: Soak, kind: str) -> None:
    rows = report(soak.samples)
    for name, count in sorted(soak.counts.items()):
        print(f"{count:8}  {name}")
    print(f"\n{'':40} {'first quarter':>14} {'last quarter':>14} {'slope an hour':>14}")
    for row in rows:
        print(f"{row['name']:40} {row['first']:14.1f} {row['last']:14.1f} {row['slope_per_hour']:+14.2f}")
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / f"soak-{kind}.svg").write_text(plot(soak.samples, rows))
    whole = {"rows": rows, "counts": dict(soak.counts), "samples": soak.samples}
    (results / f"soak-{kind}.json").write_text(json.dumps(whole, indent=1) + "\n")
    print(f"\n{results / f'soak-{kind}.svg'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--store", choices=("sqlite", "redis"), default="sqlite")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between samples")
    parser.add_argument("--rest", type=float, default=0.1, help="seconds between two executions of a client")
    chosen = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(chosen.minutes, chosen.store, chosen.every, chosen.rest))
