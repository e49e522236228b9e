"""A small real gateway, and a real server around it on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from proxy.executions import ExecutionRequest, ExecutionResult, Observer
from proxy.principal import Principal
from proxy.serving.asgi import AppOptions, Dispatch
from proxy.serving.drain import Drain
from proxy.serving.errors import AuthError, RateLimited
from proxy.serving.gateway import Listener, ReloadReport
from proxy.serving.http_server import HttpLimits, serve_http

JsonObject = dict[str, Any]
TOKENS = {
    "alice": Principal("ws_one", "key:alice", "key", groups=frozenset({"admins"})),
    "alice-too": Principal("ws_one", "key:alice", "key", groups=frozenset({"admins"})),
    "bob": Principal("ws_one", "key:bob", "key"),
    "eve": Principal("ws_two", "key:eve", "key"),
}
ALICE = TOKENS["alice"]


def result(status: str, text: str, session_id: str | None = None, revision: str = "r1") -> ExecutionResult:
    return ExecutionResult(
        execution_id="exec_1",
        status=status,
        workspace_id="ws_one",
        account_id="key:alice",
        session_id=session_id,
        catalog_revision=revision,
        has_result=True,
        result=text,
        result_text=text,
    )


@dataclass
class Board:
    """A gateway whose code is a handful of words: `return x`, `calls n`, `wait`, `boom`."""

    revision: int = 1
    limit: int = 1000
    auth_down: bool = False
    is_ready: bool = True
    rejects: bool = False
    requests: list[ExecutionRequest] = field(default_factory=list)
    finished: list[tuple[str, int]] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    stream_ended: asyncio.Event = field(default_factory=asyncio.Event)

    def authenticate(
        self,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        path_workspace: str | None,
        peer_ip: str,
        anonymous_path: bool,
    ) -> Principal:
        if self.auth_down:
            raise AuthError(503, -32001, "The auth provider does not answer.", {"retry-after": "2"})
        token = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key", "")
        if token not in TOKENS:
            raise AuthError(401, -32001, "A valid bearer token is needed.")
        if anonymous_path and "workspaceId" not in query:
            raise AuthError(
                400, -32000, "The query parameter workspaceId is missing: /mcp/anonymous?workspaceId=..."
            )
        principal = TOKENS[token]
        if path_workspace not in (None, principal.workspace_id):
            raise AuthError(403, -32001, "This key belongs to another workspace.")
        return principal

    def is_admin(self, principal: Principal) -> bool:
        return "admins" in principal.groups

    async def check_request_limit(self, principal: Principal, ip: str) -> None:
        self.limit -= 1
        if self.limit < 0:
            raise RateLimited("per-workspace", 11.5)

    def description(self, principal: Principal) -> tuple[str, str]:
        return f"Runs code. Connected: demo (revision {self.revision}).", f"r{self.revision}"

    def changes_since(self, principal: Principal, revision: str) -> str | None:
        return None if revision == f"r{self.revision}" else "Tools of these integrations changed: demo."

    async def execute(
        self, request: ExecutionRequest, principal: Principal, observer: Observer
    ) -> ExecutionResult:
        self.requests.append(request)
        word, _, rest = request.code.partition(" ")
        if word == "boom":
            raise RuntimeError("the secret cause")
        if word == "wait":
            await self._wait()
        if word == "calls":
            for seq in range(int(rest)):
                observer.call_started(seq, "demo.org.main.get")
                observer.log("warn", f"line {seq}")
                observer.log("debug", f"detail {seq}")
                observer.call_finished(seq, "demo.org.main.get", True, None, 2.0)
        return result("completed", rest, request.session_id, f"r{self.revision}")

    async def _wait(self) -> None:
        self.waiting.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def resume(
        self,
        execution_id: str,
        action: str,
        content: JsonObject | None,
        interaction_id: str | None,
        principal: Principal,
    ) -> ExecutionResult:
        return result("execution_not_found", f"There is no execution {execution_id}. Run `execute` again.")

    def ready(self, latest: bool) -> tuple[bool, str]:
        if self.rejects and latest:
            return False, "the newest configuration was rejected"
        return self.is_ready, "" if self.is_ready else "no configuration is active"

    def status(self) -> JsonObject:
        return {"generation": self.revision}

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

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def change(self, *workspaces: str) -> None:
        """A reload went through: the description differs from now on, and everybody is told."""
        self.revision += 1
        for listener in list(self.listeners):
            listener(frozenset(workspaces or ("ws_one",)))


@dataclass(frozen=True)
class Server:
    """A running server. `url` is its origin without a path."""

    url: str
    board: Board
    app: Dispatch
    drain: Drain
    shutdown: asyncio.Event

    def client(self, token: str | None = "alice", **headers: str) -> httpx2.AsyncClient:
        own = {"authorization": f"Bearer {token}"} if token else {}
        return httpx2.AsyncClient(base_url=self.url, headers={**own, **headers}, timeout=20)


@asynccontextmanager
async def serving(
    options: AppOptions | None = None, board: Board | None = None, limits: HttpLimits | None = None
) -> AsyncIterator[Server]:
    board, drain, shutdown = board or Board(), Drain(), asyncio.Event()
    app = Dispatch(board, drain, options)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve_http(app, host="127.0.0.1", port=0, shutdown=shutdown, bound=port.set_result, limits=limits)
        )
        try:
            yield Server(f"http://127.0.0.1:{await port}", board, app, drain, shutdown)
        finally:
            drain.begin()
            shutdown.set()
            app.close()


def rpc(method: str, params: JsonObject | None = None, identifier: Any = 1) -> JsonObject:
    message: JsonObject = {"jsonrpc": "2.0", "method": method, "id": identifier}
    if params is not None:
        message["params"] = params
    return message


MODERN = "2026-07-28"


def envelope(method: str, params: JsonObject | None = None, identifier: Any = 1, **meta: Any) -> JsonObject:
    """A 2026-07-28 request body."""
    own = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        **meta,
    }
    return rpc(method, {**(params or {}), "_meta": own}, identifier)


def modern_headers(method: str, name: str | None = None) -> dict[str, str]:
    headers = {
        "mcp-protocol-version": MODERN,
        "mcp-method": method,
        "accept": "application/json, text/event-stream",
    }
    return {**headers, "mcp-name": name} if name else headers


def initialize(identifier: Any = 0) -> JsonObject:
    info = {"name": "test", "version": "1"}
    return rpc(
        "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}, identifier
    )


async def open_session(client: httpx2.AsyncClient, path: str = "/mcp") -> str:
    answer = await client.post(path, json=initialize())
    assert answer.status_code == 200, answer.text
    session: str = answer.headers["mcp-session-id"]
    await client.post(
        path,
        json={"jsonrpc": "2.0", "method": "notifications/initialized"},
        headers={"mcp-session-id": session},
    )
    return session


def call(code: str, identifier: Any = 1, **arguments: Any) -> JsonObject:
    return rpc("tools/call", {"name": "execute", "arguments": {"code": code, **arguments}}, identifier)
