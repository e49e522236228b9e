"""How soon a second replica says what the first one was told through the workspace API: a server is registered,
disconnected, connected again and removed; on one SQLite file, and on Redis.

Run: python -m bench.overlay [--rounds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson

from bench.client import Client
from bench.server import base_config, free_port, serve
from tests.integrations.echo import echo_thread
from tests.integrations.mcp.http_server import RawHttp
from tests.proxy.state.servers import redis_server

SERVERS = "/api/v1/workspaces/bench/mcp"
LIMIT_SECONDS = 30.0


def out(line: str) -> None:
    sys.stdout.write(line + "\n")


def config(port: int, state: dict[str, Any]) -> dict[str, Any]:
    base = base_config(port)
    base["auth"]["roles"] = {"admin": ["bench"]}
    api = {"registration": "overlay", "egress": {"allow": ["127.0.0.0/8"]}}
    return {**base, "api": api, "state": state}


async def asked(client: Client, method: str, path: str, body: Any = None) -> Any:
    answer = await client.request(method, path, orjson.dumps(body) if body is not None else b"")
    assert answer.status == 200, answer.body
    return orjson.loads(answer.body)


async def until(client: Client, expected: str | None) -> float:
    """Seconds until the replica says that `docs` has this status; None: that there is no such server."""
    began = time.perf_counter()
    while (await asked(client, "GET", SERVERS)).get("docs", {}).get("status") != expected:
        assert time.perf_counter() - began < LIMIT_SECONDS, f"never {expected}"
        await asyncio.sleep(0.002)
    return time.perf_counter() - began


async def measure(name: str, state: dict[str, Any], rounds: int, url: str) -> None:
    config_of_docs = {"type": "remote", "url": f"{url}/mcp"}
    moves = (
        ("registered", "POST", SERVERS, {"name": "docs", "config": config_of_docs}, "connected"),
        ("disconnected", "POST", f"{SERVERS}/docs/disconnect", None, "disabled"),
        ("connected", "POST", f"{SERVERS}/docs/connect", None, "connected"),
        ("removed", "DELETE", f"{SERVERS}/docs", None, None),
    )
    found: dict[str, list[float]] = {move[0]: [] for move in moves}
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            replicas = []
            for number in (1, 2):
                port = free_port()
                own = Path(folder) / str(number)
                made = serve(config(port, state), port, own, Path(folder) / "state")
                replicas.append((await stack.enter_async_context(made)).client)
            for number in range(rounds):
                first, second = replicas[number % 2], replicas[1 - number % 2]
                for what, method, path, body, expected in moves:
                    await asked(first, method, path, body)
                    found[what].append(await until(second, expected))
    for what, times in found.items():
        times.sort()
        out(f"{name}, {what}: median {times[len(times) // 2]:.3f} s, longest {times[-1]:.3f} s of {rounds}")


async def main(rounds: int) -> None:
    with echo_thread() as echo, redis_server() as redis:
        RawHttp(echo).modern = True
        await measure("sqlite", {"backend": "sqlite"}, rounds, echo.url)
        os.environ |= {"BENCH_REDIS": redis.url, "BENCH_KEY": secrets.token_hex(32)}
        shared = {"backend": "redis", "url": {"env": "BENCH_REDIS"}, "encryption_key": {"env": "BENCH_KEY"}}
        await measure("redis", shared, rounds, echo.url)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    asyncio.run(main(parser.parse_args().rounds))
