"""Upstreams for the tests of this folder, opened and closed in the test's own task."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from integrations.base import Credential, Failure, JsonObject, Result, Success
from integrations.conversation import Conversation, InputNeeded, OnElicit, OnProgress, Reply
from integrations.mcp import LocalServer, McpLimits, McpUpstream
from integrations.mcp.servers import McpServer

RAW = str(Path(__file__).with_name("stdio_server.py"))
# Plenty for a process to start on a loaded machine; nothing waits this long unless something is wrong.
PATIENCE = 30.0
# McpLimits that let a test see in an instant what takes minutes in earnest.
QUICK = McpLimits(
    first_pause_seconds=0.01, longest_pause_seconds=0.02, shortest_pause_seconds=0.05,
    shortest_refresh_seconds=0.01, grace_seconds=0.2, connect_seconds=20.0,
)  # fmt: skip


def raw_server(behaviour: str = "", environment: Mapping[str, str] | None = None) -> LocalServer:
    """The library-free server as a local one. -I and -S: it needs nothing installed and starts in no time."""
    return LocalServer((sys.executable, "-I", "-S", RAW, behaviour), environment or {})


class Changes:
    """Counts `changed()` and lets a test wait for what it is told about."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._event.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._event.clear()
                await self._event.wait()


class Running:
    """A started upstream."""

    def __init__(self, upstream: McpUpstream, changes: Changes) -> None:
        self.upstream = upstream
        self.changes = changes

    async def call(self, tool: str, seconds: float = PATIENCE, **arguments: Any) -> Result:
        prepared = self.upstream.prepare(tool, arguments)
        return await self.upstream.invoke(prepared, Credential(), seconds)

    async def talk(
        self, tool: str, *, progress: OnProgress | None = None, ask: OnElicit | None = None, **arguments: Any
    ) -> Any:
        """The data of a call that reports and asks; an ended call is made again with the answers."""
        prepared = self.upstream.prepare(tool, arguments)
        talk = Conversation("test", progress, ask)
        while isinstance(result := await self.upstream.converse(prepared, PATIENCE, talk), InputNeeded):
            assert ask is not None
            answers = {key: await ask(one) for key, one in result.questions.items()}
            given = {key: one for key, one in answers.items() if one is not None}
            talk = replace(talk, reply=Reply(given, result.state, result.rounds))
        assert isinstance(result, Success), result
        return result.data

    async def data(self, tool: str, **arguments: Any) -> Any:
        result = await self.call(tool, **arguments)
        assert isinstance(result, Success), result
        return result.data

    async def failure(self, tool: str, seconds: float = PATIENCE, **arguments: Any) -> Failure:
        result = await self.call(tool, seconds, **arguments)
        assert isinstance(result, Failure), result
        return result

    @property
    def names(self) -> list[str]:
        return [tool.name for tool in self.upstream.toolset.tools]

    @property
    def status(self) -> JsonObject:
        return self.upstream.status


@asynccontextmanager
async def running(server: McpServer, *, limits: McpLimits = QUICK, **options: Any) -> AsyncIterator[Running]:
    """Start, wait for the first outcome, close."""
    changes = Changes()
    async with asyncio.TaskGroup() as tasks:
        patient = replace(server, timeout_seconds=PATIENCE)
        upstream = McpUpstream(patient, changed=changes, limits=limits, **options)
        upstream.start(lambda work: tasks.create_task(work()))
        try:
            assert await upstream.settled(PATIENCE)
            yield Running(upstream, changes)
        finally:
            await upstream.aclose()


async def read_fifo(path: Path) -> str:
    """What is written to a FIFO until its writers have closed it."""
    async with asyncio.timeout(PATIENCE):
        return await asyncio.to_thread(path.read_text)


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path
