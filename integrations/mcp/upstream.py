"""`McpUpstream`: one connection to one MCP server, with its tools, status and calls.

Who owns what: `start(tasks)` makes one task in the caller's TaskGroup, the owner task, which alone opens and closes
sessions; `aclose()` cancels it and waits until the session is closed and a local server's process group is dead.
Cancelling the TaskGroup does the same. Calls run in the tasks of their callers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from integrations.base import Credential, Failure, JsonObject, PreparedCall, Result
from integrations.conversation import SILENT, Conversation, InputNeeded, OnElicit
from integrations.mcp.arguments import check_arguments
from integrations.mcp.asking import Switchboard
from integrations.mcp.exchange import exchange
from integrations.mcp.link import Link, Shared
from integrations.mcp.owner import Owner, Resolve
from integrations.mcp.servers import ChildSlots, Limits, Server
from integrations.mcp.toolset import McpToolset, Offer, Plan, make_toolset
from integrations.mcp.trouble import Trouble

# A child is given its grace twice and is then killed; nothing else takes long.
_CLOSE_SECONDS = 15.0


def _nothing() -> Mapping[str, str]:
    return {}


def _ignore() -> None:
    return


class McpUpstream:
    """Implements `Upstream`.

    `name` is for logs (the integration, or the prefix). `resolve` is called before every connection and gives headers
    (remote) or environment variables (local) that win over those of `server`; it may raise `SourceError` when a value
    is missing. `changed` is called, in the event loop, when `status` or `toolset` was replaced; it must not block
    and not raise. `asks`: servers may ask the user something; then questions go to the `Conversation` of the call that
    they are about, and are refused where it has none. Otherwise the capability is not declared and every such request
    is refused, as are sampling and roots always.
    """

    def __init__(
        self,
        server: Server,
        *,
        name: str = "mcp",
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        enabled: bool = True,
        resolve: Resolve = _nothing,
        changed: Callable[[], None] = _ignore,
        asks: bool = False,
        shared: Shared | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._server = server
        self._name = name
        self._enabled = enabled
        self._limits = limits or Limits()
        self._gate = _Gate(self._limits.parallel_calls, self._limits.waiting_calls)
        self._board = Switchboard()
        self._task: asyncio.Task[None] | None = None
        ask: OnElicit | None = self._board.ask if asks else None

        def make(offer: Offer) -> McpToolset:
            return make_toolset(offer, include, exclude)

        self._owner = Owner(
            server,
            name=name,
            make=make,
            resolve=resolve,
            changed=changed,
            elicit=ask,
            shared=shared or Shared(ChildSlots()),
            limits=self._limits,
        )

    @property
    def toolset(self) -> McpToolset:
        """Empty until the server has listed its tools once (`listed`); never empty again after that."""
        return self._owner.shelf.toolset

    @property
    def listed(self) -> bool:
        return self._owner.shelf.listed

    @property
    def status(self) -> JsonObject:
        """`{"status": "connected"}`, `disabled`, `needs_auth`, or with an `error` `needs_client_registration` or
        `failed` (seed 003).

        A local server that was stopped while idle is `connected`: it is ready, and starts with the next call.
        """
        return dict(self._owner.status) if self._enabled else {"status": "disabled"}

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to connect. The owner task lives in `tasks` until `aclose`. Once only."""
        if self._enabled:
            self._task = tasks.create_task(self._owner.run(), name=f"mcp {self._name}")

    async def settled(self, timeout_seconds: float) -> bool:
        """Wait for the outcome of the attempt to connect that is under way. False when it takes longer."""
        if self._task is None:
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._owner.settled()
        except TimeoutError:
            return False
        return True

    def refresh(self) -> None:
        """List the tools again soon, in the background."""
        self._owner.refresh()

    async def aclose(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._owner.stop()
            task.cancel()
            await asyncio.wait([task], timeout=_CLOSE_SECONDS)

    def prepare(self, tool: str, arguments: JsonObject) -> PreparedCall:
        """Validate. Raises `UnknownTool`, `InvalidArguments`. The canonical arguments are those given: MCP sends them
        as they are, and defaults are the server's business.
        """
        toolset = self._owner.shelf.toolset
        plan = toolset.plan(tool)
        check_arguments(toolset.schemas(tool).input, arguments)
        summary = f"{self._name}: {plan.method} {plan.name}".rstrip()
        return PreparedCall(toolset.definition(tool), dict(arguments), summary, plan)

    async def invoke(self, call: PreparedCall, credential: Credential, timeout_seconds: float) -> Result:
        """One request upstream; nobody hears of its progress, and nobody can be asked.

        `credential` is not used: a session's headers are set when it is opened (`resolve`).
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
        if not self._gate.open:
            return Trouble("busy", f"too many calls of {self._name} wait already").as_failure(idempotent=True)
        sent = _Sent()
        seconds = min(timeout_seconds, self._server.timeout_seconds)
        # A call that waits for a link already keeps the server from being stopped as idle.
        self._owner.begin()
        try:
            async with asyncio.timeout(seconds) as limit, self._gate:
                with self._board.call(conversation, limit):
                    return await self._repaired(call, conversation, sent)
        except TimeoutError:
            if sent.link is not None:
                self._owner.suspect()
            return self._timed_out(call, sent, seconds)
        finally:
            self._owner.finish(answered=sent.answered)

    async def _repaired(
        self, call: PreparedCall, conversation: Conversation, sent: _Sent
    ) -> Result | InputNeeded:
        """Send; if the connection turns out to be gone, once more on a new one where that cannot do a thing twice."""
        plan: Plan = call.plan
        safe = call.tool.idempotent or call.tool.risk == "read"
        for last in (False, True):
            link = await self._owner.link()
            if isinstance(link, Trouble):
                return self._not_ready(link)
            sent.link = link
            try:
                result = await exchange(link, plan, call.arguments, conversation, self._limits.input_rounds)
            except Trouble as trouble:
                self._owner.report(link, trouble)
                sent.link = None
                if last or not trouble.repairable or (trouble.sent and not safe):
                    return trouble.as_failure(idempotent=safe)
            else:
                sent.answered = True
                if isinstance(result, Failure) and result.code == "mcp_tool_unknown":
                    self._owner.refresh()
                return result
        raise AssertionError("the second round always returns")

    def _not_ready(self, trouble: Trouble) -> Failure:
        """Nothing was sent. A server that was never reached has no tools, so this is about one that is away."""
        failure = trouble.as_failure(idempotent=True)
        return Failure(
            failure.code,
            f"{self._name}: {failure.message}",
            failure.retryable,
            failure.status,
            {"sent": False},
        )

    def _timed_out(self, call: PreparedCall, sent: _Sent, seconds: float) -> Failure:
        safe = call.tool.idempotent or call.tool.risk == "read"
        message = f"the MCP server did not answer within {seconds:g} seconds"
        return Trouble("timeout", message, sent=sent.link is not None).as_failure(idempotent=safe)


class _Sent:
    """How far a call got: the link its request is under way on, if any, and whether it was answered."""

    __slots__ = ("answered", "link")

    def __init__(self) -> None:
        self.link: Link | None = None
        self.answered = False


class _Gate:
    """Bounds the calls under way and those that wait for their turn."""

    def __init__(self, parallel: int, waiting: int) -> None:
        self._turns = asyncio.Semaphore(parallel)
        self._most = parallel + waiting
        self._inside = 0

    @property
    def open(self) -> bool:
        return self._inside < self._most

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
