"""What a running execution tells its client: progress for every inner call, console lines as log messages.

The execution reports synchronously and never waits for a slow client: reports go into a bounded queue that one task
empties into the connection. What does not fit is dropped and counted; the result is complete in any case.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from proxy.serving.mcp.sdk import Notify

QUEUE_SIZE = 1024
# How long a client that does not read can hold up the end of its own execution.
FLUSH_SECONDS = 5.0
_NAMED = 3
# Console levels of agent code and their RFC 5424 names as MCP uses them.
LEVELS = {"debug": "debug", "log": "info", "info": "info", "warn": "warning", "error": "error"}


class Reports:
    """Turns what happens into notifications. `token` None means no progress, `wants` says which log levels go out."""

    def __init__(self, token: str | int | None, wants: Callable[[str], bool]) -> None:
        self._token = token
        self._wants = wants
        self._steps = 0
        self._open: dict[int, str] = {}
        self._done: set[int] = set()
        self._undecided: tuple[str, ...] = ()
        self.dropped = 0
        self._send, self.queue = anyio.create_memory_object_stream[tuple[str, dict[str, Any]]](QUEUE_SIZE)

    def call_started(self, seq: int, path: str) -> None:
        self._open[seq] = path
        self._progress(f"{path} started")

    def call_progress(self, seq: int, path: str, text: str) -> None:
        self._progress(f"{path}: {text}")

    def call_finished(self, seq: int, path: str, ok: bool, code: str | None, ms: float) -> None:
        self._open.pop(seq, None)
        self._done.add(seq)
        self._progress(f"{path} {'ok' if ok else code or 'failed'} in {ms:.0f} ms")

    def log(self, level: str, text: str) -> None:
        name = LEVELS.get(level, "info")
        if self._wants(name):
            self._offer("notifications/message", {"level": name, "logger": "console", "data": text})

    def undecided(self, addresses: tuple[str, ...]) -> None:
        self._undecided = addresses
        if addresses:
            # Their worker is gone; what goes on after the decision begins anew.
            self._open.clear()

    def still_running(self) -> None:
        """Say what is going on, so that clients which give up on silence do not."""
        self._progress(self._standing())

    def _standing(self) -> str:
        if self._undecided:
            return f"waiting for a decision about {_listed(self._undecided)}"
        count = len(self._done | self._open.keys())
        calls = f"{len(self._done)} of {count} calls done" if count else ""
        if self._open:
            return f"{calls}; waiting for {_listed(tuple(self._open.values()))}"
        return f"{calls}; the code runs" if calls else "the code runs"

    def end(self) -> None:
        self._send.close()

    def _progress(self, message: str) -> None:
        # MCP: progress must increase with every notification; the total is not known, so none is claimed.
        self._steps += 1
        if self._token is not None:
            params = {"progressToken": self._token, "progress": self._steps, "message": message}
            self._offer("notifications/progress", params)

    def _offer(self, method: str, params: dict[str, Any]) -> None:
        try:
            self._send.send_nowait((method, params))
        # Closed: the result is there, and what was due at the same moment comes too late.
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.dropped += 1


def _listed(paths: tuple[str, ...]) -> str:
    """The different ones, a few of them by name."""
    names = tuple(dict.fromkeys(paths))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


@asynccontextmanager
async def reporting(
    reports: Reports, notify: Notify, waiting_seconds: float | None = None
) -> AsyncIterator[Reports]:
    """Send what `reports` gets while the body runs; everything is out when it ends, so that the result comes
    last. Every `waiting_seconds` they say what is going on."""

    async def pump() -> None:
        async with reports.queue:
            async for method, params in reports.queue:
                await notify(method, params)

    async def wait(seconds: float) -> None:
        while True:
            await anyio.sleep(seconds)
            reports.still_running()

    problem: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(pump)
        async with anyio.create_task_group() as waiting:
            if waiting_seconds is not None:
                waiting.start_soon(wait, waiting_seconds)
            try:
                yield reports
            except Exception as error:  # the task group would wrap it; it goes on as it is below
                problem = error
            finally:
                reports.end()
                waiting.cancel_scope.cancel()
                group.cancel_scope.deadline = anyio.current_time() + FLUSH_SECONDS
    if problem is not None:
        raise problem
