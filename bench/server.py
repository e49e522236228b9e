"""Starts what is measured, the upstream and `executor serve`, as real processes, and the client that measures."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.client import Client

HERE = Path(__file__).parent
KEY = "bench-key"
VERSION = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def upstream() -> Iterator[str]:
    """The benchmark's upstream on its own process; gives its base URL."""
    process = subprocess.Popen([sys.executable, str(HERE / "upstream.py")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def base_config(port: int) -> dict[str, Any]:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    return {
        "version": 1,
        "server": {"listen": f"127.0.0.1:{port}", "reload": {"poll_interval": "1s", "settle": "50ms"}},
        "workspaces": {"bench": {}},
        "auth": {
            "api_keys": {
                "keys": {"bench": {"hash": f"sha256:{digest}", "workspace": "bench", "groups": ["bench"]}}
            },
            "roles": {"admin": ["group:bench"]},
        },
        "rate_limits": {"wide": {"per": "workspace", "limit": "100000000/minute"}},
        "integrations": {},
        "connections": {},
        "policies": [{"pattern": "*", "action": "approve"}],
    }


@dataclass
class Server:
    """A running `executor serve`."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    started: float
    client: Client
    token: str = KEY

    async def call(self, code: str, **arguments: Any) -> Any:
        """One `execute`; gives structuredContent. Raises when the HTTP exchange or the execution failed."""
        answer = await self.rpc(
            "tools/call", "execute", {"name": "execute", "arguments": {"code": code, **arguments}}
        )
        content = answer["structuredContent"]
        if content["status"] != "completed":
            raise RuntimeError(json.dumps(content)[:2000])
        return content

    async def rpc(self, method: str, name: str | None, params: dict[str, Any]) -> Any:
        headers = {"mcp-method": method} | ({"mcp-name": name} if name else {})
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
        response = await self.client.post("/mcp", orjson.dumps(body), headers)
        reply = orjson.loads(response.body)
        if "result" not in reply:
            raise RuntimeError(f"{response.status} {response.body[:2000]!r}")
        return reply["result"]

    async def description(self) -> str:
        listed = await self.rpc("tools/list", None, {})
        return next(str(tool["description"]) for tool in listed["tools"] if tool["name"] == "execute")

    def cpu_seconds(self) -> float:
        """CPU time of the proxy's own process so far, without its workers."""
        fields = _stat(self.process.pid)
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cpu_seconds_of_all(self) -> float:
        """CPU time of all processes of the tree so far, and of those that ended in it."""
        return sum(sum(map(int, _stat(pid)[11:15])) for pid in _tree(self.process.pid)) / os.sysconf(
            "SC_CLK_TCK"
        )

    async def longest_pause_ms(self) -> float:
        """What the proxy itself says: the longest of the last half minute."""
        text = (await self.client.get("/metrics")).body.decode()
        values = [
            line.split(" ")[1]
            for line in text.splitlines()
            if line.startswith("executor_loop_pause_seconds ")
        ]
        return float(values[0]) * 1e3 if values else 0.0

    def memory(self) -> tuple[float, float]:
        """Proportional set size of the whole process tree, and the largest single process, in MB."""
        return tree_memory(self.process.pid)


@contextlib.asynccontextmanager
async def serve(
    config: dict[str, Any], port: int, folder: Path, state: Path | None = None
) -> AsyncIterator[Server]:
    """`executor serve` on `config` (written as JSON, which is YAML), ready to be called."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "executor.yaml").write_text(json.dumps(config))
    env = {**os.environ, "EXECUTOR_STATE_DIR": str(state or folder / "state")}
    command = [sys.executable, "-m", "proxy", "serve", "--config", str(folder / "executor.yaml")]
    log = (folder / "server.log").open("wb")
    started = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    headers = {
        "authorization": f"Bearer {KEY}",
        "mcp-protocol-version": VERSION,
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
    }
    try:
        async with Client(port, headers) as client:
            await _ready(client, process, folder)
            yield Server(port, folder, process, started, client)
    finally:
        process.terminate()
        process.wait(60)
        log.close()


async def _ready(client: Client, process: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(12_000):
        if process.poll() is not None:
            raise RuntimeError((folder / "server.log").read_text()[-4000:])
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if (await client.get("/readyz")).status == 200:
                return
        await asyncio.sleep(0.005)
    raise RuntimeError("the server did not become ready in 60 s")


def tree_memory(pid: int) -> tuple[float, float]:
    """Proportional set size of a process and its children, and of the largest of them, in MB."""
    sizes = [_pss(one) for one in _tree(pid)]
    return sum(sizes) / 1e3, max(sizes) / 1e3


def _tree(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _tree(int(child))
    return found


def _stat(pid: int) -> list[str]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return ["0"] * 20


def _pss(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
