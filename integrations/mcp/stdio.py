"""The stdio transport: newline-delimited JSON-RPC to and from a child, with bounds on what the child may write.

Bounds: a line has at most `message_bytes`; `stray_lines` lines that are no JSON-RPC end the connection; more than
`messages_per_second` messages are not read faster, so a flood fills the child's own pipe and not our memory or time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from integrations.mcp.child import Child, started
from integrations.mcp.servers import ChildSlots, Limits, LocalServer
from integrations.mcp.trouble import Trouble

log = logging.getLogger("executor.mcp")
_CHUNK = 256 * 1024
_UNSENT = 256
_SHARE = 0.05
_LAST_WORDS_SECONDS = 0.5
_WATCH_SECONDS = 0.5
Incoming = SessionMessage | Exception
Streams = tuple[MemoryObjectReceiveStream[Incoming], MemoryObjectSendStream[SessionMessage]]


class Lines:
    """Cuts a byte stream into lines. Sans I/O: `feed` returns the complete ones. Raises `Trouble`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        if b"\n" not in data:
            self._rest += data
            self._check(len(self._rest))
            return []
        first, *lines = data.split(b"\n")
        lines.insert(0, bytes(self._rest) + first)
        self._rest = bytearray(lines.pop())
        for line in lines:
            self._check(len(line))
        return [line for line in lines if line.strip()]

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise Trouble("too_large", f"the server wrote a line of more than {self._limit} bytes", sent=True)


class Throttle:
    """How long to rest so that at most `rate` messages a second are read. Sans I/O: the caller has the clock."""

    def __init__(self, rate: int) -> None:
        self._most = max(1, int(rate * _SHARE))
        self._since = 0.0
        self._count = 0

    def rest(self, now: float, messages: int) -> float:
        if now - self._since >= _SHARE:
            self._since, self._count = now, 0
        self._count += messages
        if self._count < self._most:
            return 0.0
        return _SHARE * self._count / self._most - (now - self._since)


class _Pipes:
    """Both directions of one child. `failed` is told the first trouble."""

    def __init__(self, child: Child, limits: Limits, failed: Callable[[Trouble], None]) -> None:
        self._child = child
        self._limits = limits
        self._failed = failed
        self._stray = 0

    async def read(self, out: MemoryObjectSendStream[Incoming]) -> None:
        """Until the child closes stdout or breaks a bound; the closed stream is what tells the session."""
        lines, throttle = Lines(self._limits.message_bytes), Throttle(self._limits.messages_per_second)
        loop = asyncio.get_running_loop()
        async with out:
            try:
                while data := await self._child.stdout.read(_CHUNK):
                    complete = lines.feed(data)
                    for line in complete:
                        await self._deliver(line, out)
                    if (pause := throttle.rest(loop.time(), len(complete))) > 0:
                        await asyncio.sleep(pause)
                await self._say_why()
            except Trouble as trouble:
                self._failed(trouble)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async def _say_why(self) -> None:
        # The end of the output often arrives before the exit status and the last line of stderr do.
        await self._child.ended(_LAST_WORDS_SECONDS)
        self._failed(Trouble("closed", self._child.obituary(), sent=True))

    async def watch(self) -> None:
        """The end of the process. Usually the end of its output says so first, unless a grandchild holds that open."""
        while not await self._child.ended(_WATCH_SECONDS, poll_seconds=_WATCH_SECONDS):
            pass
        await self._say_why()

    async def _deliver(self, line: bytes, out: MemoryObjectSendStream[Incoming]) -> None:
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            self._stray += 1
            if self._stray > self._limits.stray_lines:
                raise Trouble(
                    "protocol",
                    f"the server wrote {self._stray} lines to stdout that are no JSON-RPC",
                    sent=True,
                ) from None
            log.debug("a line on stdout of process %d is no JSON-RPC (%d bytes)", self._child.pid, len(line))
            return
        await out.send(SessionMessage(message))

    async def write(self, messages: MemoryObjectReceiveStream[SessionMessage]) -> None:
        """Until the session closes or the child stops reading for good (the reader notices and says why)."""
        async with messages:
            with contextlib.suppress(OSError, RuntimeError):
                async for one in messages:
                    text = one.message.model_dump_json(by_alias=True, exclude_unset=True)
                    self._child.stdin.write(text.encode("utf-8") + b"\n")
                    await self._child.stdin.drain()


@contextlib.asynccontextmanager
async def stdio_transport(
    server: LocalServer,
    environment: Mapping[str, str],
    slots: ChildSlots,
    limits: Limits,
    failed: Callable[[Trouble], None],
) -> AsyncIterator[Streams]:
    """Start the server and connect to it. Raises `Trouble`. Enter and leave it in one task (anyio's rule)."""
    async with started(server, environment, slots, limits.grace_seconds) as child:
        into_session, incoming = anyio.create_memory_object_stream[Incoming](16)
        outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](_UNSENT)
        pipes = _Pipes(child, limits, failed)
        async with incoming, outgoing, into_session, from_session, anyio.create_task_group() as tasks:
            tasks.start_soon(child.log_stderr)
            tasks.start_soon(pipes.read, into_session)
            tasks.start_soon(pipes.write, from_session)
            tasks.start_soon(pipes.watch)
            try:
                yield incoming, outgoing
            finally:
                tasks.cancel_scope.cancel()
