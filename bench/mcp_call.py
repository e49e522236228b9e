"""What a call of an upstream MCP server costs this process, against the SDK's own client on the same server.

Budget: less than 3 ms of our CPU a call, one request upstream. Servers are processes of their own (the SDK's server
of the tests); rounds of both clients alternate.

Run: python -m bench.mcp_call
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import uvloop
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from integrations.base import Credential, Success
from integrations.mcp import LocalServer, McpUpstream, RemoteServer

ROOT = Path(__file__).resolve().parent.parent
SERVER = str(ROOT / "tests" / "integrations" / "mcp" / "sdk_server.py")
ROUNDS, CALLS = 5, 200
Call = Callable[[], Awaitable[object]]


@contextlib.contextmanager
def http_origin() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, SERVER, "http"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


@contextlib.asynccontextmanager
async def bare(target: LocalServer | RemoteServer) -> AsyncIterator[Call]:
    """The SDK's client as its documentation shows it, which validates results too."""
    if isinstance(target, LocalServer):
        client = Client(StdioServerParameters(command=target.command[0], args=list(target.command[1:])))
    else:
        client = Client(target.url)
    async with client:
        yield lambda: client.call_tool("add", {"a": 1, "b": 2})


@contextlib.asynccontextmanager
async def ours(target: LocalServer | RemoteServer) -> AsyncIterator[Call]:
    """Prepare (validation included) and invoke, as `proxy.calls` does."""
    async with asyncio.TaskGroup() as tasks:
        upstream = McpUpstream(target)
        upstream.start(lambda work: tasks.create_task(work()))
        await upstream.settled(30)

        async def call() -> object:
            result = await upstream.invoke(upstream.prepare("add", {"a": 1, "b": 2}), Credential(), 5)
            assert isinstance(result, Success), result
            return result

        yield call
        await upstream.aclose()


async def measured(call: Call) -> tuple[float, list[float]]:
    """CPU milliseconds of this process a call, and the wall milliseconds of each."""
    walls = []
    cpu = time.process_time_ns()
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        await call()
        walls.append((time.perf_counter_ns() - start) / 1e6)
    return (time.process_time_ns() - cpu) / 1e6 / CALLS, walls


async def compare(target: LocalServer | RemoteServer) -> dict[str, dict[str, float]]:
    cpus: dict[str, list[float]] = {"bare SDK client": [], "McpUpstream": []}
    walls: dict[str, list[float]] = {name: [] for name in cpus}
    async with bare(target) as theirs, ours(target) as own:
        for _ in range(ROUNDS):
            for name, call in (("bare SDK client", theirs), ("McpUpstream", own)):
                cpu, wall = await measured(call)
                cpus[name].append(cpu)
                walls[name] += wall
    return {name: figures(cpus[name], walls[name]) for name in cpus}


def figures(cpus: list[float], walls: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(walls, n=100)
    return {
        "cpu_ms": round(statistics.median(cpus), 3),
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
    }


async def main() -> None:
    report = {"stdio, 2026-07-28": await compare(LocalServer((sys.executable, SERVER, "stdio")))}
    with http_origin() as origin:
        report["streamable HTTP, 2026-07-28"] = await compare(RemoteServer(origin + "/mcp"))
        report["streamable HTTP, 2025-11-25"] = await compare(RemoteServer(origin + "/old/mcp"))
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / "mcp_call.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    uvloop.run(main())
