"""`make bench`: what an execution costs over the whole path, with the raw baseline beside it.

Everything runs on this machine, in one run, over real HTTP. `direct` is the same client calling the upstream itself.
Writes `bench/results/latest.json` and adds to `history.jsonl` beside it, against whose last run of this machine it
prints what changed.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import history
from bench.client import Client
from bench.server import Server, base_config, free_port, serve, upstream
from bench.upstream import document
from integrations.http import EgressRules, HttpClient

SPECS = Path(__file__).parent.parent / ".specs"
ONE_CALL = "const r = await tools.bench.org.main.items.get({id: 1}); return r.data.id"
FIFTY = """const all = Array.from({length: 50}, (_, i) => tools.bench.org.main.items.get({id: i, ms: 20}));
return (await Promise.all(all)).length"""
HUNDRED = """for (let i = 0; i < 100; i++) await tools.bench.org.main.items.get({id: i});
return 1"""
SEARCH = "return (await tools.search({query: 'create an issue comment'})).items[0].path"
DESCRIBE = "return (await tools.describe.tool({path: 'github.org.main.issues.createComment'})).inputTypeScript.length"
Action = Callable[[], Awaitable[object]]


@dataclass
class Table:
    """Rows of (name, figures, goal); also the JSON that is written."""

    rows: list[tuple[str, dict[str, float], str]] = field(default_factory=list)

    def add(self, name: str, goal: str, **figures: float) -> None:
        self.rows.append((name, {k: round(v, 2) for k, v in figures.items()}, goal))
        shown = "  ".join(f"{k}={v:g}" for k, v in self.rows[-1][1].items())
        print(f"{name:<52} {shown:<44} goal {goal}", flush=True)


async def measure_added_cpu(table: Table, server: Server, base: str) -> None:
    """CPU of the proxy's process for one more inner call, less what the bare HTTP client takes for the same request."""
    before = server.cpu_seconds()
    for _ in range(20):
        await server.call("return 1")
    idle = server.cpu_seconds() - before
    for _ in range(20):
        await server.call(HUNDRED)
    called = (server.cpu_seconds() - before - 2 * idle) / 2000 * 1e3
    raw = await _raw_cpu(base)
    table.add("CPU added per inner OpenAPI call", "1.5 ms", added_ms=called - raw, raw_ms=raw)


async def _raw_cpu(base: str, count: int = 500) -> float:
    """Milliseconds of CPU that one request through the product's own HTTP client takes, and nothing else."""
    rules = EgressRules(origins=frozenset({base}))
    async with HttpClient() as http:
        began = time.process_time()
        for _ in range(count):
            await http.request(
                "GET", f"{base}/items/1", [], None, timeout_seconds=5, max_bytes=10**6, allow=rules
            )
        return (time.process_time() - began) / count * 1e3


async def latency(action: Action, count: int, warm: int = 10) -> dict[str, float]:
    """p50 and p99 in milliseconds of `count` calls, one after another."""
    for _ in range(warm):
        await action()
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await action()
        taken.append((time.perf_counter() - began) * 1e3)
    taken.sort()
    return {"p50_ms": statistics.median(taken), "p99_ms": taken[max(0, int(len(taken) * 0.99) - 1)]}


async def throughput(action: Action, count: int, clients: int = 16) -> dict[str, float]:
    """Calls a second with `clients` of them always under way, and what each of them took."""
    left = iter(range(count))
    taken: list[float] = []

    async def work() -> None:
        for _ in left:
            start = time.perf_counter()
            await action()
            taken.append((time.perf_counter() - start) * 1e3)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    seconds = time.perf_counter() - began
    taken.sort()
    p99 = taken[max(0, int(count * 0.99) - 1)]
    return {"per_second": count / seconds, "p50_ms": statistics.median(taken), "p99_ms": p99}


async def with_cpu(server: Server, count: int, work: Awaitable[dict[str, float]]) -> dict[str, float]:
    """The figures of `count` executions, and the CPU of all processes that one of them took: good to a tenth."""
    before = server.cpu_seconds_of_all()
    figures = await work
    await asyncio.sleep(0.2)  # the last workers end
    return {**figures, "cpu_ms": (server.cpu_seconds_of_all() - before) / count * 1e3}


async def measure_calls(table: Table, server: Server, base: str, rounds: int) -> None:
    async with Client(int(base.rpartition(":")[2])) as direct:
        table.add("direct GET (baseline)", "-", **await latency(lambda: direct.get("/items/1"), rounds))
        table.add(
            "direct GET, 16 clients", "-", **await throughput(lambda: direct.get("/items/1"), rounds * 4)
        )
        fifty = await latency(
            lambda: asyncio.gather(*(direct.get("/items/1?ms=20") for _ in range(50))), 10, 2
        )
        table.add("direct, 50 parallel to a 20 ms upstream", "-", **fifty)
    alone = latency(lambda: server.call("return 1"), rounds, 0)
    table.add("trivial execute", "2.5 / 8 ms", **await with_cpu(server, rounds, alone))
    crowd = throughput(lambda: server.call("return 1"), rounds * 3)
    table.add("trivial execute, 16 clients", "500/s", **await with_cpu(server, rounds * 3, crowd))
    table.add("longest pause of the event loop so far", "15 ms", ms=await server.longest_pause_ms())
    alone = latency(lambda: server.call(ONE_CALL), rounds, 0)
    table.add("one inner OpenAPI call", "5 ms", **await with_cpu(server, rounds, alone))
    await measure_added_cpu(table, server, base)
    crowd = throughput(lambda: server.call(ONE_CALL), rounds * 2)
    table.add("one inner OpenAPI call, 16 clients", "350/s", **await with_cpu(server, rounds * 2, crowd))
    table.add(
        "50 parallel inner calls, 20 ms upstream", "60 ms", **await latency(lambda: server.call(FIFTY), 20, 3)
    )
    typed = "const x: number = 1; interface A { b: string }; return x as number"
    table.add("trivial execute in TypeScript", "-", **await latency(lambda: server.call(typed), rounds // 2))


HOSTILE = {
    "while(true){}": "while(true){}",
    "catastrophic regex": "return /^(a+)+$/.test('a'.repeat(40) + 'b')",
    "heap blow-up": "const a = []; for(;;) a.push(new Array(1e5).fill(1))",
    "log flood": "for (let i = 0; i < 1e7; i++) console.log('x'.repeat(100)); return 1",
}


async def measure_bystanders(table: Table, server: Server) -> None:
    """What a bystander's trivial execute takes while a hostile one runs; none may fail."""
    for name, code in HOSTILE.items():
        figures, ended = await _beside(server, [code], 2000, 60)
        table.add(f"bystander beside {name} ({ended[0]})", "60 ms", **figures)
    figures, _ = await _beside(server, ["while(true){}"] * 2, 3000, 100)
    table.add("bystander beside two CPU burners", "p99 25 ms", **figures)


async def _beside(
    server: Server, burning: list[str], timeout_ms: int, count: int
) -> tuple[dict[str, float], list[str]]:
    async with asyncio.TaskGroup() as group:
        burners = [
            group.create_task(server.rpc("tools/call", "execute", _execute(code, timeout_ms)))
            for code in burning
        ]
        figures = await latency(lambda: server.call("return 1"), count, 1)
    return figures, [one.result()["structuredContent"]["status"] for one in burners]


def _execute(code: str, timeout_ms: int) -> dict[str, Any]:
    return {"name": "execute", "arguments": {"code": code, "timeoutMs": timeout_ms}}


async def measure_reload(table: Table, base: str, folder: Path) -> None:
    """50 integrations with 100 tools each: the time from writing the file to a client seeing the new description."""
    port = free_port()
    config = base_config(port)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(50):
        spec = copy.deepcopy(document(base))
        get = spec["paths"]["/items/{id}"]["get"]  # type: ignore[index]
        paths = {f"/items/{n}/{{id}}": {"get": {**get, "operationId": f"items/get{n}"}} for n in range(100)}
        file = folder / f"api{number}.json"
        file.write_text(json.dumps({**spec, "paths": paths}))
        config["integrations"][f"api{number}"] = {"kind": "openapi", "spec": {"file": str(file)}}
        config["connections"][f"api{number}.org.main"] = {}
    async with serve(config, port, folder) as server:
        taken = []
        for turn in range(5):
            config["integrations"]["api0"]["description"] = f"turn {turn}"
            text = json.dumps(config)
            began = time.perf_counter()
            (folder / "executor.yaml").write_text(text)
            while f"turn {turn}" not in await server.description():
                await asyncio.sleep(0.01)
                if time.perf_counter() - began > 30:
                    raise RuntimeError((folder / "server.log").read_text()[-3000:])
            taken.append((time.perf_counter() - began) * 1e3)
        table.add(
            "reload, 50 integrations, 5,000 tools: edit to seen",
            "1,000 ms",
            p50_ms=statistics.median(taken),
            max_ms=max(taken),
        )


async def measure_github(table: Table, base: str, folder: Path, rounds: int) -> None:
    spec = SPECS / "api.github.com.json"
    if not spec.exists():
        print(
            f"GitHub's document is absent ({spec.name}): run `make specs`; its rows are left out", flush=True
        )
        return
    port = free_port()
    config = base_config(port)
    config["integrations"] = {
        "github": {"kind": "openapi", "spec": {"file": str(spec)}, "base_url": base},
        "bench": {"kind": "openapi", "spec": {"inline": document(base)}},
    }
    config["connections"] = {"github.org.main": {}, "bench.org.main": {}}
    for name in ("cold", "warm"):
        async with serve(config, port, folder, folder / "state") as server:
            await server.description()
            seconds = time.perf_counter() - server.started
            table.add(
                f"start to first tools/list, GitHub, {name} cache",
                {"cold": "1.6 s", "warm": "1.0 s"}[name],
                seconds=seconds,
            )
            if name == "warm":
                whole, largest = server.memory()
                table.add("memory idle, GitHub (PSS, all processes)", "130 MB", mb=whole, largest_mb=largest)
                table.add(
                    "search in GitHub's catalog", "5 ms", **await latency(lambda: server.call(SEARCH), rounds)
                )
                table.add(
                    "describe one GitHub tool", "8 ms", **await latency(lambda: server.call(DESCRIBE), rounds)
                )
                await measure_calls(table, server, base, rounds)
                await throughput(lambda: server.call("return 1"), 2000)
                whole, largest = server.memory()
                table.add("memory after 2,000 more runs", "140 MB", mb=whole, largest_mb=largest)
                await measure_bystanders(table, server)


async def main(rounds: int) -> None:
    table = Table()
    with upstream() as base, tempfile.TemporaryDirectory() as scratch:
        await measure_github(table, base, Path(scratch) / "github", rounds)
        await measure_reload(table, base, Path(scratch) / "reload")
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    rows = [{"name": name, **figures, "goal": goal} for name, figures, goal in table.rows]
    (results / "latest.json").write_text(
        json.dumps({"python": sys.version.split()[0], "rows": rows}, indent=2) + "\n"
    )
    compare(results / "history.jsonl", {name: figures for name, figures, _ in table.rows})


def compare(file: Path, rows: history.Rows) -> None:
    before = history.last_of(file, history.machine())
    history.record(file, rows)
    if before is not None:
        print(f"\nchanged since {before['at']} ({before['commit']}), by a twentieth or more:")
        print("\n".join(history.changes(before["rows"], rows)) or "nothing", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="calls a latency row (default 300)")
    asyncio.run(main(parser.parse_args().rounds))
