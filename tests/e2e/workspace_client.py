"""A small client of the workspace API, with the methods that its documentation names."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.e2e.running import JsonObject, Proxy


class McpClient:
    """`client.agent.mcp` of one workspace. `last` is the newest answer, whatever its status."""

    def __init__(self, proxy: Proxy, key: str, workspace: str) -> None:
        self._proxy = proxy
        self._key = key
        self._base = f"/api/v1/workspaces/{workspace}"
        self.last = httpx2.Response(200)

    async def ask(self, method: str, path: str, body: JsonObject | None = None) -> Any:
        async with self._proxy.client(self._key) as http:
            whole = path if path.startswith("/api/") else self._base + path
            self.last = await http.request(method, whole, json=body)
        return self.last.json()

    async def get_status(self) -> Any:
        return await self.ask("GET", "/mcp")

    async def add_server(self, name: str, config: JsonObject) -> Any:
        return await self.ask("POST", "/mcp", {"name": name, "config": config})

    async def start_oauth(self, name: str) -> Any:
        return await self.ask("POST", f"/mcp/{name}/auth")

    async def authenticate_oauth(self, name: str) -> Any:
        return await self.ask("POST", f"/mcp/{name}/auth/authenticate")

    async def complete_oauth(self, name: str, **data: str) -> Any:
        return await self.ask("POST", f"/mcp/{name}/auth/callback", dict(data))

    async def connect(self, name: str) -> Any:
        return await self.ask("POST", f"/mcp/{name}/connect")

    async def disconnect(self, name: str) -> Any:
        return await self.ask("POST", f"/mcp/{name}/disconnect")

    async def remove_oauth(self, name: str) -> Any:
        return await self.ask("DELETE", f"/mcp/{name}/auth")

    async def remove_server(self, name: str) -> Any:
        return await self.ask("DELETE", f"/mcp/{name}")

    async def export(self) -> Any:
        return await self.ask("GET", "/api/overlay")

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of the newest answer."""
        return self.last.status_code, self.last.json()["error"]["code"]
