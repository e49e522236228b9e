"""The calls that go over one session: how many at once, whom the server may ask meanwhile, what is sent again.

One session carries one credential, and its server asks its questions on it. So whoever has a session alone has this
alone too: limits, questions and what is known of a server's ways.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from integrations.base import Failure, PreparedCall, Result
from integrations.conversation import Conversation, InputNeeded, OnElicit
from integrations.mcp.elicitation import ElicitationRouter
from integrations.mcp.errors import McpError
from integrations.mcp.refused import SentRequest, sending
from integrations.mcp.request import send_request
from integrations.mcp.servers import McpLimits, McpServer, ResolveValues, TokenHeaders
from integrations.mcp.session import McpSession, Shared
from integrations.mcp.supervisor import SessionSupervisor
from integrations.mcp.tool_cache import MakeToolset
from integrations.mcp.toolset import RequestPlan

# The statuses that mean our session, whatever the words (the specification, and its neighbour).
_NO_SESSION = frozenset({404, 410})
# JSON-RPC errors that are about the server and not about the arguments: "internal error", and the server's own range.
_SERVER_ERRORS = frozenset({-32603, *range(-32099, -31999)})


@dataclass(frozen=True, slots=True)
class UpstreamParts:
    """What the sessions of one upstream have in common. `name` is for logs (the integration, or the prefix)."""

    server: McpServer
    name: str
    make: MakeToolset
    resolve: ResolveValues
    asks: bool
    shared: Shared
    limits: McpLimits


class SessionCalls:
    """`changed` hears of another status or other tools. `idles`: the session ends when nobody has used it for a while.
    `ends`: then all of it ends, and `closed` says so."""

    def __init__(
        self,
        parts: UpstreamParts,
        tokens: TokenHeaders | None,
        changed: Callable[[], None],
        *,
        idles: bool = False,
        ends: bool = False,
    ) -> None:
        self._parts = parts
        self._call_limiter = _CallLimiter(parts.limits.parallel_calls, parts.limits.waiting_calls)
        self._elicitations = ElicitationRouter()
        # Tools to which our session is unknown, because they mean a session of their own.
        self._own_sessions: set[str] = set()
        ask: OnElicit | None = self._elicitations.ask if parts.asks else None
        self.supervisor = SessionSupervisor(
            parts.server,
            name=parts.name,
            make=parts.make,
            resolve=parts.resolve,
            changed=changed,
            elicit=ask,
            shared=parts.shared,
            limits=parts.limits,
            tokens=tokens,
            idles=idles,
            ends=ends,
        )

    async def converse(
        self, call: PreparedCall, timeout_seconds: float, conversation: Conversation
    ) -> Result | InputNeeded:
        """One request upstream, within the server's own timeout and this one."""
        name = self._parts.name
        if self._call_limiter.full:
            return McpError("busy", f"too many calls of {name} wait already").as_failure(idempotent=True)
        state = _CallState()
        seconds = min(timeout_seconds, self._parts.server.timeout_seconds)
        # A call that waits for a session already keeps the server from being stopped as idle.
        self.supervisor.call_started()
        try:
            async with asyncio.timeout(seconds) as limit, self._call_limiter:
                with self._elicitations.call(conversation, limit):
                    return await self._send(call, conversation, state)
        except TimeoutError:
            if state.session is not None:
                self.supervisor.request_probe()
                # A server that has lost our session may take what we send and never answer.
                self.supervisor.call_settled(state.session, refused=True)
            return self._timed_out(call, state, seconds)
        finally:
            self.supervisor.call_ended(answered=state.answered)

    async def _send(
        self, call: PreparedCall, conversation: Conversation, state: _CallState
    ) -> Result | InputNeeded:
        """Send. If the connection is lost, send once more on a new one, unless that could run a call twice."""
        plan: RequestPlan = call.plan
        safe = call.tool.idempotent or call.tool.risk == "read"
        for last in (False, True):
            session = await self.supervisor.session()
            if isinstance(session, McpError):
                return self._not_ready(session)
            state.session = session
            request = SentRequest()
            try:
                with sending(request):
                    result = await send_request(
                        session, plan, call.arguments, conversation, self._parts.limits.input_rounds
                    )
            except McpError as ended:
                error = request.refusal or ended
                if (
                    error.kind == "session"
                    and error.status not in _NO_SESSION
                    and (last or plan.name in self._own_sessions)
                ):
                    # To this tool a new session is as unknown as the old one: it means a session of its own.
                    self._own_sessions.add(plan.name)
                    self.supervisor.request_probe()
                    return error.as_failure(idempotent=safe)
                self.supervisor.report_error(session, error)
                state.session = None
                if last or not error.reconnectable or (error.sent and not safe):
                    return error.as_failure(idempotent=safe)
            else:
                state.answered = True
                refused = isinstance(result, Failure) and result.details.get("code") in _SERVER_ERRORS
                self.supervisor.call_settled(session, refused=refused)
                if isinstance(result, Failure) and result.code == "mcp_tool_unknown":
                    self.supervisor.refresh()
                return result
        raise AssertionError("the second round always returns")

    def _not_ready(self, error: McpError) -> Failure:
        """The server was reached before, because its tools are known, but cannot be reached now. Nothing was sent."""
        failure = error.as_failure(idempotent=True)
        return Failure(
            failure.code,
            f"{self._parts.name}: {failure.message}",
            failure.retryable,
            failure.status,
            {"sent": False},
        )

    def _timed_out(self, call: PreparedCall, state: _CallState, seconds: float) -> Failure:
        safe = call.tool.idempotent or call.tool.risk == "read"
        message = f"the MCP server did not answer within {seconds:g} seconds"
        return McpError("timeout", message, sent=state.session is not None).as_failure(idempotent=safe)


class _CallState:
    """How far a call got: the session on which its request is under way, if any, and whether it was answered."""

    __slots__ = ("answered", "session")

    def __init__(self) -> None:
        self.session: McpSession | None = None
        self.answered = False


class _CallLimiter:
    """Limits the number of calls under way, and of those that wait for their turn."""

    def __init__(self, parallel: int, waiting: int) -> None:
        self._turns = asyncio.Semaphore(parallel)
        self._maximum = parallel + waiting
        self._inside = 0

    @property
    def full(self) -> bool:
        return self._inside >= self._maximum

    async def __aenter__(self) -> None:
        self._inside += 1
        try:
            await self._turns.acquire()
        except BaseException:
            self._inside -= 1
            raise

    async def __aexit__(self, *error: Any) -> None:
        self._inside -= 1
        self._turns.release()
