"""The MCP servers of the small gateway: they are kept in memory, and connected at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.overlay import InvalidRegistration, read_registration
from proxy.principal import Principal
from proxy.serving.rest.request import ApiProblem

JsonObject = dict[str, Any]


class BoardServers:
    """`github` can be signed in to with the code `good`; what is registered is connected."""

    def __init__(self) -> None:
        self.by_workspace: dict[str, dict[str, JsonObject]] = {}

    def _all(self, principal: Principal) -> dict[str, JsonObject]:
        usual: dict[str, JsonObject] = {"github": {"status": "needs_auth"}}
        return self.by_workspace.setdefault(principal.workspace_id, usual)

    def _check(self, principal: Principal, name: str) -> dict[str, JsonObject]:
        servers = self._all(principal)
        if name not in servers:
            raise ApiProblem(404, "not_found", f"There is no MCP server `{name}` in this workspace.")
        return servers

    async def statuses(self, principal: Principal) -> JsonObject:
        return dict(self._all(principal))

    async def register(self, principal: Principal, body: JsonObject) -> JsonObject:
        try:
            registration = read_registration(body)
        except InvalidRegistration as error:
            details = {"pointer": error.problems[0].pointer}
            raise ApiProblem(400, "invalid_config", str(error), details=details) from None
        self._all(principal)[registration.name] = {"status": "connected"}
        return await self.statuses(principal)

    async def exported(self, principal: Principal) -> JsonObject:
        return {"yaml": "", "variables": [], "servers": []}

    async def remove(self, principal: Principal, name: str) -> JsonObject:
        del self._check(principal, name)[name]
        return {"success": True}

    async def connect(self, principal: Principal, name: str) -> bool | JsonObject:
        status = self._check(principal, name)[name]
        return True if status["status"] == "connected" else status

    async def disconnect(self, principal: Principal, name: str) -> bool:
        self._check(principal, name)[name] = {"status": "disabled"}
        return True

    async def begin_sign_in(self, principal: Principal, name: str) -> JsonObject:
        self._check(principal, name)
        return {"authorizationUrl": "https://auth.example.com/oauth/authorize?state=abc123"}

    async def await_sign_in(self, principal: Principal, name: str) -> JsonObject:
        return self._check(principal, name)[name]

    async def complete_sign_in(
        self, principal: Principal, name: str, parameters: Mapping[str, str]
    ) -> JsonObject:
        servers = self._check(principal, name)
        if parameters["code"] == "good":
            servers[name] = {"status": "connected"}
            return servers[name]
        return {"status": "failed", "error": "invalid_grant"}

    async def end_sign_in(self, principal: Principal, name: str) -> JsonObject:
        self._check(principal, name)
        return {"success": True}
