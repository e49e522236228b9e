"""The owner task of one upstream: it alone opens and closes the session, and keeps it alive.

Life: connect, list the tools, attend (refresh, probe, idle stop) until the connection ends, pause, again. A call does
not wait in a queue for this task: it uses the open link itself, or asks `link()` for one, which ends a pause or an idle
stop. What the owner publishes - status, toolset, link - is replaced as a whole and never half ready.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from integrations.base import JsonObject, SourceError
from integrations.conversation import OnElicit
from integrations.mcp.attempt import Attempt
from integrations.mcp.link import Link, Listeners, Memory, Opening, Shared, open_link
from integrations.mcp.listening import announces_changes, listen
from integrations.mcp.pace import Pace
from integrations.mcp.redact import Redactor
from integrations.mcp.servers import Limits, LocalServer, Server
from integrations.mcp.shelf import MakeToolset, Shelf
from integrations.mcp.sign_in import SignIn
from integrations.mcp.trouble import Trouble, first_trouble

log = logging.getLogger("executor.mcp")
Resolve = Callable[[], Mapping[str, str]]


class Owner:
    """See the module text. `changed` is called when status or toolset was replaced; it must not block."""

    def __init__(
        self,
        server: Server,
        *,
        name: str,
        make: MakeToolset,
        resolve: Resolve,
        changed: Callable[[], None],
        elicit: OnElicit | None,
        shared: Shared,
        limits: Limits,
    ) -> None:
        self._server = server
        self._name = name
        self.shelf = Shelf(name, make, limits)
        self._resolve = resolve
        self._changed = changed
        self._shared = shared
        self._limits = limits
        self._listeners = Listeners(self._failed, self._tools_changed, self._logged, elicit)
        self._pace = Pace(limits.first_pause_seconds, limits.longest_pause_seconds)
        self._memory = Memory()
        self._sign_in = SignIn(server, shared.resolve)
        self._redactor = Redactor(())
        self._attempt = Attempt()
        self._bell = asyncio.Event()
        self._may_wake_at = 0.0
        self._last_use = 0.0
        self._calls = 0
        self._proved = False
        self._probe_due = False
        self._link: Link | None = None
        self._closed = False
        self._stopping = False
        self.status: JsonObject = {"status": "failed", "error": "not connected yet"}

    # What calls use.

    async def link(self) -> Link | Trouble:
        """The open link; waits while one is being opened. A pause that has lasted long enough is ended."""
        link = self._link
        if link is not None and link.trouble is None:
            return link
        if link is not None and self._attempt.settled:
            # It has just ended and the task has not noticed yet.
            self._attempt = Attempt()
        if self._attempt.settled and not self._wake():
            outcome = self._attempt.outcome
            return outcome if isinstance(outcome, Trouble) else Trouble("closed", "the connection is closed")
        return await self._attempt.result()

    def report(self, link: Link, trouble: Trouble) -> None:
        """A call found out that this link is of no more use."""
        if link is not self._link or link.trouble is not None:
            return
        if trouble.repairable:
            link.trouble = trouble
            self._failed(trouble)
        elif trouble.kind == "unauthorized":
            # For this tool only, or for everything? Listing the tools tells.
            self.suspect()

    def suspect(self) -> None:
        """A call ran out of time: ask the server for its tools, and reconnect if that is not answered either."""
        self._probe_due = True
        self._bell.set()

    def begin(self) -> None:
        """A call begins; the idle stop waits for its end."""
        self._calls += 1

    def finish(self, *, answered: bool) -> None:
        self._calls -= 1
        self._last_use = self._now()
        self._proved = self._proved or answered

    def refresh(self) -> None:
        """List the tools again soon; several requests become one."""
        self.shelf.refresh_soon()
        self._bell.set()

    def stop(self) -> None:
        """Before the task is cancelled: a session that breaks in that very moment may swallow the cancellation."""
        self._stopping = True
        self._bell.set()

    async def settled(self) -> None:
        """Until the attempt under way has an outcome, good or bad."""
        await self._attempt.result()

    # The task.

    async def run(self) -> None:
        """Runs until cancelled by whoever started it."""
        try:
            while not self._stopping:
                pause = await self._one_life()
                await self._rest(pause)
        finally:
            self._closed = True
            self._link = None
            self._attempt.settle(Trouble("closed", "the upstream is closed"))

    async def _one_life(self) -> float | None:
        """Connect, attend, close. The seconds until the next life, None for "until somebody calls"."""
        if self._attempt.settled:
            self._attempt = Attempt()
        opened_at: float | None = None
        self._proved = False
        try:
            opening = Opening(
                self._server, self._resolved(), self._listeners, self._shared, self._limits, self._resolve
            )
            async with open_link(opening, self._memory) as link:
                try:
                    opened_at = self._now()
                    await self._publish(link)
                    ending = await self._attend(link)
                finally:
                    self._retire()
        except Exception as error:
            # The owner must outlive whatever the SDK or a server makes of a session.
            ending = self._trouble(error)
        if ending is not None:
            return self._after(ending, opened_at, await self._sign_in.status_of(ending))
        if self._attempt.wanted:
            return 0.0
        self._attempt.settle(Trouble("closed", "stopped while idle"))
        return None

    def _retire(self) -> None:
        """Calls that come now wait for the next life instead of meeting a closing session."""
        self._link = None
        if self._attempt.settled:
            self._attempt = Attempt()

    def _after(self, trouble: Trouble, opened_at: float | None, status: JsonObject) -> float:
        log.info("mcp connection ended name=%s reason=%s", self._name, trouble.message)
        if opened_at is None or not self.shelf.listed:
            self._memory.way, self._memory.legacy = None, False
            pause = self._pace.failed()
        else:
            pause = self._pace.ended(self._now() - opened_at, proved=self._proved)
        if pause > self._patience(opened_at):
            self._attempt.settle(trouble)
            self._set_status(status)
        return pause

    def _patience(self, opened_at: float | None) -> float:
        """A pause up to this long after a loss is part of the repair: calls wait it out, and the status stays."""
        return self._limits.shortest_pause_seconds if opened_at is not None and self.shelf.listed else 0.0

    async def _rest(self, pause: float | None) -> None:
        """Wait out a pause, or an idle stop, unless a call rings."""
        if pause is not None:
            pause *= random.uniform(0.8, 1.2)  # noqa: S311 (jitter, no secret)
        self._may_wake_at = self._now() + min(self._limits.shortest_pause_seconds, pause or 0.0)
        if not self._attempt.settled:
            await asyncio.sleep(pause or 0.0)
            return
        try:
            async with asyncio.timeout(pause):
                while self._attempt.settled:
                    self._bell.clear()
                    await self._bell.wait()
        except TimeoutError:
            return

    def _wake(self) -> bool:
        """A call needs a link: begin a new attempt unless the last one was only a moment ago."""
        if self._closed or self._now() < self._may_wake_at:
            return False
        self._attempt = Attempt()
        self._bell.set()
        return True

    async def _publish(self, link: Link) -> None:
        """Give the link to callers. The tools are listed first while there are none, and where the session mirrors
        arguments into headers (specification 2026-07-28, `x-mcp-header`); else calls need not wait for that.
        """
        self._last_use = self._now()
        self._probe_due = False
        if self.shelf.listed and not (link.modern and link.way != "stdio"):
            self.shelf.refresh_soon(at_once=True)
            changed = False
        else:
            changed = await self.shelf.list(link)
        self._link = link
        self._attempt.settle(link)
        self._set_status({"status": "connected"}, changed)

    async def _attend(self, link: Link) -> Trouble | None:
        """Until the link ends (its trouble) or has been idle for long (None)."""
        ending: Trouble | None = None
        async with anyio.create_task_group() as tasks:
            if announces_changes(link):
                tasks.start_soon(listen, link, self.refresh)
            ending = await self._serve(link)
            tasks.cancel_scope.cancel()
        return ending

    async def _serve(self, link: Link) -> Trouble | None:
        while True:
            self._bell.clear()
            if link.trouble is not None:
                return link.trouble
            if self._idle_in() <= 0:
                self._retire()
                return None
            if self._probe_due:
                await self._probe(link)
            elif self.shelf.due_in() <= 0:
                await self._refresh(link)
            else:
                await self._ring_within(min(self._idle_in(), self.shelf.due_in()))

    async def _ring_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds if seconds != float("inf") else None):
                await self._bell.wait()
        except TimeoutError:
            return

    def _idle_in(self) -> float:
        if not isinstance(self._server, LocalServer) or self._calls:
            return float("inf")
        return self._last_use + self._limits.idle_seconds - self._now()

    async def _probe(self, link: Link) -> None:
        """After a timeout: does the server still answer anything at all?"""
        self._probe_due = False
        try:
            async with asyncio.timeout(self._limits.probe_seconds):
                await self._refresh(link)
        except TimeoutError:
            link.trouble = Trouble("closed", "the server stopped answering", sent=True)

    async def _refresh(self, link: Link) -> None:
        """List again. A failure changes nothing of what was listed, but may tell that the link is dead."""
        try:
            if await self.shelf.list(link):
                self._changed()
        except Trouble as trouble:
            if trouble.kind in ("unauthorized", "session", "unreachable"):
                link.trouble = link.trouble or trouble
                return
            log.warning(
                "mcp tools not refreshed name=%s reason=%s", self._name, self._redactor.clean(trouble.message)
            )
            self.shelf.plan(None)

    # Small parts.

    def _resolved(self) -> Mapping[str, str]:
        try:
            resolved = self._resolve()
        except SourceError as error:
            raise Trouble("secret", str(error)) from None
        own = self._server.environment if isinstance(self._server, LocalServer) else self._server.headers
        self._redactor = Redactor((*resolved.values(), *own.values()))
        return resolved

    def _trouble(self, error: Exception) -> Trouble:
        trouble = first_trouble(error)
        if trouble is None:
            log.warning(
                "mcp session broke name=%s error=%s", self._name, type(error).__name__, exc_info=error
            )
            trouble = Trouble("closed", "the session broke", sent=True)
        return Trouble(
            trouble.kind,
            self._redactor.clean(trouble.message),
            sent=trouble.sent,
            status=trouble.status,
            challenge=trouble.challenge,
        )

    def _set_status(self, status: JsonObject, changed: bool = False) -> None:
        changed = changed or status != self.status
        self.status = status
        if changed:
            self._changed()

    def _failed(self, trouble: Trouble) -> None:
        self._bell.set()

    def _tools_changed(self) -> None:
        self.refresh()

    def _logged(self, level: str, data: Any) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("mcp log name=%s level=%s: %s", self._name, level, self._redactor.clean(str(data)))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
