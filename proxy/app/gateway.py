"""What serving asks of the rest, answered from the live generation. No decisions of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from integrations.base import Failure, JsonObject
from policies import explain_json
from proxy.app.access import Access
from proxy.app.effects import changed_workspaces
from proxy.app.operations import Operations
from proxy.app.revisions import Revisions
from proxy.auth import AuthError, AuthRequest, named_workspace
from proxy.auth.page_sign_in import PageIssuer
from proxy.calls import SystemTools
from proxy.calls.outcome import ambiguous, not_found
from proxy.catalog import PAUSE_RULE, Ambiguous, CatalogTool
from proxy.config import Config
from proxy.connections.oauth.device import BegunDevice, DeviceStanding
from proxy.connections.oauth.sign_in import BegunSignIn, SignIns, SignInState
from proxy.executions import ExecutionRequest, ExecutionResult, Executions, Observer
from proxy.history.reader import HistoryReader
from proxy.limits import BadCredentials, Denied, LimitRule, LimitSubject
from proxy.live import Live
from proxy.principal import Principal
from proxy.serving.gateway import ToolsListener, WorkspaceServers
from proxy.serving.http.errors import RateLimited
from proxy.serving.http.refused import RefusedCaller
from proxy.serving.modes import ModeRules
from proxy.telemetry import MetricsRegistry
from proxy.workspace import Generation, Workspace

NotAdmittedListener = Callable[[AuthError, str, str | None], None]
"""Hears of callers who are refused: status, why, address, and the workspace in the path."""
# What everybody may know about a decision; places in files and the whole list of rules are for operators.
_CREDENTIAL_HEADERS: Final = ("authorization", "x-api-key")
_TOLD: Final = ("tool", "action", "rule", "default", "reason", "approver", "conditional")


def mode_rules(config: Config, workspace_id: str) -> ModeRules:
    """What the config says for one workspace, the workspace's own words first."""
    general, space = config.elicitation, config.workspaces.get(workspace_id)
    if space is None:
        return ModeRules(general.mode, general.client_may_choose)
    may = space.elicitation.client_may_choose
    return ModeRules(
        space.elicitation.mode or general.mode, general.client_may_choose if may is None else may
    )


def _shown(request: AuthRequest) -> bytes | None:
    """A digest of the credential that a request presents, good or not."""
    given = sorted((name, value) for name, value in request.headers if name in _CREDENTIAL_HEADERS and value)
    return hashlib.sha256(repr(given).encode()).digest() if given else None


def _origin(rule: LimitRule) -> str:
    window = rule.window()
    rate = f"{window.count} in {window.period_seconds} s per {rule.per}"
    replaced = "a limit `per: ip` in `rate_limits`" if rule.per == "ip" else "`rate_limits` of the config"
    return f"built in: {rate}; {replaced} replaces it"


class AppGateway:
    """Implements `proxy.serving.gateway.Gateway`."""

    def __init__(
        self,
        live: Live,
        access: Callable[[], Access],
        executions: Executions,
        operations: Operations,
        limited: Callable[[str], None],
        metrics: MetricsRegistry,
        system: SystemTools,
        sign_ins: SignIns,
        servers: WorkspaceServers,
        history: HistoryReader,
        not_admitted: NotAdmittedListener = lambda error, peer, workspace: None,
        refused: Callable[[RefusedCaller], None] = lambda refused: None,
    ) -> None:
        self._live = live
        self._access = access
        self._executions = executions
        self._limited = limited
        self._metrics = metrics
        self._sign_ins = sign_ins
        self.servers = servers
        self.history = history
        self.client_document = sign_ins.document
        self._revisions = Revisions()
        self._not_admitted = not_admitted
        self._refused = refused
        self._bad_credentials = BadCredentials()
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

    async def authenticate(self, request: AuthRequest, peer_ip: str) -> Principal:
        """See `Callers.authenticate`."""
        access, shown = self._access(), _shown(request)
        rules = access.limits.rules
        if shown is not None:
            self._refuse(self._bad_credentials.refuses(peer_ip, shown, rules))
        try:
            principal = await access.authenticator.authenticate(request)
        except AuthError as error:
            if shown is not None and error.guessed:
                self._bad_credentials.bad(peer_ip, shown, rules)
            self._not_admitted(error, peer_ip, named_workspace(request))
            raise
        if shown is not None:
            self._bad_credentials.good(shown)
        return principal

    def protected_resource(self, path: str, query: Mapping[str, str]) -> JsonObject | None:
        oauth = self._access().oauth
        return oauth.resource.document(path, query) if oauth is not None else None

    async def authorization_server(self) -> JsonObject | None:
        first = self._access().first_issuer
        return await first.metadata() if first is not None else None

    async def anonymous_token(self, workspace: str | None, ip: str) -> JsonObject:
        access = self._access()
        self._refuse(await access.anonymous_tokens.check("requests", LimitSubject(ip=ip)))
        token, made = access.authenticator.anonymous_token(workspace)
        return {
            "tokenType": "Bearer",
            "accessToken": token,
            "accountId": made.account,
            "expiresAtMs": int(made.expires * 1000),
        }

    def is_admin(self, principal: Principal) -> bool:
        return self._access().roles.is_admin(principal)

    def is_approver(self, principal: Principal) -> bool:
        return self._access().roles.is_approver(principal)

    def page_issuers(self) -> tuple[PageIssuer, ...]:
        return self._access().page_issuers

    async def check_request_limit(self, principal: Principal, ip: str) -> None:
        self._refuse(await self._access().limits.check("requests", LimitSubject.of(principal, ip=ip)))

    def _refuse(self, denied: Denied | None) -> None:
        """Raises `RateLimited`, which names a limit that no config names as what it is."""
        if denied is None:
            return
        self._limited(denied.name)
        origin = _origin(denied.rule) if denied.rule is not None and denied.rule.built_in else ""
        as_result = denied.rule is not None and denied.rule.as_result
        raise RateLimited(
            denied.name,
            denied.retry_after_seconds,
            reason=denied.reason,
            origin=origin,
            as_result=as_result,
        )

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
            return workspace.decide(tool, caller, None).action == "require_approval"

        return {
            "visible": workspace.visible_for(caller),
            "max_bytes": limits.description_bytes,
            "inline_tools": limits.inline_tools,
            "pause_rule": pause_rule,
            "asks": asks,
        }

    def elicitation(self, principal: Principal) -> ModeRules:
        return mode_rules(self._live.current.config, principal.workspace_id)

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
        try:
            self._refuse(await self._access().limits.check("executions", subject))
        except RateLimited as error:
            # Over MCP it is answered with HTTP 200: nobody else would see that a caller was refused.
            self._refused(RefusedCaller(429, error.sentence("Rate limit"), "execute", principal=principal))
            raise
        return await self._executions.execute(request, principal, observer, idempotency_key=idempotency_key)

    # Catalogue

    def explain(
        self, principal: Principal, address: str, arguments: JsonObject | None
    ) -> JsonObject | Failure:
        """Tools that the caller may not see are not there, except for operators."""
        workspace = self._workspace(principal)
        visible = workspace.visible_for(principal.caller())
        operator = self.is_admin(principal)
        tool = workspace.catalog.find(address, visible, suggest=False)
        if isinstance(tool, Ambiguous):
            return ambiguous(address, tool.addresses)
        if not isinstance(tool, CatalogTool) or not (operator or visible(tool)):
            return not_found(address, workspace.catalog.suggestions(address, visible))
        facts = workspace.facts(tool)
        decision = workspace.decide(tool, principal.caller(), arguments)
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

    # Sign-ins

    async def begin_sign_in(
        self, connection: str, principal: Principal, redirect_uri: str | None = None
    ) -> BegunSignIn:
        operator = self.is_admin(principal)
        return await self._sign_ins.begin(connection, principal, operator=operator, redirect_uri=redirect_uri)

    async def complete_sign_in(self, parameters: Mapping[str, str], principal: Principal) -> str:
        operator = self.is_admin(principal)
        return await self._sign_ins.complete(parameters, principal, operator=operator)

    async def begin_device_sign_in(self, connection: str, principal: Principal) -> BegunDevice:
        operator = self.is_admin(principal)
        return await self._sign_ins.devices.begin(connection, principal, operator=operator)

    async def ask_device_sign_in(self, state: str, principal: Principal) -> DeviceStanding:
        return await self._sign_ins.devices.ask(state, principal, operator=self.is_admin(principal))

    async def sign_out(self, connection: str, principal: Principal) -> bool:
        return await self._sign_ins.sign_out(connection, principal, operator=self.is_admin(principal))

    async def sign_ins(self, principal: Principal) -> tuple[SignInState, ...]:
        return await self._sign_ins.states(
            self._workspace(principal).connections, principal, operator=self.is_admin(principal)
        )

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
