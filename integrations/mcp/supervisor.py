"""The task that owns the session of one upstream: it alone opens and closes the session, and keeps it alive.

It repeats: connect, list the tools, then refresh, probe and watch for idleness until the session ends; then a pause.
Calls do not queue for this task. They use the open session themselves, or ask `session()` for one, which ends a pause
or an idle stop. What is published (status, toolset, session) is replaced as a whole and never half ready.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from integrations.base import JsonObject, SourceError
from integrations.conversation import OnElicit
from integrations.logs import with_fields
from integrations.mcp.child import StderrTail
from integrations.mcp.errors import McpError, find_error, status_of
from integrations.mcp.redact import Redactor
from integrations.mcp.servers import LocalServer, McpLimits, McpServer, ResolveValues, TokenHeaders
from integrations.mcp.session import Listeners, McpSession, Negotiated, SessionOptions, Shared, open_session
from integrations.mcp.sign_in import OAuthDiscovery
from integrations.mcp.tool_cache import MakeToolset, ToolCache, announces_changes, listen

log = logging.getLogger("executor.mcp")
_STABLE_SECONDS = 30.0
_MAX_REFUSALS = 3
_TOO_MANY_REQUESTS = 429
_SHORTEST_LOOK_SECONDS = 0.05
_ABOUT_CALL_OR_SESSION = frozenset({"http", "protocol", "unauthorized", "forbidden"})


class ConnectAttempt:
    """One attempt to connect, which any number of calls may wait for. `wanted`: at least one call has waited for it."""

    def __init__(self) -> None:
        self._done = asyncio.Event()
        self.outcome: McpSession | McpError | None = None
        self.wanted = False

    @property
    def settled(self) -> bool:
        return self.outcome is not None

    def settle(self, outcome: McpSession | McpError) -> None:
        """Set the outcome. Only the first one counts."""
        if self.outcome is None:
            self.outcome = outcome
            self._done.set()

    async def result(self) -> McpSession | McpError:
        self.wanted = True
        await self._done.wait()
        assert self.outcome is not None
        return self.outcome


@dataclass(slots=True)
class Backoff:
    """Growing pauses between attempts to connect. Pure: it neither sleeps nor reads a clock.

    A connection that was open for 30 seconds, or answered a call, resets the count of failures.
    """

    first_seconds: float
    longest_seconds: float
    failures: int = 0

    def after_connection(self, open_seconds: float, *, proved: bool) -> float:
        """The pause after a connection that was open. None the first time: the server has usually just restarted."""
        if proved or open_seconds >= _STABLE_SECONDS:
            self.failures = 0
        self.failures += 1
        return 0.0 if self.failures == 1 else self._pause(self.failures - 1)

    def after_failure(self) -> float:
        """The pause after an attempt that did not connect."""
        self.failures += 1
        return self._pause(self.failures)

    def _pause(self, count: int) -> float:
        return min(self.first_seconds * 2.0 ** min(count - 1, 20), self.longest_seconds)


class SessionSupervisor:
    """See the module docstring. `changed` is called when status or toolset was replaced; it must not block.

    `idles`: a remote server's session ends too when nobody has used it for a while. `ends`: the task ends then, and
    after a failure that no call waits for: whoever wants another session makes another supervisor.
    """

    def __init__(
        self,
        server: McpServer,
        *,
        name: str,
        make: MakeToolset,
        resolve: ResolveValues,
        changed: Callable[[], None],
        elicit: OnElicit | None,
        shared: Shared,
        limits: McpLimits,
        tokens: TokenHeaders | None = None,
        idles: bool = False,
        ends: bool = False,
    ) -> None:
        self._server = server
        self._idles = idles or isinstance(server, LocalServer)
        self._ends = ends
        self._tokens = tokens
        self._name = name
        self.tool_cache = ToolCache(name, make, limits)
        self._resolve = resolve
        self._changed = changed
        self._shared = shared
        self._limits = limits
        self._listeners = Listeners(self._on_error, self.refresh, self._on_log, elicit)
        self._backoff = Backoff(limits.first_pause_seconds, limits.longest_pause_seconds)
        self._negotiated = Negotiated()
        self._sign_in = OAuthDiscovery(server, shared.resolve)
        self._redactor = Redactor(())
        self._attempt = ConnectAttempt()
        self._wake = asyncio.Event()
        self._may_connect_at = 0.0
        self._last_use = 0.0
        self._calls = 0
        self._proved = False
        self._probe_due = False
        self._refusals = 0
        self._late: McpError | None = None
        self._stderr = StderrTail()
        self._session: McpSession | None = None
        self._closed = False
        self._stopping = False
        self.status: JsonObject = {"status": "failed", "error": "not connected yet"}

    # ---- What calls use -------------------------------------------------------------------------------------------

    async def session(self) -> McpSession | McpError:
        """The open session; waits while one is being opened. Ends a pause, unless that has only just begun."""
        session = self._session
        if session is not None and session.error is None:
            return session
        if self._late is not None:
            return self._late
        if session is not None and self._attempt.settled:
            # The session has ended, but the supervisor task has not run since.
            self._attempt = ConnectAttempt()
        if self._attempt.settled and not self._request_attempt():
            outcome = self._attempt.outcome
            return (
                outcome if isinstance(outcome, McpError) else McpError("closed", "the connection is closed")
            )
        return await self._attempt.result()

    def report_error(self, session: McpSession, error: McpError) -> None:
        """A call failed with this error of the connection."""
        if session is not self._session or session.error is not None:
            return
        if error.reconnectable:
            self._end(session, error)
        elif error.status == _TOO_MANY_REQUESTS:
            return
        elif error.kind in _ABOUT_CALL_OR_SESSION:
            # Whether it is about this call or about everything: listing the tools tells which.
            self.request_probe()
            self.call_settled(session, refused=True)

    def call_settled(self, session: McpSession, *, refused: bool) -> None:
        """A call was answered, with an error of the server and not of the tool if `refused`. After some of those in a
        row the session is opened anew: the server may have lost it without a word, and if it has not, that costs one
        handshake.
        """
        self._refusals = self._refusals + 1 if refused else 0
        if self._refusals == 1 and session.has_id:
            self.request_probe()
        if (
            self._refusals >= _MAX_REFUSALS
            and self._calls <= 1
            and session.has_id
            and session is self._session
        ):
            self._refusals = 0
            self._end(session, McpError("session", f"{_MAX_REFUSALS} calls in a row were refused"))

    def _end(self, session: McpSession, error: McpError) -> None:
        session.error = session.error or error
        self._on_error(error)

    def request_probe(self) -> None:
        """Ask the server for its tools, and reconnect if it does not answer; after a call that ran out of time."""
        self._probe_due = True
        self._wake.set()

    def call_started(self) -> None:
        """A server is not stopped as idle before `call_ended`."""
        self._calls += 1

    def call_ended(self, *, answered: bool) -> None:
        self._calls -= 1
        self._last_use = self._now()
        self._proved = self._proved or answered

    def refresh(self) -> None:
        """List the tools again soon; several requests become one listing."""
        self.tool_cache.refresh_soon()
        self._wake.set()

    def list_again(self) -> None:
        """List the tools when it is time to, on a session that is opened for that if there is none."""
        idle = self._session is None and self._attempt.settled
        if idle and self.tool_cache.listed and self.tool_cache.due_in() <= 0:
            self._request_attempt()

    @property
    def in_use(self) -> bool:
        """Whether a call is under way, or waits."""
        return self._calls > 0

    @property
    def closed(self) -> bool:
        """Whether the task has ended."""
        return self._closed or self._stopping

    def signed_in(self) -> None:
        """Somebody has signed in, or out: what was tried without a token is tried again at once, and an open session is
        asked whether it is still let in."""
        if self._session is not None and self._session.error is None:
            self.request_probe()
        if self._session is None or self._session.error is not None:
            self._may_connect_at = 0.0
            self._backoff.failures = 0
            if self._attempt.settled:
                self._request_attempt()

    def stop(self) -> None:
        """Call this before cancelling the task: a session that breaks at that moment may swallow the cancellation."""
        self._stopping = True
        self._wake.set()

    async def settled(self) -> None:
        """Until the present attempt to connect has an outcome, good or bad."""
        await self._attempt.result()

    def _request_attempt(self) -> bool:
        """Begin a new attempt, unless the last one was only a moment ago."""
        if self._closed or self._now() < self._may_connect_at:
            return False
        self._attempt = ConnectAttempt()
        self._wake.set()
        return True

    # ---- The task: connect, serve, pause --------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until it is cancelled."""
        try:
            while not self._stopping:
                pause = await self._connect_once()
                await self._sleep(0.0 if self._ends and pause is None else pause)
                if self._ends and self._attempt.settled and not self._calls:
                    return
        finally:
            self._closed = True
            self._session = None
            self._attempt.settle(McpError("closed", "the upstream is closed"))

    async def _connect_once(self) -> float | None:
        """Connect, serve, close. Returns the seconds until the next attempt, None for "when the next call comes"."""
        if self._attempt.settled:
            self._attempt = ConnectAttempt()
        opened_at: float | None = None
        self._proved = False
        self._stderr = StderrTail()
        late = self._report_late_start()
        try:
            options = SessionOptions(
                self._server,
                self._resolve_values(),
                self._listeners,
                self._shared,
                self._limits,
                self._resolve,
                self._tokens,
                self._stderr,
            )
            async with open_session(options, self._negotiated) as session:
                try:
                    opened_at = self._now()
                    await self._publish(session)
                    ending = await self._serve(session)
                finally:
                    self._withdraw()
        except Exception as error:
            # The supervisor must survive whatever the SDK or a server does to a session.
            ending = self._error_of(error)
        finally:
            self._late = None
            if late is not None:
                late.cancel()
        if ending is not None:
            return self._after_error(ending, opened_at, await self._sign_in.status_of(ending))
        if self._attempt.wanted:
            return 0.0
        self._attempt.settle(McpError("closed", "stopped while idle"))
        return None

    def _report_late_start(self) -> asyncio.TimerHandle | None:
        """A local server that does not answer is reported as failed, but not killed: it may be downloading itself, and
        would begin anew. Calls are answered at once until it is there.
        """
        if not isinstance(self._server, LocalServer):
            return None
        seconds = self._server.start_timeout_seconds

        def report() -> None:
            said = self._redactor.clean(str(self._stderr))
            message = (
                f"the server has not answered within {seconds:g} s (`start_timeout`), and is left running"
            )
            self._late = McpError("timeout", f"{message}: {said}" if said else message)
            self._attempt.settle(self._late)
            self._set_status(status_of(self._late))

        return asyncio.get_running_loop().call_later(seconds, report)

    async def _publish(self, session: McpSession) -> None:
        """Give the session to callers. Calls need not wait for a listing if there has been one, except where the SDK
        sends arguments as headers and must know the tools first (specification 2026-07-28, `x-mcp-header`).
        """
        self._last_use = self._now()
        self._probe_due = False
        if self.tool_cache.listed and not (session.modern and session.transport != "stdio"):
            self.tool_cache.refresh_soon(at_once=True)
            changed = False
        else:
            changed = await self.tool_cache.refresh(session)
        self._session, self._late = session, None
        if self._attempt.settled:
            self._attempt = ConnectAttempt()
        self._attempt.settle(session)
        self._set_status({"status": "connected"}, changed)

    def _withdraw(self) -> None:
        """Calls that come now wait for the next attempt instead of using a session that is being closed."""
        self._session = None
        if self._attempt.settled:
            self._attempt = ConnectAttempt()

    def _after_error(self, error: McpError, opened_at: float | None, status: JsonObject) -> float:
        log.warning("mcp_ended", extra=with_fields(connection=self._name, reason=error.message))
        if opened_at is None or not self.tool_cache.listed:
            self._negotiated.transport, self._negotiated.legacy = None, False
            pause = self._backoff.after_failure()
        else:
            pause = self._backoff.after_connection(self._now() - opened_at, proved=self._proved)
        if pause > self._unnoticed_pause_seconds(opened_at):
            self._attempt.settle(error)
            self._set_status(status)
        return pause

    def _unnoticed_pause_seconds(self, opened_at: float | None) -> float:
        """During a pause of up to this length after a lost connection, calls wait and the status stays as it is."""
        was_in_use = opened_at is not None and self.tool_cache.listed
        return self._limits.shortest_pause_seconds if was_in_use else 0.0

    async def _sleep(self, pause: float | None) -> None:
        """Sleep for the pause (None: without end), or until a call requests an attempt."""
        if pause is not None:
            pause *= random.uniform(0.8, 1.2)  # noqa: S311 (jitter, no secret)
        self._may_connect_at = self._now() + min(self._limits.shortest_pause_seconds, pause or 0.0)
        if not self._attempt.settled:
            await asyncio.sleep(pause or 0.0)
            return
        try:
            async with asyncio.timeout(pause):
                while self._attempt.settled:
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            return

    # ---- While a session is open ----------------------------------------------------------------------------------

    async def _serve(self, session: McpSession) -> McpError | None:
        """Until the session ends (the error), or has been idle for so long that it is stopped (None)."""
        ending: McpError | None = None
        async with anyio.create_task_group() as tasks:
            if announces_changes(session):
                tasks.start_soon(listen, session, self.refresh)
            ending = await self._maintain(session)
            tasks.cancel_scope.cancel()
        return ending

    async def _maintain(self, session: McpSession) -> McpError | None:
        while True:
            self._wake.clear()
            if session.error is not None:
                return session.error
            if self._idle_in() <= 0:
                self._withdraw()
                return None
            if self._probe_due:
                await self._probe(session)
            elif self.tool_cache.due_in() <= 0:
                await self._refresh(session)
            else:
                await self._wait_for_wake(min(self._idle_in(), self.tool_cache.due_in()))

    async def _wait_for_wake(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds if seconds != float("inf") else None):
                await self._wake.wait()
        except TimeoutError:
            return

    def _idle_in(self) -> float:
        """Seconds until the session ends as idle; infinite where that is not wanted."""
        if not self._idles:
            return float("inf")
        if self._calls:
            # Nothing says when the last of them is over: to be looked at again.
            return max(self._limits.idle_seconds, _SHORTEST_LOOK_SECONDS)
        return self._last_use + self._limits.idle_seconds - self._now()

    async def _probe(self, session: McpSession) -> None:
        """Find out whether the server still answers anything at all."""
        self._probe_due = False
        try:
            async with asyncio.timeout(self._limits.probe_seconds):
                await self._refresh(session, probe=True)
        except TimeoutError:
            session.error = McpError("closed", "the server stopped answering", sent=True)

    async def _refresh(self, session: McpSession, *, probe: bool = False) -> None:
        """List again. A failure leaves the tools as they are, but may show that the session has ended: one that can
        neither call nor list (`probe`) is opened anew.
        """
        try:
            if await self.tool_cache.refresh(session):
                self._changed()
        except McpError as error:
            if error.kind in ("unauthorized", "session", "unreachable") or (
                probe and error.kind in _ABOUT_CALL_OR_SESSION and error.status != _TOO_MANY_REQUESTS
            ):
                session.error = session.error or error
                return
            reason = self._redactor.clean(error.message)
            log.warning("mcp_tools_not_refreshed", extra=with_fields(connection=self._name, reason=reason))
            self.tool_cache.schedule(None)

    # ---- Parts ----------------------------------------------------------------------------------------------------

    def _resolve_values(self) -> Mapping[str, str]:
        try:
            resolved = self._resolve()
        except SourceError as error:
            raise McpError("secret", str(error)) from None
        own = self._server.environment if isinstance(self._server, LocalServer) else self._server.headers
        self._redactor = Redactor((*resolved.values(), *own.values()))
        return resolved

    def _error_of(self, error: Exception) -> McpError:
        """The reason why a session ended, without secrets."""
        found = find_error(error)
        if found is None:
            fields = with_fields(connection=self._name, error=type(error).__name__)
            log.warning("mcp_session_broke", extra=fields, exc_info=error)
            found = McpError("closed", "the session broke", sent=True)
        message = self._redactor.clean(found.message)
        return McpError(found.kind, message, sent=found.sent, status=found.status, challenge=found.challenge)

    @property
    def last_stderr(self) -> tuple[str, ...]:
        return self._stderr.lines

    def _set_status(self, status: JsonObject, changed: bool = False) -> None:
        changed = changed or status != self.status
        self.status = status
        if changed:
            self._changed()

    def _on_error(self, error: McpError) -> None:
        self._wake.set()

    def _on_log(self, level: str, data: Any) -> None:
        if log.isEnabledFor(logging.DEBUG):
            text = self._redactor.clean(str(data))
            log.debug("mcp_log", extra=with_fields(connection=self._name, level_there=level, detail=text))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
