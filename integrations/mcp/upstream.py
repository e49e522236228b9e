"""`McpUpstream`: one connection to one MCP server, with its tools, status and calls.

Who owns what: `start(keep)` has the caller keep one task running, the supervisor, which alone opens and closes
sessions. `aclose()` cancels it and waits until the session is closed and the process group of a local server is dead.
Cancelling the task does the same. Calls run in the tasks of their callers.

Arguments are checked against the tool's input schema before anything is sent. The schema comes from the server:
`integrations.validator` makes sure that the check ends soon and fetches nothing, and what it cannot judge is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from integrations.base import Credential, Failure, InvalidArguments, JsonObject, PreparedCall, Problem, Result
from integrations.conversation import SILENT, Conversation, InputNeeded, OnElicit
from integrations.mcp.elicitation import ElicitationRouter
from integrations.mcp.errors import McpError
from integrations.mcp.request import send_request
from integrations.mcp.servers import ChildSlots, McpLimits, McpServer, ResolveValues, TokenHeaders
from integrations.mcp.session import McpSession, Shared
from integrations.mcp.supervisor import SessionSupervisor
from integrations.mcp.toolset import McpToolset, Offer, RequestPlan, make_toolset
from integrations.validator import schema_errors
from integrations.value_errors import problem_of

# A child process gets `grace_seconds` twice and is then killed; nothing else takes long.
_CLOSE_SECONDS = 15.0
_MAX_PROBLEMS = 20
# JSON-RPC errors that are about the server and not about the arguments: "internal error", and the server's own range.
_SERVER_ERRORS = frozenset({-32603, *range(-32099, -31999)})
# The statuses that mean our session, whatever the words (the specification, and its neighbour).
_NO_SESSION = frozenset({404, 410})


KeepRunning = Callable[[Callable[[], Coroutine[Any, Any, None]]], asyncio.Task[None]]
"""Runs work in a task of its own until that is cancelled; work that fails is run again."""


def _no_values() -> Mapping[str, str]:
    return {}


def _ignore() -> None:
    return


class McpUpstream:
    """Implements `Upstream`.

    `name` is for logs (the integration, or the prefix). `resolve` is called before every connection; its values
    override those of `server`. `changed` is called, in the event loop, when `status` or `toolset` was replaced; it
    must neither block nor raise. `tokens` are asked before each request to a remote server. `asks`: servers may ask
    the user something. Then a question goes to the `Conversation` of its call, and is refused where nobody can be
    asked. Without `asks` the capability is not declared and every question is refused. Sampling and roots are always
    refused.
    """

    def __init__(
        self,
        server: McpServer,
        *,
        name: str = "mcp",
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        enabled: bool = True,
        resolve: ResolveValues = _no_values,
        changed: Callable[[], None] = _ignore,
        asks: bool = False,
        shared: Shared | None = None,
        limits: McpLimits | None = None,
        tokens: TokenHeaders | None = None,
    ) -> None:
        self._server = server
        self._name = name
        self._enabled = enabled
        self._limits = limits or McpLimits()
        self._call_limiter = _CallLimiter(self._limits.parallel_calls, self._limits.waiting_calls)
        self._elicitations = ElicitationRouter()
        self._own_sessions: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        ask: OnElicit | None = self._elicitations.ask if asks else None

        def make(offer: Offer) -> McpToolset:
            return make_toolset(offer, include, exclude)

        self._supervisor = SessionSupervisor(
            server,
            name=name,
            make=make,
            resolve=resolve,
            changed=changed,
            elicit=ask,
            shared=shared or Shared(ChildSlots()),
            limits=self._limits,
            tokens=tokens,
        )

    @property
    def toolset(self) -> McpToolset:
        """Empty until the server has listed its tools once (`listed`); never empty again after that."""
        return self._supervisor.tool_cache.toolset

    @property
    def listed(self) -> bool:
        return self._supervisor.tool_cache.listed

    @property
    def status(self) -> JsonObject:
        """`{"status": "connected"}`, `disabled`, `needs_auth`, or with an `error` `needs_client_registration` or
        `failed`.

        A local server that was stopped while idle is `connected`: it is ready, and starts with the next call.
        """
        return dict(self._supervisor.status) if self._enabled else {"status": "disabled"}

    def start(self, keep: KeepRunning) -> None:
        """Begin to connect. The supervisor is kept running until `aclose`. Call this once only."""
        if self._enabled:
            self._task = keep(self._supervisor.run)

    async def settled(self, timeout_seconds: float) -> bool:
        """Wait for the outcome of the attempt to connect that is under way. False when it takes longer."""
        if self._task is None:
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._supervisor.settled()
        except TimeoutError:
            return False
        return True

    def signed_in(self) -> None:
        """Somebody has signed in, or out."""
        self._supervisor.signed_in()

    def refresh(self) -> None:
        """List the tools again soon, in the background."""
        self._supervisor.refresh()

    async def aclose(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._supervisor.stop()
            task.cancel()
            await asyncio.wait([task], timeout=_CLOSE_SECONDS)

    def prepare(self, tool: str, arguments: JsonObject) -> PreparedCall:
        """Validate. Raises `UnknownTool`, `InvalidArguments`. The canonical arguments are those given: they are sent
        as they are, and the server fills in defaults.
        """
        toolset = self._supervisor.tool_cache.toolset
        plan = toolset.plan(tool)
        check_arguments(toolset.schemas(tool).input, arguments)
        summary = f"{self._name}: {plan.method} {plan.name}".rstrip()
        return PreparedCall(toolset.definition(tool), dict(arguments), summary, plan)

    async def invoke(self, call: PreparedCall, credential: Credential, timeout_seconds: float) -> Result:
        """One request upstream, without reports of progress, and with nobody to ask.

        `credential` is not used: the headers of a session are set when it is opened (`resolve`).
        """
        result = await self.converse(call, timeout_seconds, SILENT)
        assert not isinstance(result, InputNeeded)
        return result

    async def converse(
        self, call: PreparedCall, timeout_seconds: float, conversation: Conversation
    ) -> Result | InputNeeded:
        """One request upstream, within the server's own timeout and this one.

        Cancelling the caller cancels the request at the server too. Progress does not extend the deadline; the time
        in which somebody is asked does not count.
        """
        if not self._enabled:
            return Failure("connection_not_ready", f"{self._name} is disabled")
        if self._call_limiter.full:
            return McpError("busy", f"too many calls of {self._name} wait already").as_failure(
                idempotent=True
            )
        state = _CallState()
        seconds = min(timeout_seconds, self._server.timeout_seconds)
        # A call that waits for a session already keeps the server from being stopped as idle.
        self._supervisor.call_started()
        try:
            async with asyncio.timeout(seconds) as limit, self._call_limiter:
                with self._elicitations.call(conversation, limit):
                    return await self._send(call, conversation, state)
        except TimeoutError:
            if state.session is not None:
                self._supervisor.request_probe()
            return self._timed_out(call, state, seconds)
        finally:
            self._supervisor.call_ended(answered=state.answered)

    async def _send(
        self, call: PreparedCall, conversation: Conversation, state: _CallState
    ) -> Result | InputNeeded:
        """Send. If the connection is lost, send once more on a new one, unless that could run a call twice."""
        plan: RequestPlan = call.plan
        safe = call.tool.idempotent or call.tool.risk == "read"
        for last in (False, True):
            session = await self._supervisor.session()
            if isinstance(session, McpError):
                return self._not_ready(session)
            state.session = session
            try:
                result = await send_request(
                    session, plan, call.arguments, conversation, self._limits.input_rounds
                )
            except McpError as error:
                if (
                    error.kind == "session"
                    and error.status not in _NO_SESSION
                    and (last or plan.name in self._own_sessions)
                ):
                    # To this tool a new session is as unknown as the old one: it means a session of its own.
                    self._own_sessions.add(plan.name)
                    self._supervisor.request_probe()
                    return error.as_failure(idempotent=safe)
                self._supervisor.report_error(session, error)
                state.session = None
                if last or not error.reconnectable or (error.sent and not safe):
                    return error.as_failure(idempotent=safe)
            else:
                state.answered = True
                refused = isinstance(result, Failure) and result.details.get("code") in _SERVER_ERRORS
                self._supervisor.call_settled(session, refused=refused)
                if isinstance(result, Failure) and result.code == "mcp_tool_unknown":
                    self._supervisor.refresh()
                return result
        raise AssertionError("the second round always returns")

    def _not_ready(self, error: McpError) -> Failure:
        """The server was reached before, because its tools are known, but cannot be reached now. Nothing was sent."""
        failure = error.as_failure(idempotent=True)
        return Failure(
            failure.code,
            f"{self._name}: {failure.message}",
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


def check_arguments(schema: JsonObject, arguments: JsonObject) -> None:
    """Raises `InvalidArguments` with at most twenty problems, each with its JSON Pointer (RFC 6901)."""
    problems: list[Problem] = []
    for error in schema_errors(schema, arguments):
        problems.append(problem_of(schema, error))
        if len(problems) >= _MAX_PROBLEMS:
            break
    if problems:
        raise InvalidArguments(problems)
