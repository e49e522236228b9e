"""Attacks on connections, against a real `executor serve` that may open 1,024 descriptors.

    python -m bench.connections            # a table: attack, what a caller from outside sees meanwhile

Each attack has a server of its own. Meanwhile somebody else asks for health, reloads and executes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.server import KEY, META, VERSION, base_config, free_port, tree_memory

DESCRIPTORS = 1024
ATTEMPTS = 1100
LIMIT_SECONDS = 10.0
BIG = "return 'x'.repeat(4 * 1024 * 1024)"


@dataclass
class Target:
    port: int
    pid: int

    def states(self) -> dict[str, int]:
        """Connections of the server by TCP state."""
        names = {"01": "established", "08": "close_wait"}
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        mine = [row[3] for row in rows if int(row[1].rpartition(":")[2], 16) == self.port]
        return {name: mine.count(state) for state, name in names.items()}

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> str:
        """The status and the milliseconds, as somebody else sees them, on a connection of their own."""

        def send() -> int:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}{path}", data, headers, method=method
            )
            try:
                with urllib.request.urlopen(request, timeout=LIMIT_SECONDS) as answer:
                    answer.read()
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code

        started = time.perf_counter()
        try:
            status = str(await asyncio.to_thread(send))
        except OSError as error:
            status = type(error).__name__
        return f"{status} in {(time.perf_counter() - started) * 1000:.0f} ms"

    async def others(self) -> dict[str, str]:
        bearer = {"authorization": f"Bearer {KEY}"}
        return {
            "health": await self.ask("GET", "/healthz"),
            "reload": await self.ask(
                "POST", "/-/reload", {}, **bearer, **{"content-type": "application/json"}
            ),
            "execute": await self.ask("POST", "/mcp", execution("return 1"), **headers()),
        }


def execution(code: str) -> dict[str, Any]:
    arguments = {"name": "execute", "arguments": {"code": code}, "_meta": META}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}


def headers(token: str = KEY) -> dict[str, str]:
    return {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": "execute",
    }


def head(length: int, token: str = KEY) -> bytes:
    lines = [f"{name}: {value}" for name, value in {**headers(token), "content-length": str(length)}.items()]
    return "\r\n".join(["POST /mcp HTTP/1.1", "host: localhost", *lines, "", ""]).encode()


@contextlib.asynccontextmanager
async def server(folder: Path) -> AsyncIterator[Target]:
    port = free_port()
    config = base_config(port)
    config["auth"]["roles"] = {"admin": ["key:bench"]}
    config["execute"] = {"max_result_bytes": "8MiB"}
    config["sandbox"] = {"max_output": "8MiB"}
    (folder / "executor.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "proxy", "serve", "--config", str(folder / "executor.yaml")]
    env = {**os.environ, "EXECUTOR_STATE_DIR": str(folder / "state")}
    with (folder / "server.log").open("wb") as log:
        shell = ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", *command]
        process = subprocess.Popen(shell, env=env, stdout=log, stderr=log)
        target = Target(port, process.pid)
        try:
            while "200" not in await target.ask("GET", "/readyz"):
                assert process.poll() is None, (folder / "server.log").read_text()
                await asyncio.sleep(0.05)
            yield target
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


Sockets = list[socket.socket]


async def connected(port: int, sent: bytes = b"", count: int = ATTEMPTS) -> Sockets:
    """As many as come through; those that are refused count as well."""
    sockets: Sockets = []
    for number in range(count):
        sock = socket.socket()
        sock.settimeout(2)
        sockets.append(sock)
        try:
            sock.connect(("127.0.0.1", port))
            sock.send(sent)
        except OSError:
            pass
        if number % 50 == 0:
            await asyncio.sleep(0.05)
    return sockets


async def closed_by_the_client(target: Target) -> Sockets:
    for _ in range(ATTEMPTS):
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.settimeout(2)
            sock.connect(("127.0.0.1", target.port))
            sock.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            await asyncio.to_thread(sock.recv, 4096)
    return []


async def idle(target: Target) -> Sockets:
    return await connected(target.port)


async def half_a_head(target: Target) -> Sockets:
    return await connected(target.port, b"GET /healthz HTTP/1.1\r\nhost: local")


async def byte_at_a_time(target: Target) -> Sockets:
    return await connected(target.port, head(1000) + b"{")


async def strangers_body(target: Target) -> Sockets:
    return await connected(target.port, head(1000, "wrong") + b"{")


async def unread_answers(target: Target) -> Sockets:
    sockets = []
    body = json.dumps(execution(BIG)).encode()
    for _ in range(60):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", target.port))
        sock.send(head(len(body)) + body)
        sockets.append(sock)
    for sock in sockets:
        # The first byte says that the answer is there; nothing more is ever read.
        with contextlib.suppress(OSError):
            await asyncio.to_thread(sock.recv, 1)
    return sockets


async def attack(name: str, start: Callable[[Target], Awaitable[Sockets]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with server(Path(folder)) as target:
            await target.others()
            before = tree_memory(target.pid)[1]
            sockets = await start(target)
            await asyncio.sleep(1)
            seen = await target.others()
            now = {
                **target.states(),
                "fds": target.descriptors(),
                "pss_mb": round(tree_memory(target.pid)[1]),
            }
            await asyncio.sleep(35)
            later = {
                **target.states(),
                "fds": target.descriptors(),
                "pss_mb": round(tree_memory(target.pid)[1]),
            }
            row = {
                "attack": name,
                "others": seen,
                "pss_before": round(before),
                "at_once": now,
                "after_35_s": later,
            }
            print(json.dumps(row), flush=True)
            for sock in sockets:
                sock.close()


async def main() -> None:
    wanted = sys.argv[1:]
    attacks = (closed_by_the_client, idle, half_a_head, byte_at_a_time, strangers_body, unread_answers)
    for one in attacks:
        if not wanted or one.__name__ in wanted:
            await attack(one.__name__, one)


if __name__ == "__main__":
    asyncio.run(main())
