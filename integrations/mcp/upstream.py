"""`McpUpstream`: one connection to one MCP server, with its tools, status and calls.

Who owns what: `start(keep)` has the caller keep one task running, the supervisor, which alone opens and closes
sessions. `aclose()` cancels it and waits until the session is closed and the process group of a local server is dead.
Cancelling the task does the same. Calls run in the tasks of their callers.

No two tenants share a session, and so no process of a local server: the first one that calls has the one that is open
since the start, any other one of its own, which its first call opens. With `tenants` the first session only lists the
tools, which everybody shares.

Arguments are checked against the tool's input schema before anything is sent. The schema comes from the server:
`integrations.validator` makes sure that the check ends soon and fetches nothing, and what it cannot judge is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from integrations.base import Credential, Failure, InvalidArguments, JsonObject, PreparedCall, Problem, Result
from integrations.conversation import SILENT, Conversation, InputNeeded
from integrations.mcp.errors import McpError
from integrations.mcp.servers import ChildSlots, McpLimits, McpServer, ResolveValues, TokenHeaders
from integrations.mcp.session import Shared
from integrations.mcp.session_calls import SessionCalls, UpstreamParts
from integrations.mcp.supervisor import SessionSupervisor
from integrations.mcp.tenants import KeepRunning, TenantSessions, TenantTokens
from integrations.mcp.toolset import McpToolset, Offer, make_toolset
from integrations.validator import schema_errors
from integrations.value_errors import problem_of

# A child process gets `grace_seconds` twice and is then killed; nothing else takes long.
_CLOSE_SECONDS = 15.0
_MAX_PROBLEMS = 20


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
    refused. `tenants` gives the tokens of each tenant's own session; `tokens` are then for listing the tools.
    `known` is what it offers until it has listed its tools.
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
        tenants: TenantTokens | None = None,
        known: Offer | None = None,
    ) -> None:
        self._name = name
        self._enabled = enabled
        self._task: asyncio.Task[None] | None = None

        def make(offer: Offer) -> McpToolset:
            return make_toolset(offer, include, exclude)

        shared, limits = shared or Shared(ChildSlots()), limits or McpLimits()
        parts = UpstreamParts(server, name, make, resolve, asks, shared, limits)
        self._lead = SessionCalls(parts, tokens, changed, idles=tenants is not None)
        self._lead_only_lists = tenants is not None
        self._lead_tenant = ""
        self._tenants = TenantSessions(parts, tenants or (lambda tenant: tokens))
        if known is not None:
            self._supervisor.tool_cache.keep(known)

    @property
    def _supervisor(self) -> SessionSupervisor:
        return self._lead.supervisor

    @property
    def toolset(self) -> McpToolset:
        """Empty until the server has listed its tools once (`listed`); never empty again after that."""
        return self._supervisor.tool_cache.toolset

    @property
    def listed(self) -> bool:
        return self._supervisor.tool_cache.listed

    @property
    def kept(self) -> bool:
        """Whether its tools are those that were `known` from the start, because it has not listed them yet."""
        return self._supervisor.tool_cache.kept

    @property
    def status(self) -> JsonObject:
        """`{"status": "connected"}`, `disabled`, `needs_auth`, or with an `error` `needs_client_registration` or
        `failed`.

        A local server that was stopped while idle is `connected`: it is ready, and starts with the next call.
        """
        return dict(self._supervisor.status) if self._enabled else {"status": "disabled"}

    @property
    def last_stderr(self) -> tuple[str, ...]:
        """The last lines that a local server wrote there, without secrets; none of the others."""
        return self._supervisor.last_stderr

    def start(self, keep: KeepRunning) -> None:
        """Begin to connect. The supervisor is kept running until `aclose`. Call this once only."""
        if self._enabled:
            self._task = keep(self._supervisor.run)
            self._tenants.start(keep)

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
        self._tenants.signed_in()

    def refresh(self) -> None:
        """List the tools again soon, in the background."""
        self._supervisor.refresh()

    async def aclose(self) -> None:
        await self._tenants.aclose(_CLOSE_SECONDS)
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
        calls = self._calls_of(call.tenant)
        if calls is None:
            return McpError("busy", f"too many sessions of {self._name} are in use").as_failure(
                idempotent=True
            )
        return await calls.converse(call, timeout_seconds, conversation)

    def _calls_of(self, tenant: str) -> SessionCalls | None:
        """The session that the calls of a tenant go over. None when there are too many."""
        if not tenant:
            return self._lead
        if self._lead_only_lists:
            self._lead.supervisor.list_again()
            return self._tenants.of(tenant)
        self._lead_tenant = self._lead_tenant or tenant
        return self._lead if tenant == self._lead_tenant else self._tenants.of(tenant)


def check_arguments(schema: JsonObject, arguments: JsonObject) -> None:
    """Raises `InvalidArguments` with at most twenty problems, each with its JSON Pointer (RFC 6901)."""
    problems: list[Problem] = []
    for error in schema_errors(schema, arguments):
        problems.append(problem_of(schema, error))
        if len(problems) >= _MAX_PROBLEMS:
            break
    if problems:
        raise InvalidArguments(problems)
