"""Everything that people may look up about rules, tools and executions, in one place: read only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from integrations.base import Failure, JsonObject
from proxy.calls.outcome import ambiguous, not_found
from proxy.catalog import Ambiguous, CatalogTool
from proxy.config.callers import as_in_requests
from proxy.history.audit_lines import AuditExtract, audit_extract
from proxy.history.executions import PastExecutions
from proxy.history.rule_hits import RuleCounters
from proxy.history.rules import Explanation, RuleLayer, explained, rule_layers
from proxy.live import Live
from proxy.principal import Principal, written_caller
from proxy.workspace import Workspace


class HistoryReader:
    """`executions` are looked up there. `audit_file`: where the trail is written now; None: not to a file.

    Who may see what is for whoever asks: `rule_layers` and the answers of an `Explanation` are for operators.
    """

    def __init__(
        self,
        live: Live,
        executions: PastExecutions,
        counters: RuleCounters,
        audit_file: Callable[[], Path | None] = lambda: None,
    ) -> None:
        self._live = live
        self.executions = executions
        self._counters = counters
        self._audit_file = audit_file

    def written_caller(self, text: str) -> tuple[Principal, str | None]:
        """Whom `key=ci_bot` describes, with what the config gives it, and the workspace that it works in, if there is
        only one. Raises `ValueError` for somebody whom no request has."""
        principal, named = written_caller(text)
        auth = self._live.current.config.auth if self._live.serving else None
        return as_in_requests(principal, named, auth)

    def rule_layers(self, workspace_id: str) -> tuple[RuleLayer, ...]:
        """The rules of a workspace with their hits; none for a workspace that is not configured any more."""
        workspace = self._workspace(workspace_id)
        return rule_layers(workspace, self._counters.of(workspace_id)) if workspace is not None else ()

    def tool(
        self, principal: Principal, address: str, *, hidden: bool = False
    ) -> tuple[Workspace, CatalogTool] | Failure:
        """A tool that this caller may see; `hidden`: also one that it may not see, for operators."""
        workspace = self._workspace(principal.workspace_id)
        if workspace is None:
            return Failure("connection_removed", "This workspace is no longer configured.")
        visible = workspace.visible_for(principal.caller())
        tool = workspace.catalog.find(address, visible, suggest=False)
        if isinstance(tool, Ambiguous):
            return ambiguous(address, tool.addresses)
        if not isinstance(tool, CatalogTool) or not (hidden or visible(tool)):
            return not_found(address, workspace.catalog.suggestions(address, visible))
        return workspace, tool

    def explain(
        self, principal: Principal, address: str, arguments: JsonObject | None
    ) -> Explanation | Failure:
        """How a call by this principal would be judged, for operators: also of tools that it may not see."""
        found = self.tool(principal, address, hidden=True)
        if isinstance(found, Failure):
            return found
        workspace, tool = found
        return explained(workspace, tool, principal.caller(), arguments)

    def _workspace(self, workspace_id: str) -> Workspace | None:
        return self._live.current.workspace(workspace_id) if self._live.serving else None

    async def audit(self, execution_id: str) -> AuditExtract:
        """What the audit trail says about an execution, for operators."""
        return await audit_extract(self._audit_file(), execution_id)
