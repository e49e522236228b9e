"""MCP over stdin and stdout. Only JSON-RPC reaches stdout: the SDK takes the descriptor for itself and points
descriptor 1, and with it everything that prints by accident, at stderr.

Stdin is read by a thread of our own. The SDK's reader waits in a worker thread that nothing can interrupt, so
that a SIGTERM would have to wait for the client's next line.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, redirect_stdout, suppress
from typing import Any, cast

import anyio
from mcp.server import NotificationOptions, Server
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.stdio import stdio_server

from proxy.config import ElicitationMode
from proxy.principal import Principal
from proxy.serving.drain import Drain
from proxy.serving.gateway import Gateway
from proxy.serving.http.errors import RequestRefusal
from proxy.serving.mcp.client import ClientContext
from proxy.serving.mcp.elicitation import Seals
from proxy.serving.mcp.modern import ChangeStreams
from proxy.serving.mcp.pauses import Pauses
from proxy.serving.mcp.server import build_server, instructions
from proxy.serving.mcp.tool_calls import ServerOptions
from proxy.serving.modes import choose


async def serve_stdio(
    gateway: Gateway,
    principal: Principal,
    options: ServerOptions | None = None,
    *,
    requested_mode: ElicitationMode | None = None,
    seals: Seals | None = None,
) -> None:
    """Serve one client until it closes stdin. `requested_mode` is what `--elicitation-mode` asked for."""
    client = ClientContext(principal, requested_mode=requested_mode)
    changes = ChangeStreams()
    # The client's leaving ends everything, so there is nothing to drain.
    pauses = Pauses(gateway, seals or Seals(), Drain())
    server = build_server(gateway, changes, pauses, options or ServerOptions(), client)
    with suppress(RequestRefusal):  # a mode that is not granted is told in every answer
        mode = choose(gateway.elicitation(principal), requested_mode).mode
        server.instructions = instructions(gateway, client, mode)
    try:
        async with (
            _stdin() as lines,
            stdio_server(stdin=cast("anyio.AsyncFile[str]", lines)) as (incoming, outgoing),
        ):
            with redirect_stdout(sys.stderr):
                async with _announcing(gateway, server, changes):
                    opening = server.create_initialization_options(NotificationOptions(tools_changed=True))
                    await server.run(incoming, outgoing, opening)
    except* BrokenPipeError:
        # The client left while something was being said to it.
        pass


class _Lines:
    """The lines of a descriptor, at most `SIZE` of them read ahead. Ends with the input."""

    SIZE = 16

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
        self._descriptor = descriptor
        self._loop = loop
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(self.SIZE)

    def read(self) -> None:
        """In its own thread, until the input or the loop ends."""
        with (
            os.fdopen(self._descriptor, "rb", closefd=False) as source,
            suppress(RuntimeError, CancelledError),
        ):
            for line in source:
                self._put(line.decode("utf-8", errors="replace"))
            self._put(None)

    def _put(self, line: str | None) -> None:
        asyncio.run_coroutine_threadsafe(self._queue.put(line), self._loop).result()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self._queue.get()) is not None:
            yield line


@asynccontextmanager
async def _stdin() -> AsyncIterator[_Lines]:
    """Take descriptor 0 for ourselves; whoever else reads it finds it empty."""
    own = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    lines = _Lines(own, asyncio.get_running_loop())
    # A daemon: it may sit in a read that never returns, and must not keep the process for that.
    threading.Thread(target=lines.read, name="stdin", daemon=True).start()
    try:
        yield lines
    finally:
        os.dup2(own, 0)


class _Client:
    """The client of a handshake connection, known from its first request on: a middleware of the SDK's server."""

    def __init__(self) -> None:
        self.session: ServerSession | None = None

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        self.session = ctx.session
        return await call_next(ctx)


@asynccontextmanager
async def _announcing(gateway: Gateway, server: Server[Any], changes: ChangeStreams) -> AsyncIterator[None]:
    """Tell the client about changed tools: on its `subscriptions/listen` streams, or with the notification of
    handshake versions (which the SDK drops on a 2026-07-28 connection)."""
    client = _Client()
    server.middleware.append(client)
    send, receive = anyio.create_memory_object_stream[None](1)

    def changed(workspaces: frozenset[str]) -> None:
        changes.announce(workspaces)
        try:
            send.send_nowait(None)
        except anyio.WouldBlock:
            return

    async def notify() -> None:
        async for _ in receive:
            if client.session is not None:
                await client.session.send_tool_list_changed()

    unsubscribe = gateway.subscribe(changed)
    async with anyio.create_task_group() as group, send, receive:
        group.start_soon(notify)
        try:
            yield
        finally:
            unsubscribe()
            group.cancel_scope.cancel()
