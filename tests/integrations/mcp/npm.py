"""Where `make specs` installs MCP servers that are not ours, and how they are started."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from integrations.mcp import LocalServer
from tests.integrations.mcp.running import PATIENCE

SERVERS = Path(__file__).resolve().parents[3] / ".specs" / "npm" / "node_modules" / "@modelcontextprotocol"
_PORT_SAID = re.compile(rb"port (\d+)")


def absent() -> bool:
    return not SERVERS.is_dir() or shutil.which("node") is None


def command(server: str, *arguments: str) -> tuple[str, ...]:
    return ("node", str(SERVERS / f"server-{server}" / "dist" / "index.js"), *arguments)


def local(server: str, *arguments: str, **environment: str) -> LocalServer:
    return LocalServer(command(server, *arguments), environment)


@asynccontextmanager
async def everything_over(transport: str) -> AsyncIterator[str]:
    """`server-everything` listening at a port the system chose; gives its origin. `transport` as it calls them."""
    process = await asyncio.create_subprocess_exec(
        *command("everything", transport),
        env={**os.environ, "PORT": "0"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield f"http://127.0.0.1:{await _port(process)}"
    finally:
        process.kill()
        await process.communicate()


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        while line := await process.stderr.readline():
            if said := _PORT_SAID.search(line):
                port = int(said[1])
                return port or _listening(process.pid)
    raise AssertionError("the server ended without naming its port")


def _listening(pid: int) -> int:
    """The port a process listens at, from /proc: a server that was told port 0 may repeat that instead."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(entry)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].rpartition(":")[2], 16)
    raise AssertionError("the server listens nowhere")
