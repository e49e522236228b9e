"""A small real gateway: it keeps in memory what the proxy would keep in its stores."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from integrations.base import Failure
from integrations.conversation import ElicitAction
from integrations.oauth.errors import DiscoveryFailed
from proxy.auth import AuthError, AuthRequest
from proxy.auth.page_sign_in import PageIssuer
from proxy.calls import PlainValue, WrongArgument
from proxy.connections.oauth.basis import SignInProblem
from proxy.connections.oauth.device import BegunDevice, DeviceStanding
from proxy.connections.oauth.sign_in import BegunSignIn, SignInState
from proxy.executions import (
    AskedBy,
    DecideOutcome,
    ExecutionPage,
    ExecutionRequest,
    ExecutionResult,
    ExecutionView,
    Interaction,
    InteractionDecision,
    Observer,
    Pending,
    Via,
)
from proxy.executions.interactions import ELICIT_ACTIONS, DecisionRefusal
from proxy.executions.result import SILENT, ExecutionError, unavailable
from proxy.history.executions import PastExecutions
from proxy.history.reader import HistoryReader
from proxy.history.recent import RecentExecutions
from proxy.history.rule_hits import RuleCounters
from proxy.live import Live
from proxy.principal import Principal
from proxy.serving.gateway import ReloadReport, ToolsListener
from proxy.serving.http.errors import RateLimited
from proxy.serving.modes import ModeRules
from proxy.state import MemoryState, Owner
from tests.proxy.serving.board_servers import BoardServers
from tests.proxy.serving.board_status import board_status

JsonObject = dict[str, Any]
TOKENS = {
    "alice": Principal("ws_one", "key:alice", "key", groups=frozenset({"admins"})),
    "alice-too": Principal("ws_one", "key:alice", "key", groups=frozenset({"admins"})),
    "bob": Principal("ws_one", "key:bob", "key"),
    "eve": Principal("ws_two", "key:eve", "key"),
    "boss": Principal("ws_one", "key:boss", "key", groups=frozenset({"approvers"})),
}
ALICE = TOKENS["alice"]


def result(
    status: str,
    text: str,
    session_id: str | None = None,
    revision: str = "r1",
    *,
    execution_id: str = "exec_1",
    principal: Principal = ALICE,
) -> ExecutionResult:
    return ExecutionResult(
        execution_id=execution_id,
        status=status,
        workspace_id=principal.workspace_id,
        account_id=principal.account_id,
        session_id=session_id,
        catalog_revision=revision,
        has_result=True,
        result=text,
        result_text=text,
    )


def question(text: str, number: int = 1, approver: Literal["model", "human"] = "model") -> Interaction:
    """An approval of a call of `demo.org.main.write` with the argument `text`."""
    args = f'{{\n  "text": "{text}"\n}}'
    return Interaction(
        id=f"int_{number}",
        kind="approval",
        message=f"demo.org.main.write asks for approval\n{args}",
        address="demo.org.main.write",
        summary="Writes something",
        args=args,
        args_digest=hashlib.sha256(args.encode()).hexdigest(),
        args_bytes=len(args),
        rule=AskedBy("ask", "executor.yaml:7", "demo.*", "careful"),
        approver=approver,
        expires_at_ms=(time.time() + 600) * 1000,
        seqs=(number,),
    )


def empty_history() -> HistoryReader:
    """A real one that has seen nothing."""
    live = Live(lambda generation: None)
    return HistoryReader(live, PastExecutions(MemoryState(), RecentExecutions()), RuleCounters())


@dataclass
class Paused:
    """One execution on the board that waits for decisions, or has got them."""

    request: ExecutionRequest
    principal: Principal
    questions: tuple[Interaction, ...]
    decided: dict[str, InteractionDecision] = field(default_factory=dict)
    given: asyncio.Event = field(default_factory=asyncio.Event)
    ended: ExecutionResult | None = None

    @property
    def open(self) -> tuple[Interaction, ...]:
        return tuple(one for one in self.questions if one.id not in self.decided)


@dataclass
class Board:
    """A gateway whose code is a handful of words: `return x`, `calls n`, `wait`, `boom`, `ask text`, `human text`.

    `ask` pauses with one question, `human` with one that the asking account cannot answer.
    """

    revision: int = 1
    modes: ModeRules = field(default_factory=ModeRules)
    limit: int = 1000
    auth_down: bool = False
    has_oauth: bool = False
    is_ready: bool = True
    rejects: bool = False
    requests: list[ExecutionRequest] = field(default_factory=list)
    finished: list[tuple[str, int]] = field(default_factory=list)
    listeners: list[ToolsListener] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    stream_ended: asyncio.Event = field(default_factory=asyncio.Event)
    paused: dict[str, Paused] = field(default_factory=dict)
    keys: dict[str, tuple[str, ExecutionResult]] = field(default_factory=dict)
    servers: BoardServers = field(default_factory=BoardServers)
    issuers: tuple[PageIssuer, ...] = ()
    history: HistoryReader = field(default_factory=lambda: empty_history())

    async def authenticate(self, request: AuthRequest, peer_ip: str) -> Principal:
        headers, query = dict(request.headers), request.query
        if self.auth_down:
            raise AuthError(503, -32001, "The auth provider does not answer.")
        token = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key", "")
        if token not in TOKENS:
            raise AuthError(401, -32001, "A valid bearer token is needed.")
        if request.anonymous_path and "workspaceId" not in query:
            raise AuthError(
                400, -32000, "The query parameter workspaceId is missing: /mcp/anonymous?workspaceId=..."
            )
        principal = TOKENS[token]
        if request.path_workspace not in (None, principal.workspace_id):
            raise AuthError(403, -32001, "This key belongs to another workspace.")
        return principal

    def protected_resource(self, path: str, query: Mapping[str, str]) -> JsonObject | None:
        return {"resource": f"https://board.example{path}"} if self.has_oauth else None

    async def authorization_server(self) -> JsonObject | None:
        if self.auth_down:
            raise DiscoveryFailed("down")
        return {"issuer": "https://login.example"} if self.has_oauth else None

    async def anonymous_token(self, workspace: str | None, ip: str) -> JsonObject:
        raise AuthError(503, -32001, "Anonymous tokens are not configured on this server.")

    def page_issuers(self) -> tuple[PageIssuer, ...]:
        return self.issuers

    def is_admin(self, principal: Principal) -> bool:
        return "admins" in principal.groups

    def is_approver(self, principal: Principal) -> bool:
        return "approvers" in principal.groups

    async def check_request_limit(self, principal: Principal, ip: str) -> None:
        self.limit -= 1
        if self.limit < 0:
            raise RateLimited("per-workspace", 11.5)

    def description(self, principal: Principal, pause_rule: str = "") -> tuple[str, str]:
        return f"Runs code. Connected: demo (revision {self.revision}). {pause_rule}", f"r{self.revision}"

    def continuation(self, principal: Principal, pause_rule: str = "") -> str:
        return f"More tools: demo.list(). {pause_rule}"

    def elicitation(self, principal: Principal) -> ModeRules:
        return self.modes

    def changes_since(self, principal: Principal, revision: str) -> tuple[str, str] | None:
        now = f"r{self.revision}"
        return None if revision == now else ("Tools of these integrations changed: demo.", now)

    async def execute(
        self,
        request: ExecutionRequest,
        principal: Principal,
        observer: Observer,
        *,
        idempotency_key: str | None = None,
    ) -> ExecutionResult:
        self.requests.append(request)
        code, known = self.keys.get(idempotency_key or "", (request.code, None))
        if code != request.code:
            error = ExecutionError("IdempotencyError", "This Idempotency-Key was used with other code.")
            return replace(result("failed", ""), error=error, has_result=False)
        answer = known or await self._run(request, principal, observer)
        if idempotency_key is not None:
            self.keys[idempotency_key] = (code, answer)
        return answer

    async def _run(
        self, request: ExecutionRequest, principal: Principal, observer: Observer
    ) -> ExecutionResult:
        word, _, rest = request.code.partition(" ")
        if word == "boom":
            raise RuntimeError("the secret cause")
        if word == "wait":
            await self._wait()
        if word in ("ask", "human"):
            execution_id = f"exec_{len(self.paused) + 1}"
            asked = question(rest, 1, "human" if word == "human" else "model")
            self.paused[execution_id] = Paused(request, principal, (asked,))
            return self._standing(execution_id)
        if word == "calls":
            for seq in range(int(rest)):
                observer.call_started(seq, "demo.org.main.get")
                observer.log("warn", f"line {seq}")
                observer.log("debug", f"detail {seq}")
                observer.call_finished(seq, "demo.org.main.get", True, None, 2.0)
        return result("completed", rest, request.session_id, f"r{self.revision}", principal=principal)

    async def _wait(self) -> None:
        self.waiting.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    def _standing(self, execution_id: str) -> ExecutionResult:
        """What can be said now about an execution that paused once."""
        paused = self.paused[execution_id]
        if paused.ended is not None:
            return paused.ended
        if paused.open:
            browser = paused.request.mode == "browser"
            return replace(
                result(
                    "user_approval_required" if browser else "waiting_for_interaction",
                    "",
                    paused.request.session_id,
                    execution_id=execution_id,
                    principal=paused.principal,
                ),
                has_result=False,
                interactions=paused.open,
                expires_at_ms=paused.open[0].expires_at_ms,
                approval_url=f"http://127.0.0.1/resume/{execution_id}" if browser else None,
            )
        accepted = all(one.action == "accept" for one in paused.decided.values())
        paused.ended = result(
            "completed" if accepted else "failed",
            "approved" if accepted else "declined",
            paused.request.session_id,
            execution_id=execution_id,
            principal=paused.principal,
        )
        return paused.ended

    def _find(self, execution_id: str, principal: Principal) -> Paused | None:
        paused = self.paused.get(execution_id)
        if paused is None or paused.principal.workspace_id != principal.workspace_id:
            return None
        own = paused.principal.account_id == principal.account_id
        return paused if own or self.is_approver(principal) else None

    async def resume(
        self,
        execution_id: str,
        action: str | None,
        content: Mapping[str, Any] | None,
        interaction_id: str | None,
        principal: Principal,
        *,
        via: Via = "mcp",
        observer: Observer = SILENT,
    ) -> ExecutionResult:
        if self._find(execution_id, principal) is None:
            return unavailable(
                "execution_not_found", execution_id, Owner(principal.workspace_id, principal.account_id)
            )
        chosen: ElicitAction | None = next((one for one in ELICIT_ACTIONS if one == action), None)
        if chosen is not None:
            decision = InteractionDecision(chosen, content or {})
            outcome = await self.decide(execution_id, {interaction_id or "*": decision}, principal, via)
            if not outcome.taken:
                return replace(self._standing(execution_id), note=outcome.message() or None)
        return self._standing(execution_id)

    async def wait(
        self, execution_id: str, principal: Principal, seconds: float, observer: Observer = SILENT
    ) -> ExecutionResult:
        paused = self._find(execution_id, principal)
        if paused is None:
            return await self.resume(execution_id, None, None, None, principal)
        try:
            async with asyncio.timeout(seconds):
                observer.undecided(tuple(one.address for one in paused.open))
                await paused.given.wait()
        except TimeoutError:
            pass
        return self._standing(execution_id)

    async def decide(
        self, execution_id: str, decisions: Mapping[str, InteractionDecision], decider: Principal, via: Via
    ) -> DecideOutcome:
        paused = self._find(execution_id, decider)
        if paused is None:
            return DecideOutcome(why="not_found")
        if not paused.open:
            return DecideOutcome(why="already_decided")
        taken: dict[str, ElicitAction] = {}
        refused: dict[str, DecisionRefusal] = {}
        for one in paused.open:
            decision = decisions.get(one.id) or decisions.get("*")
            if decision is None:
                continue
            other = decider.account_id != paused.principal.account_id and via not in ("mcp", "native")
            if decision.action == "accept" and one.approver == "human" and not other:
                refused[one.id] = "needs_another_person"
            else:
                taken[one.id] = decision.action
                paused.decided[one.id] = decision
        if not paused.open:
            paused.given.set()
        if not taken and not refused:
            return DecideOutcome(refused=dict.fromkeys(decisions, "not_found"))
        return DecideOutcome(taken, refused)

    async def show(self, execution_id: str, principal: Principal) -> ExecutionView | None:
        paused = self._find(execution_id, principal)
        return self._view(execution_id, paused) if paused is not None else None

    def _view(self, execution_id: str, paused: Paused) -> ExecutionView:
        standing = self._standing(execution_id)
        return ExecutionView(
            id=execution_id,
            status=standing.status,
            workspace_id=paused.principal.workspace_id,
            account_id=paused.principal.account_id,
            session_id=paused.request.session_id,
            mode=paused.request.mode,
            created_at_ms=1.0,
            expires_at_ms=paused.questions[0].expires_at_ms,
            code_sha256=hashlib.sha256(paused.request.code.encode()).hexdigest(),
            interactions=paused.open if paused.ended is None else (),
            decided={name: one.action for name, one in paused.decided.items()},
            result=None if standing.waiting else standing.structured(),
        )

    async def list(
        self, principal: Principal, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> ExecutionPage:
        seen = [
            self._view(name, one)
            for name, one in reversed(self.paused.items())
            if self._find(name, principal) is not None
            and status in (None, "paused" if one.ended is None and one.open else "settled")
        ]
        names = [one.id for one in seen]
        first = names.index(cursor) + 1 if cursor in names else 0
        items = tuple(seen[first : first + limit])
        return ExecutionPage(items, items[-1].id if len(items) == limit else None)

    async def pending(self, principal: Principal) -> tuple[Pending, ...]:
        return tuple(
            Pending(
                name,
                one.principal.account_id,
                one.principal.workspace_id,
                one.request.session_id,
                1.0,
                asked,
            )
            for name, one in self.paused.items()
            if self._find(name, principal) is not None and one.ended is None
            for asked in one.open
        )

    async def cancel(self, execution_id: str, principal: Principal) -> bool:
        paused = self._find(execution_id, principal)
        if paused is None or paused.ended is not None:
            return False
        paused.ended = result(
            "canceled", "", paused.request.session_id, execution_id=execution_id, principal=paused.principal
        )
        paused.given.set()
        return True

    async def look_up(self, name: str, arguments: JsonObject, principal: Principal) -> PlainValue | Failure:
        name_and_risk = {"name": "write", "risk": "write", "description": "Writes something"}
        row: JsonObject = {"path": "demo.org.main.write", **name_and_risk}
        if name == "executor.connections.list":
            one = {"connection": "demo.org.main", "integration": "demo", "kind": "openapi", "title": "Demo"}
            return PlainValue([{**one, "status": "connected", "toolCount": 1}])
        if name == "catalog.namespaces":
            return PlainValue([{"namespace": "demo.org.main"}])
        if name == "describe.tool":
            known = arguments["path"] == row["path"]
            types = {"inputTypeScript": "{}", "outputTypeScript": "null", "typeScriptDefinitions": ""}
            whole = {**row, **types, "policy": {"action": "require_approval", "rule": "ask"}}
            return (
                PlainValue(whole) if known else Failure("tool_not_found", f"No tool `{arguments['path']}`.")
            )
        if len(arguments["query"]) > 1000:
            raise WrongArgument("`query` is too long")
        return PlainValue({"items": [row], "total": 1, "hasMore": False, "nextOffset": None})

    def explain(
        self, principal: Principal, address: str, arguments: JsonObject | None
    ) -> JsonObject | Failure:
        if address == "ambiguous":
            return Failure("tool_ambiguous", "It could mean 2 tools.")
        if address != "demo.org.main.write":
            return Failure("tool_not_found", f"No tool `{address}`.")
        facts = {"rule": "ask", "default": None, "reason": "careful", "approver": "model"}
        return {"tool": address, "action": "require_approval", **facts, "conditional": arguments is None}

    def ready(self, latest: bool) -> tuple[bool, str]:
        if self.rejects and latest:
            return False, "the newest configuration was rejected"
        return self.is_ready, "" if self.is_ready else "no configuration is active"

    def status(self) -> JsonObject:
        return {"generation": self.revision, **board_status(self.revision)}

    def config(self) -> tuple[JsonObject, str]:
        return {"version": 1}, "ab12"

    def metrics(self) -> bytes:
        return b"executor_config_last_reload_successful 1\n"

    async def reload(self) -> ReloadReport:
        if self.rejects:
            return ReloadReport("rejected", {"valid": False, "errors": 1})
        return ReloadReport(
            "applied", {"generation": 2, "sha256": "ab12", "changed": True, "summary": "tools=+1"}
        )

    def request_finished(self, route: str, status: int, seconds: float) -> None:
        self.finished.append((route, status))
        if (route, status) == ("stream", 200):
            self.stream_ended.set()

    def config_sha256(self) -> str:
        return "ab12"

    async def begin_sign_in(
        self, connection: str, principal: Principal, redirect_uri: str | None = None
    ) -> BegunSignIn:
        raise SignInProblem(404, "not_found", f"there is no connection `{connection}` that people sign in to")

    async def complete_sign_in(self, parameters: Mapping[str, str], principal: Principal) -> str:
        raise SignInProblem(400, "state_mismatch", "this sign-in is not known here")

    async def begin_device_sign_in(self, connection: str, principal: Principal) -> BegunDevice:
        raise SignInProblem(404, "not_found", f"there is no connection `{connection}` that people sign in to")

    async def ask_device_sign_in(self, state: str, principal: Principal) -> DeviceStanding:
        raise SignInProblem(400, "state_mismatch", "this sign-in is not known here")

    async def sign_out(self, connection: str, principal: Principal) -> bool:
        raise SignInProblem(404, "not_found", f"there is no connection `{connection}` that people sign in to")

    async def sign_ins(self, principal: Principal) -> tuple[SignInState, ...]:
        return ()

    def client_document(self) -> JsonObject | None:
        return None

    def subscribe(self, listener: ToolsListener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def change(self, *workspaces: str) -> None:
        """A reload went through: the description differs from now on, and everybody is told."""
        self.revision += 1
        for listener in list(self.listeners):
            listener(frozenset(workspaces or ("ws_one",)))
