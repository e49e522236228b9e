"""What callers cost: the memory of many sessions, throughput with 16 and 128 clients, and what others notice of one
account that is refused a thousand times a second.

Run: python -m bench.callers [--sessions 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from bench.client import Client
from bench.server import KEY, Server, base_config, free_port, serve

WRONG = "greedy-key-that-is-wrong"
REFUSED_A_SECOND = 1000
SECONDS = 10.0
TRIVIAL = {"name": "execute", "arguments": {"code": "return 1"}}


def out(line: str) -> None:
    sys.stdout.write(line + "\n")


def config(port: int) -> dict[str, Any]:
    return {**base_config(port), "state": {"backend": "memory"}}


async def sessions(server: Server, count: int) -> None:
    """Handshake sessions that nobody uses any more: what the largest process, the proxy, has grown by."""
    for _ in range(50):
        await server.rpc("tools/call", "execute", TRIVIAL)
    body = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "b", "version": "1"}}
    message = orjson.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": body})
    headers = {"authorization": f"Bearer {KEY}", "accept": "application/json, text/event-stream"}
    before, cpu = server.memory()[1], server.cpu_seconds()
    async with Client(server.port, {**headers, "content-type": "application/json"}) as client:
        for _ in range(count):
            answer = await client.post("/mcp", message, {})
            assert answer.status == 200, answer.body
    grown, used = server.memory()[1] - before, server.cpu_seconds() - cpu
    out(
        f"sessions: {count}, {grown:.1f} MB, {grown * 1e3 / count:.2f} KB each, {used / count * 1e3:.2f} ms CPU each"
    )


async def throughput(server: Server, clients: int) -> None:
    done, until, cpu = 0, time.perf_counter() + SECONDS, server.cpu_seconds()

    async def one() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await server.rpc("tools/call", "execute", TRIVIAL)
            done += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(one())
    used = server.cpu_seconds() - cpu
    out(
        f"throughput: {clients} clients, {done / SECONDS:.0f}/s, {used / done * 1e3:.2f} ms CPU of the proxy a call"
    )


async def refused(server: Server) -> None:
    """The latency of one caller, alone and beside somebody whose key is wrong all the time."""
    alone = await latencies(server)
    headers = {"authorization": f"Bearer {WRONG}", "content-type": "application/json"}
    count = 0

    async def greedy(client: Client) -> None:
        nonlocal count
        while True:
            await client.post("/mcp", b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', {})
            count += 1
            await asyncio.sleep(16 / REFUSED_A_SECOND)

    async with Client(server.port, headers) as client:
        tasks = [asyncio.create_task(greedy(client)) for _ in range(16)]  # noqa: TID251 - ended below
        began = time.perf_counter()
        beside = await latencies(server)
        rate = count / (time.perf_counter() - began)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    out(f"p50/p99 ms of others: alone {alone}, beside {rate:.0f} refusals a second {beside}")


async def latencies(server: Server) -> str:
    found: list[float] = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        await server.rpc("tools/list", None, {})
        found.append((time.perf_counter() - began) * 1e3)
    found.sort()
    return f"{found[len(found) // 2]:.2f}/{found[int(len(found) * 0.99)]:.2f}"


async def main(count: int) -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        async with serve(config(port), port, Path(folder)) as server:
            await sessions(server, count)
            for clients in (16, 128):
                await throughput(server, clients)
            await refused(server)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    asyncio.run(main(parser.parse_args().sessions))
