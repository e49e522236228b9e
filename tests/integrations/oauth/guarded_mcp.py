"""An MCP server of the handshake era that every account signs in to for itself, behind the small authorization server.

It keeps whose session each one is: a request that comes with another account's token is `mixed`, and refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.integrations.echo import Reply, Seen
from tests.integrations.mcp.http_server import answer_to
from tests.integrations.oauth.server import AuthServer

TOOLS: list[dict[str, Any]] = [
    {"name": "whoami", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
    {"name": "rename", "inputSchema": {"type": "object", "properties": {"to": {"type": "string"}}}},
]


@dataclass
class GuardedMcp:
    """`sessions`: by id, the account that began it. `calls`: who called which tool. `open_listing`: the tools are
    listed for whoever asks, and only calls need a token. `hangs`: calls get no answer."""

    auth: AuthServer
    open_listing: bool = False
    hangs: bool = False
    sessions: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    listings: list[str] = field(default_factory=list)
    mixed: int = 0

    def __post_init__(self) -> None:
        auth = self.auth
        auth.api_path = "/mcp"
        auth.quirks.challenge = 'Bearer resource_metadata="{url}/.well-known/oauth-protected-resource/mcp"'
        auth.behind = self.behind
        auth.echo.answer = self.answer

    def answer(self, seen: Seen) -> Reply | None:
        """Without a token what is open; everything else passes the authorization server."""
        if self.open_listing and seen.path == "/mcp" and not seen.header("authorization"):
            if seen.method != "POST" or json.loads(seen.body)["method"] != "tools/call":
                return self._mcp(seen, "")
        return self.auth.answer(seen)

    def behind(self, seen: Seen) -> Reply:
        token = (seen.header("authorization") or "").removeprefix("Bearer ")
        return self._mcp(seen, self.auth.tokens[token].account)

    def _mcp(self, seen: Seen, account: str) -> Reply:
        session = seen.header("mcp-session-id") or ""
        if session and self.sessions.get(session) != account:
            self.mixed += 1
            return Reply(403)
        if seen.method != "POST":
            self.ended += [session] if seen.method == "DELETE" else []
            return Reply(405 if seen.method == "GET" else 200)
        message = json.loads(seen.body)
        if message["method"] == "server/discover":
            return Reply(400)
        if message["method"] == "initialize":
            return self._initialize(message, account)
        if self.hangs and message["method"] == "tools/call":
            return Reply(200, [("Content-Type", "application/json")], then="hang", length=100)
        return Reply(202) if "id" not in message else answer_to(message, self._result(message, account))

    def _initialize(self, message: Any, account: str) -> Reply:
        session = f"session-{len(self.sessions) + 1}"
        self.sessions[session] = account
        info = {"name": "guarded", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
        reply = answer_to(message, result)
        reply.headers.append(("Mcp-Session-Id", session))
        return reply

    def _result(self, message: Any, account: str) -> Any:
        if message["method"] == "tools/list":
            self.listings.append(account)
            return {"tools": TOOLS}
        self.calls.append((account, message["params"]["name"]))
        return {"content": [{"type": "text", "text": account}]}
