"""What serving needs from the rest of the proxy. `proxy.app` implements it; tests implement it with a small real one.

Small protocols, one per reader, and `Gateway` as their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from integrations.base import Failure, JsonObject
from proxy.auth import AuthRequest
from proxy.auth.page_sign_in import PageIssuer
from proxy.calls import PlainValue
from proxy.connections.oauth.device import BegunDevice, DeviceStanding
from proxy.connections.oauth.sign_in import BegunSignIn, SignInState
from proxy.executions import (
    DecideOutcome,
    ExecutionPage,
    ExecutionRequest,
    ExecutionResult,
    ExecutionView,
    InteractionDecision,
    Observer,
    Pending,
    Via,
)
from proxy.history.reader import HistoryReader
from proxy.live import ReloadResult
from proxy.principal import Principal
from proxy.serving.modes import ModeRules

ToolsListener = Callable[[frozenset[str]], None]

__all__ = [
    "Callers",
    "Catalogue",
    "Control",
    "Discovery",
    "Engine",
    "Gateway",
    "History",
    "PendingApprovals",
    "ReloadReport",
    "ServerStatus",
    "ToolsListener",
    "UpstreamSignIns",
    "WorkspaceServers",
]


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """What `POST /-/reload` answers: 422 when `outcome` is `rejected`, else (`applied`, `unchanged`) 200.

    `body` is `{generation, sha256, changed, summary}` or the diagnostics JSON of `executor validate`.
    """

    outcome: ReloadResult
    body: JsonObject


class Callers(Protocol):
    """Who may come in. Called once per HTTP request, before the body is read."""

    async def authenticate(self, request: AuthRequest, peer_ip: str) -> Principal:
        """The caller. Raises `proxy.auth.AuthError`. `peer_ip` is for limits only: no address is a credential."""
        ...

    def is_admin(self, principal: Principal) -> bool:
        """Whether the operations routes are open to this caller."""
        ...

    def page_issuers(self) -> tuple[PageIssuer, ...]:
        """Where people may sign in to the pages, beside a token or key."""
        ...

    async def check_request_limit(self, principal: Principal, ip: str) -> None:
        """Count one request. Raises `http.errors.RateLimited`."""
        ...


class Discovery(Protocol):
    """What clients find out before they may come in."""

    def protected_resource(self, path: str, query: Mapping[str, str]) -> JsonObject | None:
        """The metadata of the resource at an MCP path ("" is the root); None for what is none of ours."""
        ...

    async def authorization_server(self) -> JsonObject | None:
        """The metadata of the first issuer; None when tokens of none are accepted. Raises `DiscoveryFailed`."""
        ...

    async def anonymous_token(self, workspace: str | None, ip: str) -> JsonObject:
        """A token for a new account that lives as long as it. Raises `AuthError`, `RateLimited`."""
        ...


class Engine(Protocol):
    """What the two tools do. `execute` and `resume` may be cancelled at any await."""

    def description(self, principal: Principal, pause_rule: str = ...) -> tuple[str, str]:
        """The text of the `execute` tool for this caller now, and the revision of the catalog it describes.
        `pause_rule` is what the text says about calls that need approval."""
        ...

    def continuation(self, principal: Principal, pause_rule: str = ...) -> str:
        """What that description had no room for, in as many bytes again; empty if it had room for everything."""
        ...

    def elicitation(self, principal: Principal) -> ModeRules:
        """How the config wants approvals to be asked for in this caller's workspace, now."""
        ...

    def changes_since(self, principal: Principal, revision: str) -> tuple[str, str] | None:
        """One line naming the integrations that changed after `revision`, and the current revision; None when
        nothing changed."""
        ...

    async def execute(
        self,
        request: ExecutionRequest,
        principal: Principal,
        observer: Observer,
        *,
        idempotency_key: str | None = None,
    ) -> ExecutionResult:
        """Run code. The same `idempotency_key`, principal and code give the same execution. Raises `RateLimited`."""
        ...

    async def resume(
        self,
        execution_id: str,
        action: str | None,
        content: JsonObject | None,
        interaction_id: str | None,
        principal: Principal,
        *,
        via: Via = "mcp",
        observer: Observer = ...,
    ) -> ExecutionResult:
        """Decide (`action` None: decide nothing), then go on to the next result, which may be another pause."""
        ...


class PendingApprovals(Protocol):
    """What waits for a person, and what that person says."""

    async def pending(self, principal: Principal) -> tuple[Pending, ...]:
        """Every question that waits and that this caller may see, oldest first."""
        ...

    async def decide(
        self, execution_id: str, decisions: Mapping[str, InteractionDecision], decider: Principal, via: Via
    ) -> DecideOutcome:
        """Record decisions by interaction id (`*`: all that wait). Whoever waits for them is woken."""
        ...

    async def wait(
        self, execution_id: str, principal: Principal, seconds: float, observer: Observer = ...
    ) -> ExecutionResult:
        """The next result once somebody has decided, or the pause again after `seconds`."""
        ...

    def is_approver(self, principal: Principal) -> bool:
        """Whether this caller may see and decide what others of its workspace asked for."""
        ...


class History(Protocol):
    """Executions by id, for their owner and for approvers. To everybody else they are not there."""

    async def show(self, execution_id: str, principal: Principal) -> ExecutionView | None: ...

    async def list(
        self, principal: Principal, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> ExecutionPage:
        """Newest first. `status` is running, paused or settled."""
        ...

    async def cancel(self, execution_id: str, principal: Principal) -> bool:
        """False when this caller knows none of this id that is not over, or another replica runs it now."""
        ...


class Catalogue(Protocol):
    """What a caller could use, and what would happen."""

    async def look_up(self, name: str, arguments: JsonObject, principal: Principal) -> PlainValue | Failure:
        """What the system tool of this name would answer. Raises `WrongArgument`."""
        ...

    def explain(
        self, principal: Principal, address: str, arguments: JsonObject | None
    ) -> JsonObject | Failure:
        """How a call would be judged; operators also learn places and every rule that was considered."""
        ...


class ServerStatus(Protocol):
    """What the routes under `/-/` show."""

    def ready(self, latest: bool) -> tuple[bool, str]:
        """Whether a configuration is active (`latest`: and is the newest one on disk), and the reason if not."""
        ...

    def status(self) -> JsonObject: ...

    def config(self) -> tuple[JsonObject, str]:
        """The effective configuration (references only, never a secret) and its sha256."""
        ...

    def metrics(self) -> bytes:
        """Prometheus text format 0.0.4."""
        ...


class Control(Protocol):
    """What comes in beside the tools, and what goes out when something changed."""

    async def reload(self) -> ReloadReport: ...

    def request_finished(self, route: str, status: int, seconds: float) -> None:
        """Count one request. `route` is one of a fixed, short list."""
        ...

    def config_sha256(self) -> str:
        """Of the effective configuration that runs now; put into `_meta` of results, so that replica skew shows."""
        ...

    def subscribe(self, listener: ToolsListener) -> Callable[[], None]:
        """`listener` gets the ids of the workspaces whose tools changed, on the event loop; it does not
        block. Gives back the function that ends the subscription."""
        ...


class UpstreamSignIns(Protocol):
    """Signing in to connections. Every method but the last may raise `SignInProblem`, `StateError`."""

    async def begin_sign_in(
        self, connection: str, principal: Principal, redirect_uri: str | None = None
    ) -> BegunSignIn:
        """Where the caller's browser goes."""
        ...

    async def complete_sign_in(self, parameters: Mapping[str, str], principal: Principal) -> str:
        """Redeem what the browser brought back from there; the connection that is signed in now."""
        ...

    async def begin_device_sign_in(self, connection: str, principal: Principal) -> BegunDevice:
        """What the caller enters on another device."""
        ...

    async def ask_device_sign_in(self, state: str, principal: Principal) -> DeviceStanding:
        """Whether that has been done."""
        ...

    async def sign_out(self, connection: str, principal: Principal) -> bool:
        """Whether there was anything to forget."""
        ...

    async def sign_ins(self, principal: Principal) -> tuple[SignInState, ...]:
        """Every connection of the caller's workspace that people sign in to."""
        ...

    def client_document(self) -> JsonObject | None:
        """What an authorization server may read of us at `/oauth/client.json`; None without a public https URL."""
        ...


class WorkspaceServers(Protocol):
    """The MCP servers of the caller's workspace. What changes them is for operators. Every method may raise
    `rest.request.ApiProblem`, `StateError`; those with a `name` do so for an unknown one."""

    async def statuses(self, principal: Principal) -> JsonObject:
        """By name: `{status}`, with an `error` where it is `failed` or `needs_client_registration`."""
        ...

    async def register(self, principal: Principal, body: JsonObject) -> JsonObject:
        """All statuses, with that of the new server."""
        ...

    async def exported(self, principal: Principal) -> JsonObject: ...

    async def remove(self, principal: Principal, name: str) -> JsonObject: ...

    async def connect(self, principal: Principal, name: str) -> bool | JsonObject: ...

    async def disconnect(self, principal: Principal, name: str) -> bool: ...

    async def begin_sign_in(self, principal: Principal, name: str) -> JsonObject: ...

    async def await_sign_in(self, principal: Principal, name: str) -> JsonObject: ...

    async def complete_sign_in(
        self, principal: Principal, name: str, parameters: Mapping[str, str]
    ) -> JsonObject: ...

    async def end_sign_in(self, principal: Principal, name: str) -> JsonObject: ...


class HasServers(Protocol):
    """Where the servers of workspaces are looked up and changed."""

    @property
    def servers(self) -> WorkspaceServers: ...


class HasHistory(Protocol):
    """Where rules, tools and past executions are looked up, for people. The one implementation serves tests, too."""

    @property
    def history(self) -> HistoryReader: ...


class Gateway(
    HasHistory,
    HasServers,
    Callers,
    Discovery,
    Engine,
    PendingApprovals,
    History,
    Catalogue,
    UpstreamSignIns,
    ServerStatus,
    Control,
    Protocol,
):
    """Everything serving needs."""
