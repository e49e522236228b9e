"""The first half of an inner call: find, hide, prepare, decide. Nothing is sent and no credential is read.

Rules:
- Nothing about a tool is said before the caller may know of it.
- Policies judge the arguments exactly as they would be sent.
- Two snapshots judge, and the stricter wins. A running execution keeps the snapshot it started with; tightening must
  reach it at once, so every call is judged by the current snapshot too. Loosening waits for the next execution.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from integrations.base import Failure, InvalidArguments, JsonObject, PreparedCall, UnknownTool
from policies import Caller, Decision, PolicySet, ToolFacts, stricter
from policies.rules import ApproveByDefault
from proxy.calls import outcome
from proxy.calls.approval import Approval, ApprovalNeeded, CallTrace, Ready, approval_needed
from proxy.calls.canonical import canonical, digest
from proxy.calls.outcome import Settlement
from proxy.calls.paginate import NAME as PAGINATE
from proxy.calls.system import PARAMETERS
from proxy.catalog import Ambiguous, CatalogTool, Missing
from proxy.catalog.lookup import normalise
from proxy.connections import OpenConnection
from proxy.live import Live, NotServing
from proxy.lock.compare import Drift
from proxy.telemetry import Logger
from proxy.workspace import Generation, Workspace


class CallJudge:
    """Judges calls by the snapshot that their execution holds and by the current one."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._log = Logger("calls")

    def judge(
        self, trace: CallTrace, args: JsonObject, approval: Approval | None
    ) -> Ready | ApprovalNeeded | Settlement:
        """What may happen to the call. An exception that leaves here is a defect of this program."""
        if trace.path in PARAMETERS:
            trace.address, trace.integration, trace.reads = trace.path, "system", True
            # Whoever pages through a tool that writes is asked after a crash; every other system tool only reads.
            return Ready(trace, trace.path != PAGINATE or _reads(trace, args), args)
        principal, lease = trace.principal, trace.lease
        gate = gate_of(lease, self._current(lease), principal.workspace_id, principal.caller())
        workspace = lease.workspace(principal.workspace_id)
        if gate is None or workspace is None:
            return outcome.failed(outcome.not_found(trace.path, ()))
        found = workspace.catalog.find(trace.path, gate.visible, suggest=False)
        if isinstance(found, Missing):
            gone = workspace.gone(normalise(trace.path), principal.caller())
            if gone is not None:
                return outcome.failed(outcome.gone(gone))
            if approval is not None:
                return outcome.failed(outcome.definition_changed(approval.address))
            if found.connection is not None:
                return _without_tools(trace, args, workspace.connections[found.connection])
            return _unknown(trace, args, workspace, gate)
        if isinstance(found, Ambiguous):
            return outcome.failed(outcome.ambiguous(trace.path, found.addresses))
        trace.address, trace.integration = found.address, found.integration
        trace.reads = found.definition.risk == "read"
        if not gate.visible(found):
            trace.decision = gate.hiding(found)
            drift = gate.withheld(found)
            if drift is not None:
                if drift.kind == "new" or not gate.may_know(found):
                    return _unknown(trace, args, workspace, gate)
                return outcome.failed(outcome.withheld(found.address, drift))
            blocked = _explained(trace)
            return outcome.failed(blocked) if blocked is not None else _unknown(trace, args, workspace, gate)
        return self._known(gate, workspace.connections[found.prefix], found, trace, args, approval)

    def _known(
        self,
        gate: Gate,
        connection: OpenConnection,
        tool: CatalogTool,
        trace: CallTrace,
        args: JsonObject,
        approval: Approval | None,
    ) -> Ready | ApprovalNeeded | Settlement:
        """From a tool that the caller may know of to what may happen to the call."""
        if not gate.present(tool):
            message = f"The connection `{tool.prefix}` was removed from the configuration."
            return outcome.failed(Failure("connection_removed", message))
        drift = gate.drifted_since(connection, tool)
        if drift is not None:
            return outcome.failed(outcome.withheld(tool.address, drift))
        prepared = _prepared(connection, tool, args)
        if isinstance(prepared, Failure):
            return outcome.failed(prepared)
        canonical_args = trace.arguments = canonical(prepared.arguments)
        trace.arguments_digest = digest(canonical_args)
        trace.definition = tool.toolset.digest
        decision = trace.decision = gate.decide(tool, prepared.arguments)
        if decision.error is not None:
            self._log.error("policy_error", rule=decision.rule_id, error=decision.error)
        if decision.action == "block":
            return outcome.failed(outcome.blocked(tool.address, decision))
        ready = Ready(trace, _repeatable(prepared), args, tool, connection, prepared)
        if decision.action == "approve":
            return ready
        needed = approval_needed(
            trace,
            tool,
            prepared,
            canonical_args,
            decision,
            gate.pattern(decision.rule_id, decision.rule_source),
        )
        if approval is None:
            return needed
        return _approved(needed, approval, ready, time.time() * 1000)

    def _current(self, lease: Generation) -> Generation:
        try:
            return self._live.current
        except NotServing:
            # Shutting down: there is no newer rule than the leased ones.
            return lease


def _reads(trace: CallTrace, args: JsonObject) -> bool:
    """Whether the tool that is to be paged through only reads."""
    workspace = trace.lease.workspace(trace.principal.workspace_id)
    path = args.get("path")
    if workspace is None or not isinstance(path, str):
        return True
    tool = workspace.catalog.find(
        path.removeprefix("tools."), workspace.visible_for(trace.principal.caller()), suggest=False
    )
    return not isinstance(tool, CatalogTool) or tool.definition.idempotent


def _approved(
    needed: ApprovalNeeded, approval: Approval, ready: Ready, now: float
) -> Ready | ApprovalNeeded | Settlement:
    """The approved call, unless what was approved is no longer what would be sent."""
    if not approval.again and approval.expires_at <= now:
        return outcome.failed(outcome.approval_expired(needed.address))
    if needed.binding == approval.binding:
        return ready
    if needed.definition != approval.definition:
        return outcome.failed(outcome.definition_changed(needed.address))
    return needed


def _repeatable(prepared: PreparedCall) -> bool:
    return prepared.tool.idempotent or prepared.key_header is not None


def _prepared(connection: OpenConnection, tool: CatalogTool, args: JsonObject) -> PreparedCall | Failure:
    if connection.upstream is None or connection.failure is not None:
        return outcome.not_ready(connection.prefix, connection.status, connection.note)
    try:
        return connection.upstream.prepare(tool.name, args)
    except InvalidArguments as wrong:
        return outcome.invalid_arguments(tool.address, wrong.problems, wrong.code)
    except UnknownTool:
        return Failure("tool_definition_changed", f"`{tool.address}` is no longer offered by its upstream.")


def _unknown(trace: CallTrace, args: JsonObject, workspace: Workspace, gate: Gate) -> Ready:
    """There is no such tool, or the caller may not know of it. What may have been meant takes a search to say, so it is
    said where calls are sent.
    """
    path, catalog, visible = trace.path, workspace.catalog, gate.visible
    return Ready(trace, True, args, suggest=lambda: catalog.suggestions(path, visible))


def _without_tools(trace: CallTrace, args: JsonObject, here: OpenConnection) -> Ready | Settlement:
    """The connection has no tools yet. Where a sign-in brings them, the caller can sign in now: nothing is sent."""
    if here.begins_with_sign_in:
        trace.integration = here.integration
        return Ready(trace, True, args, connection=here)
    principal = trace.principal
    note = here.note_for(principal) or here.note
    return outcome.failed(outcome.not_ready(here.prefix, here.status_for(principal), note))


def _explained(trace: CallTrace) -> Failure | None:
    """A rule with a reason explains itself to callers of its own workspace; any other hides the tool (T9)."""
    decision = trace.decision
    assert decision is not None
    assert trace.address is not None
    if decision.action == "block" and decision.reason and decision.disclose and decision.error is None:
        return outcome.blocked(trace.address, decision)
    return None


class ConnectionRemoved(Exception):
    """The current config no longer has the connection, its integration or the workspace."""


class Gate:
    """May this caller know of this tool, and may this call proceed? The two snapshots of one workspace, for one call.

    Cheap to make: nothing is copied.
    """

    __slots__ = ("_caller", "_current", "_leased")

    def __init__(self, leased: Workspace, current: Workspace | None, caller: Caller) -> None:
        self._leased = leased
        self._current = current
        self._caller = caller

    def visible(self, tool: CatalogTool) -> bool:
        """Whether both snapshots let this caller know of it. A removed connection is not hidden, it is gone."""
        if not self._leased.visible_for(self._caller)(tool):
            return False
        if self._current is self._leased:
            return True
        return self._withheld_now(tool) is None and self._may_know_now(tool)

    def may_know(self, tool: CatalogTool) -> bool:
        """Whether the policies of both snapshots let this caller know of it, whatever the lock says."""
        leased = self._leased
        return leased.policies.visible(leased.facts(tool), self._caller) and self._may_know_now(tool)

    def _may_know_now(self, tool: CatalogTool) -> bool:
        try:
            policies, facts = self._now(tool)
        except ConnectionRemoved:
            return True
        return policies.visible(facts, self._caller)

    def withheld(self, tool: CatalogTool) -> Drift | None:
        """How the tool differs from its reviewed state, where that keeps it from being used in either snapshot."""
        return self._leased.withheld(tool) or self._withheld_now(tool)

    def _withheld_now(self, tool: CatalogTool) -> Drift | None:
        return self._current.withheld(tool) if self._current is not None else None

    def drifted_since(self, connection: OpenConnection, tool: CatalogTool) -> Drift | None:
        """The same for an upstream that offers something else than when the snapshots were made: nothing has been
        compared yet, and the call would go by what it offers now (T2)."""
        upstream = connection.upstream
        if upstream is None or upstream.toolset is tool.toolset:
            return None
        locks = {
            id(one.lock): one.lock for one in (self._leased, self._current) if one is not None and one.lock
        }
        drifts = (lock.drift_from(tool.prefix, upstream.toolset, tool.name) for lock in locks.values())
        return next((one for one in drifts if one is not None), None)

    def present(self, tool: CatalogTool) -> bool:
        """Whether the current config still has the tool's connection."""
        return self._current is not None and tool.prefix in self._current.connections

    def decide(self, tool: CatalogTool, arguments: Mapping[str, Any] | None) -> Decision:
        """Raises `ConnectionRemoved`."""
        leased = self._leased
        decision = leased.decide(tool, self._caller, arguments)
        if self._current is leased:
            return decision
        policies, facts = self._now(tool)
        drift = self._withheld_now(tool)
        if drift is not None and self._current is not None and self._current.lock is not None:
            return stricter(decision, self._current.lock.decision(tool.prefix, tool.name, drift))
        return stricter(decision, policies.decide(facts, self._caller, arguments))

    def hiding(self, tool: CatalogTool) -> Decision:
        """The decision that hides a tool for which `visible` is false."""
        leased = self._leased
        decision = leased.decide(tool, self._caller, None)
        try:
            return self.decide(tool, None)
        except ConnectionRemoved:
            return decision

    def pattern(self, rule_id: str, source: str) -> str | None:
        """The pattern of a rule of either snapshot, for explanations; None for a default.

        Rules of a pack have the same id for every integration that uses it: the place tells them apart.
        """
        for workspace in (self._leased, self._current):
            for rule in workspace.policies.rules() if workspace is not None else ():
                if (rule.id, rule.source) == (rule_id, source):
                    return rule.pattern
        return None

    def _now(self, tool: CatalogTool) -> tuple[PolicySet, ToolFacts]:
        current = self._current
        if current is None or tool.prefix not in current.connections:
            raise ConnectionRemoved(tool.prefix)
        today = current.catalog.find(tool.address, suggest=False)
        if isinstance(today, CatalogTool) and today.address == tool.address:
            return current.policies, current.facts(today)
        # The operation left the document, or the document is down: the old facts under today's default.
        default = current.defaults[tool.integration]
        word = cast(ApproveByDefault, default.approve_by_default)
        facts = replace(self._leased.facts(tool), approve_by_default=word, default_source=default.source)
        return current.policies, facts


def gate_of(lease: Generation, current: Generation, workspace_id: str, caller: Caller) -> Gate | None:
    """None when the leased generation does not know the workspace."""
    leased = lease.workspace(workspace_id)
    if leased is None:
        return None
    return Gate(leased, leased if current is lease else current.workspace(workspace_id), caller)
