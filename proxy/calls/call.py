"""The one path of an inner call: find, hide, prepare, decide; limit, send, scrub.

`judge` does the first half and sends nothing; `send` does the second. Between them lies, for some calls, a person.
"""

from __future__ import annotations

import itertools
import secrets
import time
import traceback
from dataclasses import replace
from typing import Any, Final

from integrations.base import Failure, JsonObject
from integrations.conversation import InputNeeded
from integrations.json_text import read_json
from proxy.calls import outcome
from proxy.calls.approval import Approval, ApprovalNeeded, CallTrace, Ready
from proxy.calls.conversation import Talk
from proxy.calls.judging import CallJudge
from proxy.calls.nearby import nearby_tools
from proxy.calls.outcome import (
    CallContext,
    CallLimiter,
    CallReport,
    NoLimits,
    OnCall,
    PlainValue,
    Settlement,
    ToolDefect,
    WrongArgument,
)
from proxy.calls.paginate import ASK_BY_PAGE, PageLimits, pageable, paginate
from proxy.calls.paginate import NAME as PAGINATE
from proxy.calls.scrub import Scrubber
from proxy.calls.sending import CallLimits, CallSender
from proxy.calls.system import PARAMETERS, SYSTEM, SystemTools, read_arguments
from proxy.live import Live
from proxy.principal import Principal
from proxy.state import State
from proxy.telemetry import Logger
from proxy.telemetry.spans import AttributeValue, NoSpans, Spans
from proxy.workspace import Generation

_ASKS: Final = Settlement(b"", False, "input_required")


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
        spans: Spans | None = None,
    ) -> None:
        self._on_call = on_call
        self._spans = spans or NoSpans()
        self._scrubber = Scrubber()
        self._judge = CallJudge(live)
        self._sender = CallSender(limits or CallLimits(), limiter or NoLimits(), self._scrubber)
        self._system = SystemTools(live, state)
        self._log = Logger("calls")

    async def call(
        self, lease: Generation, principal: Principal, path: str, args: JsonObject, context: CallContext
    ) -> Any:
        """The envelope, or a system tool's value. Raises `ToolDefect`, `WrongArgument`."""
        settlement = await self.settle(lease, principal, path, args, context)
        value = read_json(settlement.body)
        if settlement.code == "internal_error":
            raise ToolDefect(value["throw"]["message"].partition("[")[2].rstrip("]"))
        if settlement.code == "wrong_argument":
            raise WrongArgument(value["throw"]["message"])
        return value

    async def settle(
        self,
        lease: Generation,
        principal: Principal,
        path: str,
        args: JsonObject,
        context: CallContext,
        advice: str = "",
    ) -> Settlement:
        """The same as bytes that nobody needs to parse again; what needs approval is refused, with advice."""
        verdict = self.judge(lease, principal, path, args, context)
        if isinstance(verdict, Settlement):
            return verdict
        if isinstance(verdict, Ready):
            settlement = await self.send(verdict)
            assert isinstance(settlement, Settlement), "only who can be asked is asked"
            return settlement
        failure = outcome.approval_required(verdict.address, verdict.decision, verdict.pattern, advice)
        return self.refuse(verdict, failure)

    def judge(
        self,
        lease: Generation,
        principal: Principal,
        path: str,
        args: JsonObject,
        context: CallContext,
        approval: Approval | None = None,
    ) -> Ready | ApprovalNeeded | Settlement:
        """What may happen to the call now; nothing is sent and no credential is read. Raises nothing.

        An approval counts only for exactly what it was given for, under the rules of this moment (T11).
        """
        trace = CallTrace(lease, principal, context, path.removeprefix("tools."))
        try:
            verdict = self._judge.judge(trace, args, approval)
        # A boundary: an exception here is a defect of this program. Agent code gets an id, the log gets the cause.
        except Exception as error:
            verdict = self._defect(error, trace)
        if isinstance(verdict, Settlement):
            self._report(trace, verdict)
        elif isinstance(verdict, ApprovalNeeded) and approval is None:
            self._report(trace, Settlement(b"", False, "approval_required"))
        return verdict

    async def send(self, ready: Ready, talk: Talk | None = None) -> Settlement | InputNeeded:
        """Send what was judged to be sendable. Raises nothing but cancellation.

        With `talk` somebody hears of its progress and can be asked; it may then end with questions, and is to be sent
        again with their answers.
        """
        trace = ready.trace
        settlement: Settlement | InputNeeded = Settlement(b"", False, "canceled")
        with self._spans.span("execute_tool", "client", attributes=_attributes(trace)) as span:
            try:
                settlement = await self._send(ready, talk)
            except WrongArgument as wrong:
                settlement = outcome.thrown("TypeError", str(wrong), "wrong_argument")
            except Exception as error:
                settlement = self._defect(error, trace)
            finally:
                self._report(trace, settlement if isinstance(settlement, Settlement) else _ASKS)
            if isinstance(settlement, Settlement) and settlement.code is not None:
                span.fail(settlement.code)
        return settlement

    def refuse(self, needed: ApprovalNeeded, failure: Failure) -> Settlement:
        """Settle a call that needed approval without it."""
        settlement = outcome.failed(failure)
        self._report(needed.trace, settlement)
        return settlement

    async def _paginated(self, trace: CallTrace, args: JsonObject) -> Settlement:
        """Every page is a call like any other; nothing is known here that such a call did not say."""
        values = read_arguments(PAGINATE, args)
        path = values["path"].removeprefix("tools.")
        if path in PARAMETERS:
            raise WrongArgument(f"tools.{PAGINATE}: `path` must be a tool of a connection, not `{path}`")

        pages = itertools.count()

        async def page(arguments: JsonObject) -> Settlement:
            advice = ASK_BY_PAGE.format(path=path)
            context = replace(trace.context, page=next(pages))
            return await self.settle(trace.lease, trace.principal, path, arguments, context, advice)

        limits = PageLimits(values["max"], total_bytes=self._sender.limits.result_bytes)
        answer = await paginate(page, lambda: pageable(trace, path), values["args"], limits)
        return answer if isinstance(answer, Settlement) else self._sender.bounded(trace, answer)

    async def _send(self, ready: Ready, talk: Talk | None) -> Settlement | InputNeeded:
        trace = ready.trace
        if trace.path == PAGINATE:
            return await self._paginated(trace, ready.args)
        if ready.connection is not None and ready.tool is None:
            return await self._sender.sign_in(trace, ready.connection, talk)
        if ready.tool is None or ready.connection is None or ready.prepared is None:
            return self._sender.bounded(trace, await self._looked_up(ready))
        return await self._sender.send(ready, ready.tool, ready.connection, ready.prepared, talk)

    async def _looked_up(self, ready: Ready) -> PlainValue | Failure:
        """What is answered here: by a system tool, or about a path that names no tool."""
        trace = ready.trace
        if ready.suggest is not None:
            meant = await self._system.suggest(ready.suggest, trace.principal, trace.context.budget)
            return outcome.not_found(trace.path, nearby_tools(trace.path, meant, PARAMETERS))
        refused = await self._sender.limited(trace, SYSTEM, "", f"{SYSTEM}.{trace.path}")
        if refused is not None:
            return refused
        return await self._system.run(trace.path, ready.args, trace.principal, trace.context.budget)

    def _report(self, trace: CallTrace, settlement: Settlement) -> None:
        if self._on_call is not None:
            self._on_call(_report(trace, settlement, time.perf_counter() - trace.started))

    def _defect(self, error: Exception, trace: CallTrace) -> Settlement:
        correlation = secrets.token_hex(4)
        cause = "".join(traceback.format_exception(error))
        cause = self._scrubber.clean_text(cause, _known_secrets(trace))
        self._log.error("tool_defect", id=correlation, tool=trace.address or trace.path, cause=cause)
        return outcome.thrown("Error", str(ToolDefect(correlation)), "internal_error")


def _report(trace: CallTrace, settlement: Settlement, seconds: float) -> CallReport:
    return CallReport(
        context=trace.context,
        principal=trace.principal,
        path=trace.path,
        address=trace.address,
        integration=trace.integration,
        arguments_digest=trace.arguments_digest,
        decision=trace.decision,
        code=settlement.code,
        milliseconds=round(seconds * 1000, 3),
        generation=trace.lease.number,
        arguments=trace.arguments,
        definition=trace.definition,
        result_bytes=len(settlement.body) or None,
        reads=trace.reads,
    )


def _attributes(trace: CallTrace) -> dict[str, AttributeValue]:
    """By OpenTelemetry's conventions for generative AI where there is one."""
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": trace.address or trace.path,
        "executor.execution.id": trace.context.execution_id,
        "executor.call": trace.context.seq,
    }


def _known_secrets(trace: CallTrace) -> list[str]:
    workspace = trace.lease.workspace(trace.principal.workspace_id)
    if workspace is None or trace.address is None:
        return []
    connection = workspace.connections.get(".".join(trace.address.split(".")[:3]))
    return connection.known_secrets(trace.principal) if connection is not None else []
