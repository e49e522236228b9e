"""The stdio transport: newline-delimited JSON-RPC to and from a child process, with limits on what the child may write.

A line has at most `message_bytes`. More than `stray_lines` lines that are not JSON-RPC end the connection. At most
`messages_per_second` messages are read, so that a flood fills the child's own pipe instead of our memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCMessage, jsonrpc_message_adapter

from integrations.json_text import write_json
from integrations.logs import with_fields
from integrations.mcp.child import Child, StderrTail, child_process
from integrations.mcp.errors import McpError, OnError
from integrations.mcp.messages import error_for, for_server, read_message
from integrations.mcp.servers import ChildSlots, LocalServer, McpLimits
from integrations.mcp.transport import MessageOrError, MessageStreams

log = logging.getLogger("executor.mcp")
_CHUNK = 256 * 1024
_OUTGOING_MESSAGES = 256
_WINDOW_SECONDS = 0.05
_EXIT_WAIT_SECONDS = 0.5
_EXIT_POLL_SECONDS = 0.5


class LineSplitter:
    """Splits a byte stream into lines, without I/O: `feed` returns the complete ones. Raises `McpError`."""

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
            raise McpError(
                "too_large", f"the server wrote a line of more than {self._limit} bytes", sent=True
            )


class MessageThrottle:
    """Limits reading to `rate` messages a second. Without I/O: the caller passes the time and sleeps."""

    def __init__(self, rate: int) -> None:
        self._per_window = max(1, int(rate * _WINDOW_SECONDS))
        self._since = 0.0
        self._count = 0

    def pause(self, now: float, messages: int) -> float:
        """Count these messages; the seconds to wait before more are read."""
        if now - self._since >= _WINDOW_SECONDS:
            self._since, self._count = now, 0
        self._count += messages
        if self._count < self._per_window:
            return 0.0
        return _WINDOW_SECONDS * self._count / self._per_window - (now - self._since)


class _Pipes:
    """Both directions of one child. `on_error` is called with what ends the connection."""

    def __init__(self, child: Child, limits: McpLimits, on_error: OnError) -> None:
        self._child = child
        self._limits = limits
        self._on_error = on_error
        self._stray = 0

    async def read(self, out: MemoryObjectSendStream[MessageOrError]) -> None:
        """Until the child closes stdout or exceeds a limit; the session sees that as the end of the stream."""
        lines = LineSplitter(self._limits.message_bytes)
        throttle = MessageThrottle(self._limits.messages_per_second)
        loop = asyncio.get_running_loop()
        async with out:
            try:
                while data := await self._child.stdout.read(_CHUNK):
                    complete = lines.feed(data)
                    for line in complete:
                        await self._deliver(line, out)
                    if (pause := throttle.pause(loop.time(), len(complete))) > 0:
                        await asyncio.sleep(pause)
                await self._report_exit()
            except McpError as error:
                self._on_error(error)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async def _report_exit(self) -> None:
        # The end of the output often arrives before the exit status and the last line of stderr do.
        await self._child.ended(_EXIT_WAIT_SECONDS)
        self._on_error(McpError("closed", self._child.exit_reason(), sent=True))

    async def watch(self) -> None:
        """Until the process ends. Usually its output ends first, unless a grandchild holds that open."""
        while not await self._child.ended(_EXIT_POLL_SECONDS, poll_seconds=_EXIT_POLL_SECONDS):
            pass
        await self._report_exit()

    async def _deliver(self, line: bytes, out: MemoryObjectSendStream[MessageOrError]) -> None:
        message = _read(line)
        if message is None:
            self._stray += 1
            if self._stray > self._limits.stray_lines:
                raise McpError(
                    "protocol",
                    f"the server wrote {self._stray} lines to stdout that are no JSON-RPC",
                    sent=True,
                )
            log.debug("mcp_stdout_not_jsonrpc", extra=with_fields(pid=self._child.pid, bytes=len(line)))
            return
        await out.send(SessionMessage(message))

    async def write(self, messages: MemoryObjectReceiveStream[SessionMessage]) -> None:
        """Until the session closes, or the child no longer reads its stdin (`read` and `watch` then report why)."""
        async with messages:
            with contextlib.suppress(OSError, RuntimeError):
                async for one in messages:
                    text = write_json(one.message.model_dump(by_alias=True, mode="json", exclude_unset=True))
                    self._child.stdin.write(for_server(text) + b"\n")
                    await self._child.stdin.drain()


def _read(line: bytes) -> JSONRPCMessage | None:
    """One message; None for a line that is none. An answer that is nested too deep is the error of its request, and
    where nobody can tell which that is, of all: raises `McpError`."""
    try:
        message = read_message(line)
    except McpError as error:
        if error.kind != "too_deep":
            return None
        message = error_for(line, error)
        if message["id"] is None:
            raise
    except ValueError:
        return None
    try:
        return jsonrpc_message_adapter.validate_python(message, by_name=False)
    except ValueError:
        return None


@contextlib.asynccontextmanager
async def stdio_transport(
    server: LocalServer,
    environment: Mapping[str, str],
    slots: ChildSlots,
    limits: McpLimits,
    on_error: OnError,
    stderr: StderrTail | None = None,
) -> AsyncIterator[MessageStreams]:
    """Start the server and connect to it. Raises `McpError`. Enter and exit it in the same task (anyio requires it)."""
    async with child_process(server, environment, slots, limits.grace_seconds, stderr) as child:
        into_session, incoming = anyio.create_memory_object_stream[MessageOrError](16)
        outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](_OUTGOING_MESSAGES)
        pipes = _Pipes(child, limits, on_error)
        async with incoming, outgoing, into_session, from_session, anyio.create_task_group() as tasks:
            tasks.start_soon(child.log_stderr)
            tasks.start_soon(pipes.read, into_session)
            tasks.start_soon(pipes.write, from_session)
            tasks.start_soon(pipes.watch)
            try:
                yield incoming, outgoing
            finally:
                tasks.cancel_scope.cancel()
