"""What serving asks of the rest, answered from the live generation. No decisions of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from integrations.base import Failure, JsonObject
from policies import explain_json
from proxy.app.access import Access
from proxy.app.effects import changed_workspaces
from proxy.app.operations import Operations
from proxy.app.revisions import Revisions
from proxy.auth import AuthError, AuthRequest
from proxy.calls import SystemTools
from proxy.calls.outcome import ambiguous, not_found
from proxy.catalog import PAUSE_RULE, Ambiguous, CatalogTool
from proxy.executions import ExecutionRequest, ExecutionResult, Executions, Observer
from proxy.limits import LimitSubject
from proxy.live import Live
from proxy.principal import Principal
from proxy.serving.gateway import ToolsListener
from proxy.serving.http.errors import RateLimited
from proxy.serving.modes import ModeRules
from proxy.telemetry import MetricsRegistry
from proxy.workspace import Generation, Workspace

NotAdmittedListener = Callable[[int, str, str, str | None], None]
"""Hears of callers who are refused: status, why, address, and the workspace in the path."""
# What everybody may know about a decision; places in files and the whole list of rules are for operators.
_TOLD: Final = ("tool", "action", "rule", "default", "reason", "approver", "conditional")


class AppGateway:
    """Implements `proxy.serving.gateway.Gateway`."""

    def __init__(
        self,
        live: Live,
        access: Callable[[], Access],
        executions: Executions,
        operations: Operations,
        metrics: MetricsRegistry,
        system: SystemTools,
        not_admitted: NotAdmittedListener = lambda status, message, peer, workspace: None,
    ) -> None:
        self._live = live
        self._access = access
        self._executions = executions
        self._metrics = metrics
        self._revisions = Revisions()
        self._not_admitted = not_admitted
        self.ready = operations.ready
        self.status = operations.status
        self.config = operations.config
        self.metrics = operations.metrics
        self.reload = operations.reload
        self.resume = executions.resume
        self.wait = executions.wait
        self.decide = executions.decide
        self.show = executions.show
        self.list = executions.list
        self.pending = executions.pending
        self.cancel = executions.cancel
        self.look_up = system.run

    # Callers

    def authenticate(
        self,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        path_workspace: str | None,
        peer_ip: str,
        anonymous_path: bool,
    ) -> Principal:
        """See `Callers.authenticate`. `peer_ip` is for limits only: no address is a credential."""
        asked = AuthRequest(
            tuple(headers.items()),
            {name: (value,) for name, value in query.items()},
            path_workspace,
            anonymous_path,
        )
        try:
            return self._access().authenticator.authenticate(asked)
        except AuthError as error:
            self._not_admitted(error.status, error.message, peer_ip, path_workspace)
            raise

    def is_admin(self, principal: Principal) -> bool:
        return self._access().roles.is_admin(principal)

    def is_approver(self, principal: Principal) -> bool:
        return self._access().roles.is_approver(principal)

    async def check_request_limit(self, principal: Principal, ip: str) -> None:
        denied = await self._access().limits.check("requests", LimitSubject.of(principal, ip=ip))
        if denied is not None:
            self._metrics.count("executor_rate_limit_hits_total", limit=denied.name)
            raise RateLimited(denied.name, denied.retry_after_seconds)

    # Engine

    def description(self, principal: Principal, pause_rule: str = PAUSE_RULE) -> tuple[str, str]:
        workspace = self._workspace(principal)
        text = workspace.catalog.description(**self._described(workspace, principal, pause_rule))
        self._revisions.remember(workspace.catalog)
        return text, workspace.catalog.revision

    def continuation(self, principal: Principal, pause_rule: str = PAUSE_RULE) -> str:
        workspace = self._workspace(principal)
        return workspace.catalog.continuation(**self._described(workspace, principal, pause_rule))

    def _described(self, workspace: Workspace, principal: Principal, pause_rule: str) -> dict[str, Any]:
        limits, caller = self._live.current.config.execute, principal.caller()

        def asks(tool: CatalogTool) -> bool:
            return workspace.policies.decide(workspace.facts(tool), caller, None).action == "require_approval"

        return {
            "visible": workspace.visible_for(caller),
            "max_bytes": limits.description_bytes,
            "inline_tools": limits.inline_tools,
            "pause_rule": pause_rule,
            "asks": asks,
        }

    def elicitation(self, principal: Principal) -> ModeRules:
        general = self._live.current.config.elicitation
        space = self._live.current.config.workspaces.get(principal.workspace_id)
        own = space.elicitation if space is not None else None
        may = own.client_may_choose if own is not None else None
        return ModeRules(
            (own.mode if own is not None else None) or general.mode,
            general.client_may_choose if may is None else may,
        )

    def changes_since(self, principal: Principal, revision: str) -> tuple[str, str] | None:
        catalog = self._workspace(principal).catalog
        changed = self._revisions.changes(revision, catalog)
        if changed is None:
            return None
        # The caller is told of what comes after this one next.
        self._revisions.remember(catalog)
        return changed, catalog.revision

    async def execute(
        self,
        request: ExecutionRequest,
        principal: Principal,
        observer: Observer,
        *,
        idempotency_key: str | None = None,
    ) -> ExecutionResult:
        subject = LimitSubject.of(principal, session=request.session_id)
        denied = await self._access().limits.check("executions", subject)
        if denied is not None:
            self._metrics.count("executor_rate_limit_hits_total", limit=denied.name)
            raise RateLimited(denied.name, denied.retry_after_seconds)
        return await self._executions.execute(request, principal, observer, idempotency_key=idempotency_key)

    # Catalogue

    def explain(
        self, principal: Principal, address: str, arguments: JsonObject | None
    ) -> JsonObject | Failure:
        """Tools that the caller may not see are not there, except for operators."""
        workspace = self._workspace(principal)
        visible = workspace.visible_for(principal.caller())
        operator = self.is_admin(principal)
        tool = workspace.catalog.find(address, visible)
        if isinstance(tool, Ambiguous):
            return ambiguous(address, tool.addresses)
        if not isinstance(tool, CatalogTool) or not (operator or visible(tool)):
            return not_found(address, workspace.catalog.suggestions(address, visible))
        facts = workspace.facts(tool)
        decision = workspace.policies.decide(facts, principal.caller(), arguments)
        shown = explain_json(facts, decision)
        if operator:
            return shown
        hidden = () if decision.disclose else ("rule", "reason")
        return {name: None if name in hidden else shown[name] for name in _TOLD}

    def _workspace(self, principal: Principal) -> Workspace:
        workspace = self._live.current.workspace(principal.workspace_id)
        if workspace is None:
            raise AuthError(403, -32001, "This workspace is no longer configured.")
        return workspace

    # Operations

    def config_sha256(self) -> str:
        return self._live.current.sha256

    def request_finished(self, route: str, status: int, seconds: float) -> None:
        self._metrics.count("executor_requests_total", path=route, status=str(status))
        self._metrics.observe("executor_request_seconds", seconds, path=route)

    def subscribe(self, listener: ToolsListener) -> Callable[[], None]:
        """Tell `listener` which workspaces' tools changed, after every swap."""
        before: list[Generation | None] = [self._live.current if self._live.serving else None]

        def swapped(generation: Generation) -> None:
            changed = changed_workspaces(before[0], generation)
            before[0] = generation
            if changed:
                listener(changed)

        return self._live.subscribe(swapped)
