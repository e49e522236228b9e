"""The one path of an inner call: find, hide, prepare, decide; limit, send, scrub.

`judge` does the first half and sends nothing; `send` does the second. Between them lies, for some calls, a person.

Order matters: nothing about a tool is said before the caller may know of it; policies judge the arguments exactly
as they would be sent; a credential is first seen inside `OpenConnection.invoke`, after everything else agreed.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import traceback
from dataclasses import dataclass
from typing import Any

import orjson

from integrations.base import Failure, InvalidArguments, JsonObject, PreparedCall, Result, UnknownTool
from proxy.calls import outcome
from proxy.calls.approval import Approval, Asking, Ready, Trail, asking_for, with_key
from proxy.calls.arguments import canonical, digest
from proxy.calls.gate import Gate, gate
from proxy.calls.outcome import Plain, Settlement, ToolDefect, WrongArgument
from proxy.calls.pages import Names
from proxy.calls.paginate import NAME as PAGINATE
from proxy.calls.paginate import Pageable, PageLimits, paginate
from proxy.calls.scrub import Scrubber
from proxy.calls.system import PARAMETERS, SystemTools, read_arguments
from proxy.calls.watching import CallContext, CallLimiter, CallReport, CallSubject, NoLimits, OnCall
from proxy.catalog import Ambiguous, CatalogTool, Missing
from proxy.connections import OpenConnection
from proxy.live import Live, NotServing
from proxy.principal import Principal
from proxy.state import State
from proxy.telemetry import Log
from proxy.workspace import Generation


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Of one inner call. `timeout_seconds` is a ceiling over the connection's own timeout; an upstream that does not
    keep it is cut off `grace_seconds` later.
    """

    timeout_seconds: float = 120.0
    grace_seconds: float = 2.0
    result_bytes: int = 8 * 1024 * 1024


class Calls:
    """Shared by all executions. `on_call` hears of every call once, after it ended, and must not block."""

    def __init__(
        self,
        live: Live,
        state: State,
        *,
        limits: CallLimits | None = None,
        limiter: CallLimiter | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        self._live = live
        self._limits = limits or CallLimits()
        self._limiter = limiter or NoLimits()
        self._on_call = on_call
        self._system = SystemTools(live, state)
        self._scrubber = Scrubber()
        self._log = Log("calls")

    async def call(
        self, lease: Generation, principal: Principal, path: str, args: JsonObject, context: CallContext
    ) -> Any:
        """The envelope, or a system tool's value. Raises `ToolDefect`, `WrongArgument`."""
        settlement = await self.settle(lease, principal, path, args, context)
        value = orjson.loads(settlement.body)
        if settlement.code == "internal_error":
            raise ToolDefect(value["throw"]["message"].partition("[")[2].rstrip("]"))
        if settlement.code == "wrong_argument":
            raise WrongArgument(value["throw"]["message"])
        return value

    async def settle(
        self, lease: Generation, principal: Principal, path: str, args: JsonObject, context: CallContext
    ) -> Settlement:
        """The same as bytes that nobody needs to parse again; what needs approval is refused."""
        verdict = self.judge(lease, principal, path, args, context)
        if isinstance(verdict, Settlement):
            return verdict
        if isinstance(verdict, Ready):
            return await self.send(verdict)
        failure = outcome.approval_required(verdict.address, verdict.decision, verdict.pattern)
        return self.refuse(verdict, failure)

    def judge(
        self,
        lease: Generation,
        principal: Principal,
        path: str,
        args: JsonObject,
        context: CallContext,
        approval: Approval | None = None,
    ) -> Ready | Asking | Settlement:
        """What may happen to the call now; nothing is sent and no credential is read. Raises nothing.

        An approval counts only for exactly what it was given for, under the rules of this moment (T11).
        """
        trail = Trail(lease, principal, context, path.removeprefix("tools."))
        try:
            verdict = self._judge(trail, args, approval)
        # Whatever goes wrong in here is ours: agent code gets an id, the log gets the cause.
        except Exception as error:
            verdict = self._defect(error, trail)
        if isinstance(verdict, Settlement):
            self._report(trail, verdict.code)
        elif isinstance(verdict, Asking) and approval is None:
            self._report(trail, "approval_required")
        return verdict

    async def send(self, ready: Ready) -> Settlement:
        """Send what was judged to be sendable. Raises nothing but cancellation."""
        trail = ready.trail
        settlement = Settlement(b"", False, "canceled")
        try:
            settlement = await self._send(ready)
        except WrongArgument as wrong:
            settlement = outcome.thrown("TypeError", str(wrong), "wrong_argument")
        except Exception as error:
            settlement = self._defect(error, trail)
        finally:
            self._report(trail, settlement.code)
        return settlement

    def refuse(self, asking: Asking, failure: Failure) -> Settlement:
        """Settle a call that needed approval without it."""
        settlement = outcome.failed(failure)
        self._report(asking.trail, settlement.code)
        return settlement

    def _judge(
        self, trail: Trail, args: JsonObject, approval: Approval | None
    ) -> Ready | Asking | Settlement:
        if trail.path in self._system or trail.path == PAGINATE:
            trail.address, trail.integration = trail.path, "system"
            # Whoever pages through a tool that writes is asked after a crash; every other system tool only reads.
            return Ready(trail, trail.path != PAGINATE or _reads(trail, args), args)
        principal, lease = trail.principal, trail.lease
        door = gate(lease, self._current(lease), principal.workspace_id, principal.caller())
        workspace = lease.workspace(principal.workspace_id)
        if door is None or workspace is None:
            return outcome.failed(outcome.not_found(trail.path, ()))
        found = workspace.catalog.find(trail.path, door.visible)
        if isinstance(found, Missing):
            if approval is not None:
                return outcome.failed(outcome.definition_changed(approval.address))
            return outcome.failed(outcome.not_found(trail.path, found.suggestions))
        if isinstance(found, Ambiguous):
            return outcome.failed(outcome.ambiguous(trail.path, found.addresses))
        trail.address, trail.integration = found.address, found.integration
        if not door.visible(found):
            trail.decision = door.hiding(found)
            return outcome.failed(_hidden(trail, workspace.catalog.suggestions(trail.path, door.visible)))
        return self._known(door, workspace.connections[found.prefix], found, trail, args, approval)

    async def _paginated(self, trail: Trail, args: JsonObject) -> Settlement:
        """Every page is a call like any other; nothing is known here that such a call did not say."""
        values = read_arguments(PAGINATE, args)
        path = values["path"].removeprefix("tools.")
        if path in PARAMETERS:
            raise WrongArgument(f"tools.{PAGINATE}: `path` must be a tool of a connection, not `{path}`")

        async def page(arguments: JsonObject) -> Settlement:
            return await self.settle(trail.lease, trail.principal, path, arguments, trail.context)

        limits = PageLimits(values["max"], total_bytes=self._limits.result_bytes)
        answer = await paginate(page, lambda: _pageable(trail, path), values["args"], limits)
        return answer if isinstance(answer, Settlement) else self._bounded(trail, answer, ())

    def _known(
        self,
        door: Gate,
        connection: OpenConnection,
        tool: CatalogTool,
        trail: Trail,
        args: JsonObject,
        approval: Approval | None,
    ) -> Ready | Asking | Settlement:
        """From a tool that the caller may know of to what may happen to the call."""
        if not door.present(tool):
            message = f"The connection `{tool.prefix}` was removed from the configuration."
            return outcome.failed(Failure("connection_removed", message))
        prepared = _prepared(connection, tool, args)
        if isinstance(prepared, Failure):
            return outcome.failed(prepared)
        spelled = canonical(prepared.arguments)
        trail.arguments_digest = digest(spelled)
        decision = trail.decision = door.decide(tool, prepared.arguments)
        if decision.error is not None:
            self._log.error("policy_error", rule=decision.rule_id, error=decision.error)
        if decision.action == "block":
            return outcome.failed(outcome.blocked(tool.address, decision))
        ready = Ready(trail, _repeatable(prepared), args, tool, connection, prepared)
        if decision.action == "approve":
            return ready
        asking = asking_for(
            trail, tool, prepared, spelled, decision, door.pattern(decision.rule_id, decision.rule_source)
        )
        if approval is None:
            return asking
        return _approved(asking, approval, ready, time.time() * 1000)

    async def _send(self, ready: Ready) -> Settlement:
        trail = ready.trail
        if trail.path == PAGINATE:
            return await self._paginated(trail, ready.args)
        if ready.tool is None or ready.connection is None or ready.prepared is None:
            return self._bounded(trail, await self._system.run(trail.path, ready.args, trail.principal), ())
        refused = await self._limited(ready.tool, trail)
        if refused is not None:
            return outcome.failed(refused)
        connection = ready.connection
        known = connection.known_secrets()
        result = await self._invoked(connection, with_key(ready.prepared, trail.context))
        # A secret file may have been replaced while the call was under way: both values may be in the answer.
        return self._bounded(trail, result, (*known, *connection.known_secrets()))

    def _report(self, trail: Trail, code: str | None) -> None:
        if self._on_call is not None:
            self._on_call(_report(trail, code, time.perf_counter() - trail.started))

    async def _limited(self, tool: CatalogTool, trail: Trail) -> Failure | None:
        session = trail.context.session_id
        subject = CallSubject(trail.principal, session, tool.integration, tool.prefix, tool.address)
        refusal = await self._limiter.admit(subject)
        if refusal is None:
            return None
        details = {"scope": refusal.name, "retryAfterMs": refusal.retry_after_ms}
        message = f"The rate limit `{refusal.name}` is used up. Try again in {refusal.retry_after_ms} ms."
        return Failure("rate_limited", message, True, details=details)

    async def _invoked(self, connection: OpenConnection, prepared: PreparedCall) -> Result:
        seconds = self._limits.timeout_seconds
        try:
            async with asyncio.timeout(seconds + self._limits.grace_seconds):
                return await connection.invoke(prepared, seconds)
        except TimeoutError:
            message = f"No complete answer within {seconds:g} s. The request may have arrived."
            return Failure("upstream_timeout", message, prepared.tool.idempotent)

    def _bounded(self, trail: Trail, answer: Result | Plain, known: tuple[str, ...]) -> Settlement:
        """The answer as bytes: small enough, and without the secrets that the call was sent with."""
        address = trail.address or trail.path
        try:
            body = orjson.dumps(answer.value if isinstance(answer, Plain) else answer.as_json())
        except TypeError as error:
            if "Recursion" not in str(error):
                raise
            message = (
                f"The result of `{address}` is nested more than 250 levels deep and cannot be passed on."
            )
            return outcome.failed(Failure("upstream_response_too_large", message))
        if len(body) > self._limits.result_bytes:
            return outcome.failed(outcome.too_large(address, len(body), self._limits.result_bytes))
        code = answer.code if isinstance(answer, Failure) else None
        return Settlement(self._scrubber.clean(body, known), code is None, code)

    def _current(self, lease: Generation) -> Generation:
        try:
            return self._live.current
        except NotServing:
            # Shutting down: there is no newer rule than the leased ones.
            return lease

    def _defect(self, error: Exception, trail: Trail) -> Settlement:
        correlation = secrets.token_hex(4)
        cause = "".join(traceback.format_exception(error))
        cause = self._scrubber.clean_text(cause, _known_secrets(trail))
        self._log.error("tool_defect", id=correlation, tool=trail.address or trail.path, cause=cause)
        return outcome.thrown("Error", str(ToolDefect(correlation)), "internal_error")


def _reads(trail: Trail, args: JsonObject) -> bool:
    """Whether the tool that is to be paged through only reads."""
    workspace = trail.lease.workspace(trail.principal.workspace_id)
    path = args.get("path")
    if workspace is None or not isinstance(path, str):
        return True
    tool = workspace.catalog.find(
        path.removeprefix("tools."), workspace.visible_for(trail.principal.caller())
    )
    return not isinstance(tool, CatalogTool) or tool.definition.idempotent


def _pageable(trail: Trail, path: str) -> Pageable:
    """What is known of a tool that was just called."""
    workspace = trail.lease.workspace(trail.principal.workspace_id)
    assert workspace is not None
    tool = workspace.catalog.find(path, workspace.visible_for(trail.principal.caller()))
    if not isinstance(tool, CatalogTool):
        return Pageable({}, Names())
    given = getattr(trail.lease.config.integrations.get(tool.integration), "pagination", None)
    names = Names(given.cursor, given.next, given.items) if given is not None else Names()
    return Pageable(tool.toolset.schemas(tool.definition.name).input, names)


def _report(trail: Trail, code: str | None, seconds: float) -> CallReport:
    return CallReport(
        context=trail.context,
        principal=trail.principal,
        path=trail.path,
        address=trail.address,
        integration=trail.integration,
        arguments_digest=trail.arguments_digest,
        decision=trail.decision,
        code=code,
        milliseconds=round(seconds * 1000, 3),
        generation=trail.lease.number,
    )


def _approved(asking: Asking, approval: Approval, ready: Ready, now: float) -> Ready | Asking | Settlement:
    """The approved call, unless what was approved is no longer what would be sent."""
    if not approval.again and approval.expires_at <= now:
        return outcome.failed(outcome.approval_expired(asking.address))
    if asking.binding == approval.binding:
        return ready
    if asking.definition != approval.definition:
        return outcome.failed(outcome.definition_changed(asking.address))
    return asking


def _repeatable(prepared: PreparedCall) -> bool:
    return prepared.tool.idempotent or prepared.key_header is not None


def _prepared(connection: OpenConnection, tool: CatalogTool, args: JsonObject) -> PreparedCall | Failure:
    if connection.upstream is None or connection.failure is not None:
        return _not_ready(connection)
    try:
        return connection.upstream.prepare(tool.name, args)
    except InvalidArguments as wrong:
        return outcome.invalid_arguments(tool.address, wrong.problems, wrong.code)
    except UnknownTool:
        return Failure("tool_definition_changed", f"`{tool.address}` is no longer offered by its upstream.")


def _not_ready(connection: OpenConnection) -> Failure:
    status = connection.status
    missing = status["status"] == "needs_secret"
    code = "connection_value_missing" if missing else "connection_not_ready"
    why = f" ({status['error']})" if status.get("error") else ""
    message = f"The connection `{connection.prefix}` is not ready: {status['status']}{why}."
    return Failure(code, message, not missing, details={"status": status["status"]})


def _hidden(trail: Trail, suggestions: tuple[str, ...]) -> Failure:
    """A rule with a reason explains itself to callers of its own workspace; any other hides the tool (T9)."""
    decision = trail.decision
    assert decision is not None
    assert trail.address is not None
    if decision.action == "block" and decision.reason and decision.disclose and decision.error is None:
        return outcome.blocked(trail.address, decision)
    return outcome.not_found(trail.path, suggestions)


def _known_secrets(trail: Trail) -> list[str]:
    workspace = trail.lease.workspace(trail.principal.workspace_id)
    if workspace is None or trail.address is None:
        return []
    connection = workspace.connections.get(".".join(trail.address.split(".")[:3]))
    return connection.known_secrets() if connection is not None else []
