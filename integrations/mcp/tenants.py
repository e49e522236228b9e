"""The sessions of an upstream where every tenant has one of its own: made by the first call, ended when idle.

A tenant is whoever `PreparedCall.tenant` names; to this package it is a text. Nothing is shared between two of them
but the server's address: neither a session nor a connection, a credential, a question or a turn in a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from integrations.mcp.servers import TokenHeaders
from integrations.mcp.session_calls import SessionCalls, UpstreamParts

KeepRunning = Callable[[Callable[[], Coroutine[Any, Any, None]]], asyncio.Task[None]]
"""Runs work in a task of its own until that is cancelled; work that fails is run again."""
TenantTokens = Callable[[str], TokenHeaders | None]
"""What a tenant's session is signed in with."""


class TenantSessions:
    """At most `limits.tenant_sessions` at once; for one more the one that was idle for longest ends."""

    def __init__(self, parts: UpstreamParts, tokens: TenantTokens) -> None:
        self._parts = parts
        self._tokens = tokens
        self._keep: KeepRunning | None = None
        # By last use, the oldest first.
        self._open: dict[str, tuple[SessionCalls, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def start(self, keep: KeepRunning) -> None:
        self._keep = keep

    def of(self, tenant: str) -> SessionCalls | None:
        """The tenant's own. None when there are too many, and all of them are in use."""
        known = self._open.pop(tenant, None)
        if known is None or known[0].supervisor.closed:
            if len(self._open) >= self._parts.limits.tenant_sessions and not self._end_oldest():
                return None
            known = self._begun(tenant)
        self._open[tenant] = known
        return known[0]

    def signed_in(self) -> None:
        """Somebody has signed in, or out."""
        for calls, _ in self._open.values():
            calls.supervisor.signed_in()

    async def aclose(self, timeout_seconds: float) -> None:
        for tenant in tuple(self._open):
            self._end(tenant)
        if self._ending:
            await asyncio.wait(self._ending, timeout=timeout_seconds)

    def _begun(self, tenant: str) -> tuple[SessionCalls, asyncio.Task[None]]:
        assert self._keep is not None, "started"
        calls = SessionCalls(self._parts, self._tokens(tenant), _ignore, idles=True, ends=True)
        task = self._keep(calls.supervisor.run)

        def ended(task: asyncio.Task[None]) -> None:
            if tenant in self._open and self._open[tenant][1] is task:
                del self._open[tenant]

        task.add_done_callback(ended)
        return calls, task

    def _end_oldest(self) -> bool:
        """Whether there is one that nobody uses."""
        idle = next((name for name, (calls, _) in self._open.items() if not calls.supervisor.in_use), None)
        if idle is None:
            return False
        self._end(idle)
        return True

    def _end(self, tenant: str) -> None:
        calls, task = self._open.pop(tenant)
        calls.supervisor.stop()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.cancel()


def _ignore() -> None:
    return
