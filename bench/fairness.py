"""`python -m bench.fairness`: what one account notices of others that take all they can get.

Rows give the modest account's p50 and p99 alone and beside each attack, and what `GET /healthz` took meanwhile. The
attacks are those of the issue: system tools over GitHub's catalog (`make specs`), long TypeScript, and eight accounts
that mix everything.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench.client import Client
from bench.run import SPECS, Table
from bench.server import META, VERSION, Server, base_config, free_port, serve, upstream
from bench.upstream import document

GREEDY = 8
RUNS_A_ROUND = 60
MODEST = "return 1"
MODEST_TYPED = "const x: number = 1; return x as number"
_MANY = "await Promise.all(Array.from({length: 64}, (_, i) => %s)); return 1"
SYSTEM = {
    "64 discover with schemas": _MANY
    % "tools.discover({query: 'create list update ' + i, limit: 200, includeSchemas: true, compact: false})",
    "64 catalog.tools with schemas": _MANY
    % "tools.catalog.tools({limit: 200, offset: i * 7, includeSchemas: true})",
    "64 describe of unknown paths": _MANY
    % "tools.describe.tool({path: 'github.org.main.isues.creat_coment_' + i})",
    "64 calls of unknown paths": _MANY % "tools['github.org.main.isues.creat_coment_' + i]({})",
}
ENUM = "enum E {" + ",".join(f"member{n} = {n}" for n in range(12_000)) + "}\nreturn E.member1 as number"
MIX = (
    "let n = 0; for (let i = 0; i < 2e6; i++) n += i; return n",
    "return (await tools.bench.org.main.items.get({id: 1})).data.id",
    "return 1",
    "const x: number = 1; interface A { b: string }; return x as number",
    "return (await tools.search({query: 'create an issue comment'})).total",
    "return (await tools.discover({query: 'list pull requests', limit: 50, includeSchemas: true})).total",
    "while (true) {}",
)

_NEW = itertools.count()


@dataclass
class Account:
    """A caller with a key of its own."""

    client: Client
    failed: list[str] = field(default_factory=list)
    done: int = 0

    async def run(self, code: str, timeout_ms: int = 20_000) -> str:
        """One `execute`; gives its status."""
        params = {"name": "execute", "arguments": {"code": code, "timeoutMs": timeout_ms}, "_meta": META}
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        headers = {"mcp-method": "tools/call", "mcp-name": "execute"}
        reply = _reply((await self.client.post("/mcp", body, headers)).body)
        content = reply.get("result", {}).get("structuredContent") or {"status": str(reply)[:300]}
        self.done += 1
        if content["status"] != "completed":
            self.failed.append(str(content)[:300])
        return str(content["status"])


def _reply(body: bytes) -> Any:
    """The answer, whether it came as JSON or as the last event of a stream."""
    if body.startswith(b"{"):
        return orjson.loads(body)
    data = [line[5:] for line in body.splitlines() if line.startswith(b"data:") and line[5:].strip()]
    return orjson.loads(data[-1])


def config_of(port: int, base: str, names: Sequence[str]) -> dict[str, Any]:
    config = base_config(port)
    keys = {
        name: {"hash": f"sha256:{hashlib.sha256(name.encode()).hexdigest()}", "workspace": "bench"}
        for name in names
    }
    config["auth"]["api_keys"]["keys"] |= keys
    config["integrations"] = {"bench": {"kind": "openapi", "spec": {"inline": document(base)}}}
    config["connections"] = {"bench.org.main": {}}
    github = SPECS / "api.github.com.json"
    if github.exists():
        config["integrations"]["github"] = {
            "kind": "openapi",
            "spec": {"file": str(github)},
            "base_url": base,
        }
        config["connections"]["github.org.main"] = {}
    return config


@asynccontextmanager
async def account(port: int, name: str) -> AsyncIterator[Account]:
    headers = {
        "authorization": f"Bearer {name}",
        "mcp-protocol-version": VERSION,
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
    }
    async with Client(port, headers) as client:
        yield Account(client)


def _figures(taken: list[float]) -> dict[str, float]:
    taken = sorted(taken)
    last = len(taken) - 1
    return {"p50_ms": taken[last // 2], "p99_ms": taken[int(last * 0.99)], "max_ms": taken[last]}


async def _measured(
    one: Account, code: str, count: int, stop: asyncio.Event | None = None
) -> dict[str, float]:
    return _figures(await _taken(one, code, count, stop))


async def _taken(one: Account, code: str, count: int, stop: asyncio.Event | None = None) -> list[float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await one.run(f"{code} // {next(_NEW)}")  # code that nobody has sent before: no answer is remembered
        taken.append((time.perf_counter() - began) * 1e3)
        if stop is not None and stop.is_set():
            break
        await asyncio.sleep(0.02)
    return taken


async def _health(server: Server, over: asyncio.Event) -> float:
    """The longest that a health check took, in milliseconds."""
    longest = 0.0
    async with Client(server.port) as client:
        while not over.is_set():
            began = time.perf_counter()
            await client.get("/healthz")
            longest = max(longest, (time.perf_counter() - began) * 1e3)
            await asyncio.sleep(0.02)
    return longest


async def measure_system(table: Table, server: Server, port: int) -> None:
    """One account, one execution with 64 parallel calls of a system tool; beside it a health check and a neighbour."""
    for name, code in SYSTEM.items():
        over = asyncio.Event()
        async with account(port, "greedy0") as greedy, account(port, "modest") as modest:
            await modest.run(MODEST)
            health = asyncio.ensure_future(_health(server, over))  # noqa: TID251
            beside = asyncio.ensure_future(_measured(modest, MODEST, 10_000, over))  # noqa: TID251
            await asyncio.sleep(0.2)
            began = time.perf_counter()
            status = await greedy.run(code, 60_000)
            took = time.perf_counter() - began
            over.set()
            figures = await beside
            table.add(f"beside {name} ({status})", "-", **figures, health_max_ms=await health, attack_s=took)
            for line in greedy.failed[:1] + modest.failed[:1]:
                print("   ", line)


async def measure_typescript(table: Table, port: int, count: int) -> None:
    """Eight callers who compile 262 kB enums over and over."""
    async with account(port, "modest") as modest:
        await modest.run(MODEST_TYPED)
        table.add("TypeScript alone", "-", **await _measured(modest, MODEST_TYPED, count))
        async with _greedy(port, [(ENUM + f" // {n}", 20_000) for n in range(GREEDY)], 1) as others:
            await asyncio.sleep(1)
            table.add(
                "TypeScript beside 8 x 262 kB enums",
                "2 x alone",
                **await _measured(modest, MODEST_TYPED, count),
            )
        _tell(others, modest)


async def measure_mix(table: Table, port: int, clients: int, rounds: int, accounts: Sequence[int]) -> None:
    """Accounts at full blast and a modest one, with and without them in turn, so that both meet the same machine."""
    async with account(port, "modest") as modest:
        await _measured(modest, MODEST, 20)
        for kinds in accounts:
            alone: list[float] = []
            beside: list[float] = []
            ratios: list[float] = []
            for _ in range(rounds):
                quiet = await _taken(modest, MODEST, RUNS_A_ROUND)
                async with _load(port, kinds, clients):
                    greedy = await _taken(modest, MODEST, RUNS_A_ROUND)
                await asyncio.sleep(1)
                alone, beside = alone + quiet, beside + greedy
                ratios.append(_figures(greedy)["p99_ms"] / _figures(quiet)["p99_ms"])
            table.add(f"execute alone, {rounds} rounds", "-", **_figures(alone))
            table.add(
                f"execute beside {kinds} greedy, {clients} clients each",
                "2 x alone",
                **_figures(beside),
                p99_x_alone=_figures(beside)["p99_ms"] / _figures(alone)["p99_ms"],
                median_of_rounds=statistics.median(ratios),
            )
        _tell([], modest)


@asynccontextmanager
async def _load(port: int, accounts: int, clients: int) -> AsyncIterator[None]:
    """The greedy accounts, in a process of their own that gives way: in life their clients are other machines."""
    command = [sys.executable, "-m", "bench.fairness", "--load", str(port), "--accounts", str(accounts)]
    process = await asyncio.create_subprocess_exec(*command, "--clients", str(clients))
    try:
        await asyncio.sleep(3)
        yield
    finally:
        process.terminate()
        await process.wait()


async def load(port: int, accounts: int, clients: int) -> None:
    """Runs until it is terminated."""
    os.nice(5)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    codes = [(MIX[n % len(MIX)], 2_000) for n in range(accounts)]
    async with _greedy(port, codes, clients, mixed=True) as others:
        began = time.perf_counter()
        await over.wait()
        seconds = time.perf_counter() - began
        done, failed = sum(one.done for one in others), sum(len(one.failed) for one in others)
        print(
            f"    the others: {done} ended, {done / seconds:.0f} a second, {failed} of them not completed",
            flush=True,
        )
        os._exit(0)


def _tell(others: list[Account], modest: Account) -> None:
    done, failed = sum(one.done for one in others), sum(len(one.failed) for one in others)
    print(
        f"    the others: {done} ended, {failed} of them not completed; the modest one: {len(modest.failed)} failed"
    )
    for line in modest.failed[:2]:
        print("   ", line)
    modest.failed.clear()


@asynccontextmanager
async def _greedy(
    port: int, codes: Sequence[tuple[str, int]], clients: int, *, mixed: bool = False
) -> AsyncIterator[list[Account]]:
    """Accounts that always have `clients` executions under way."""
    over = asyncio.Event()
    made: list[Account] = []

    async def work(one: Account, code: str, timeout: int, number: int) -> None:
        while not over.is_set():
            with suppress(OSError, asyncio.IncompleteReadError):
                await one.run(f"{MIX[number % len(MIX)] if mixed else code} // {next(_NEW)}", timeout)
            number += 1

    async with asyncio.TaskGroup() as tasks:
        for place, (code, timeout) in enumerate(codes):
            holder = account(port, f"greedy{place}")
            one = await holder.__aenter__()
            made.append(one)
            for number in range(clients):
                tasks.create_task(work(one, code, timeout, place + number))
        yield made
        over.set()


async def main(count: int, clients: int, only: str) -> None:
    table = Table()
    names = [f"greedy{n}" for n in range(GREEDY)] + ["modest"]
    with upstream() as base, tempfile.TemporaryDirectory() as scratch:
        port = free_port()
        async with serve(config_of(port, base, names), port, Path(scratch)) as server:
            if "s" in only:
                await measure_system(table, server, port)
            if "t" in only:
                await measure_typescript(table, port, count)
            if "m" in only or "e" in only:
                accounts = (1, GREEDY) if "m" in only else (GREEDY,)
                await measure_mix(table, port, clients, max(2, count // RUNS_A_ROUND), accounts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="executions a row (default 200)")
    parser.add_argument(
        "--clients", type=int, default=8, help="executions that each greedy account has under way"
    )
    parser.add_argument(
        "--only", default="stm", help="s: system tools, t: TypeScript, m: the mix, e: beside eight only"
    )
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--accounts", type=int, default=GREEDY, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.load:
        asyncio.run(load(chosen.load, chosen.accounts, chosen.clients))
        sys.exit(0)
    asyncio.run(main(chosen.count, chosen.clients, chosen.only))
