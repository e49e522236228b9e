"""May this caller know of this tool, and may this call proceed? Judged by two snapshots, the stricter wins.

A running execution keeps the snapshot it started with. Tightening must reach it at once, so every call is judged by
that snapshot and by the current one; loosening waits for the next execution (policy design, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from policies import Caller, Decision, PolicySet, ToolFacts, stricter
from policies.rules import ApproveByDefault
from proxy.catalog import CatalogTool
from proxy.workspace import Generation, Workspace


class ConnectionRemoved(Exception):
    """The current config no longer has the connection, its integration or the workspace."""


class Gate:
    """The two views of one workspace, for one call. Cheap: nothing is copied."""

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
        try:
            policies, facts = self._now(tool)
        except ConnectionRemoved:
            return True
        return policies.visible(facts, self._caller)

    def present(self, tool: CatalogTool) -> bool:
        """Whether the current config still has the tool's connection."""
        return self._current is not None and tool.prefix in self._current.connections

    def decide(self, tool: CatalogTool, arguments: Mapping[str, Any] | None) -> Decision:
        """Raises `ConnectionRemoved`."""
        leased = self._leased
        decision = leased.policies.decide(leased.facts(tool), self._caller, arguments)
        if self._current is leased:
            return decision
        policies, facts = self._now(tool)
        return stricter(decision, policies.decide(facts, self._caller, arguments))

    def hiding(self, tool: CatalogTool) -> Decision:
        """The decision that hides a tool for which `visible` is false."""
        leased = self._leased
        decision = leased.policies.decide(leased.facts(tool), self._caller, None)
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
        today = current.catalog.find(tool.address)
        if isinstance(today, CatalogTool) and today.address == tool.address:
            return current.policies, current.facts(today)
        # The operation left the document, or the document is down: the old facts under today's default.
        default = current.defaults[tool.integration]
        word = cast(ApproveByDefault, default.approve_by_default)
        facts = replace(self._leased.facts(tool), approve_by_default=word, default_source=default.source)
        return current.policies, facts


def gate(lease: Generation, current: Generation, workspace_id: str, caller: Caller) -> Gate | None:
    """None when the leased generation does not know the workspace."""
    leased = lease.workspace(workspace_id)
    if leased is None:
        return None
    return Gate(leased, leased if current is lease else current.workspace(workspace_id), caller)
