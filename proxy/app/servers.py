"""The MCP servers of a workspace, as the workspace API shows and changes them: those of the files and those that were
registered at run time.

Rules
- A server is called by the name it was given: in the files its integration, or its connection's prefix where it has
  several; registered ones as whoever registered them wrote it.
- Everybody in the workspace may look. Only operators (the admin role) change what all of its agents use.
- What the files declare is theirs: it can be disconnected and signed in to, but neither registered nor removed.
- Every change, and every refusal of one, is a line of the audit trail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from integrations.base import JsonObject
from integrations.http import origin_of
from proxy.app.overlay import Overlay, declared_at
from proxy.app.server_sign_ins import ServerSignIns
from proxy.app.workspace_overlay import WorkspaceOverlay
from proxy.config import LoadedConfig
from proxy.connections import OpenConnection
from proxy.live import Live
from proxy.overlay import (
    InvalidRegistration,
    ServerRegistration,
    allowed_command,
    committed_yaml,
    configured,
    read_registration,
)
from proxy.overlay.entries import MOST_SERVERS
from proxy.overlay.registration import inside_name
from proxy.overlay.statuses import EXPLAINED_STATUSES, PLAIN_STATUSES
from proxy.overlay.yaml_text import variables_of
from proxy.principal import Principal
from proxy.serving.rest.request import ApiProblem
from proxy.state import Conflict
from proxy.workspace import Workspace

_SETTLE_SECONDS: Final = 10.0
_ATTEMPTS: Final = 3
# A server that needs no token stays connected, and is not waited for any longer.
_NOTICE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.05
Audited = Callable[[Principal, str, str, Mapping[str, Any]], None]
"""Hears of a change: who, what (`register`), which server, and what else is known (`refused`)."""


@dataclass(frozen=True, slots=True)
class _Server:
    """One name. `connection` None: a registration that is not served, `refused` says why."""

    name: str
    connection: OpenConnection | None
    registered: bool
    refused: str = ""


class AppServers:
    """Implements `proxy.serving.gateway.WorkspaceServers`."""

    def __init__(
        self,
        live: Live,
        loaded: Callable[[], LoadedConfig],
        overlay: Overlay,
        sign_ins: ServerSignIns,
        is_admin: Callable[[Principal], bool],
        apply: Callable[[], None],
        audited: Audited,
    ) -> None:
        self._live = live
        self._loaded = loaded
        self._overlay = overlay
        self._sign_ins = sign_ins
        self._is_admin = is_admin
        self._apply = apply
        self._audited = audited

    # ---- looking ----------------------------------------------------------------------------------------------------
    async def statuses(self, principal: Principal) -> JsonObject:
        """Every server of the caller's workspace with its status."""
        servers = self._servers(principal)
        for one in servers.values():
            await self._sign_ins.look(one.connection)
        return {name: _status(one, principal) for name, one in sorted(servers.items())}

    async def exported(self, principal: Principal) -> JsonObject:
        """What is registered, as files would say it."""
        self._check_operator(principal)
        stored = await self._overlay.store.servers(principal.workspace_id)
        overlay = self._overlay.served.of(principal.workspace_id)
        registrations = [one.registration for one in stored]
        return {
            "yaml": committed_yaml(registrations),
            "variables": variables_of(registrations),
            "servers": [
                {
                    "name": one.registration.name,
                    "integration": one.registration.integration,
                    "registeredBy": one.by,
                    "registeredAtMs": round(one.at * 1000),
                    **(
                        {"notServed": why}
                        if (why := overlay.refused.get(one.registration.integration))
                        else {}
                    ),
                }
                for one in stored
            ],
        }

    # ---- registering ------------------------------------------------------------------------------------------------
    async def register(self, principal: Principal, body: JsonObject) -> JsonObject:
        """The whole map, with the new server in it."""
        name = body.get("name") if isinstance(body.get("name"), str) else ""
        try:
            self._check_operator(principal)
            registration = _read(principal, body)
            added = await self._add(principal, registration)
        except ApiProblem as problem:
            self._audited(principal, "register", str(name)[:64], {"refused": problem.kind})
            raise
        if added:
            self._audited(principal, "register", registration.name, _what(registration))
            await self._served()
            await self._settle(principal, registration.name)
        return await self.statuses(principal)

    async def _add(self, principal: Principal, registration: ServerRegistration) -> bool:
        """Whether it was not there before. Raises `ApiProblem`."""
        workspace, api = principal.workspace_id, self._live.current.config.api
        self._check_files(registration)
        if api.registration == "off":
            raise _registration_off(registration)
        known = {one.registration.integration: one for one in await self._overlay.store.servers(workspace)}
        if (there := known.get(registration.integration)) is not None:
            return _already_there(there.registration, registration)
        if registration.is_local:
            refusal = allowed_command(registration.config, api.allow_local_commands)
            if refusal is not None:
                raise ApiProblem(403, "local_commands_refused", refusal)
        if len(known) >= MOST_SERVERS:
            message = (
                f"This workspace has {MOST_SERVERS} registered servers: remove one, or write them into files."
            )
            raise ApiProblem(409, "too_many_servers", message)
        try:
            await self._overlay.store.add(workspace, registration, principal.account_id)
        except Conflict:
            raise _exists(registration) from None
        return True

    def _check_files(self, registration: ServerRegistration) -> None:
        place = declared_at(self._loaded(), self._live.current.config, registration.integration)
        if place is not None:
            message = f"`{registration.name}` is declared at {place}: the files win, so change it there."
            raise ApiProblem(409, "declared_in_config", message, details={"source": place})

    async def remove(self, principal: Principal, name: str) -> JsonObject:
        """Forget a registered server and its tokens."""
        server = self._changeable(principal, "remove", name)
        if not server.registered:
            place = (
                declared_at(self._loaded(), self._live.current.config, name.partition(".")[0]) or "the files"
            )
            message = f"`{name}` is declared at {place}: remove it there."
            raise ApiProblem(409, "declared_in_config", message, details={"source": place})
        if server.connection is not None:
            await self._sign_ins.forget(server.connection, principal)
        await self._overlay.store.drop(principal.workspace_id, inside_name(name))
        self._audited(principal, "remove", name, {})
        await self._served()
        return {"success": True}

    # ---- connecting -------------------------------------------------------------------------------------------------
    async def connect(self, principal: Principal, name: str) -> bool | JsonObject:
        """True once it is connected, else its status."""
        await self._switch(principal, self._changeable(principal, "connect", name), off=False)
        self._audited(principal, "connect", name, {})
        await self._served()
        connection = self._server(principal, name).connection
        if connection is not None and connection.session is not None:
            connection.session.signed_in()
        await self._settle(principal, name)
        status = _status(self._server(principal, name), principal)
        return True if status["status"] == "connected" else status

    async def disconnect(self, principal: Principal, name: str) -> bool:
        await self._switch(principal, self._changeable(principal, "disconnect", name), off=True)
        self._audited(principal, "disconnect", name, {})
        await self._served()
        return True

    async def _switch(self, principal: Principal, server: _Server, *, off: bool) -> None:
        workspace = principal.workspace_id
        if server.registered:
            await self._overlay.store.switch(workspace, inside_name(server.name), off)
        elif server.connection is not None:
            await self._overlay.store.disconnect(workspace, [server.connection.prefix], off)

    # ---- signing in -------------------------------------------------------------------------------------------------
    async def begin_sign_in(self, principal: Principal, name: str) -> JsonObject:
        server = self._changeable(principal, "sign_in", name)
        url = await self._sign_ins.begin(_signed(server), principal)
        self._audited(principal, "sign_in", name, {})
        return {"authorizationUrl": url}

    async def complete_sign_in(
        self, principal: Principal, name: str, parameters: Mapping[str, str]
    ) -> JsonObject:
        """The status afterwards; of a code that the authorization server refuses, `failed`."""
        server = self._changeable(principal, "signed_in", name)
        failure = await self._sign_ins.complete(_signed(server), principal, parameters)
        if failure is not None:
            self._audited(principal, "signed_in", name, {"refused": failure})
            return {"status": "failed", "error": failure}
        self._audited(principal, "signed_in", name, {})
        await self._settle(principal, name)
        return _status(self._server(principal, name), principal)

    async def await_sign_in(self, principal: Principal, name: str) -> JsonObject:
        """Join the sign-in that was begun, or begin one, and wait until somebody has finished it; the status then."""
        server = self._changeable(principal, "sign_in", name)
        await self._sign_ins.wait(_signed(server), principal)
        await self._settle(principal, name)
        return _status(self._server(principal, name), principal)

    async def end_sign_in(self, principal: Principal, name: str) -> JsonObject:
        server = self._changeable(principal, "sign_out", name)
        if server.connection is not None and await self._sign_ins.forget(server.connection, principal):
            await self._noticed(principal, name)
        self._audited(principal, "sign_out", name, {})
        return {"success": True}

    # ---- parts ------------------------------------------------------------------------------------------------------
    def _check_operator(self, principal: Principal) -> None:
        if not self._is_admin(principal):
            message = (
                "Everybody in the workspace uses its servers, so only operators change them: this needs a caller that "
                "`auth.roles.admin` names."
            )
            raise ApiProblem(403, "forbidden", message)

    def _changeable(self, principal: Principal, action: str, name: str) -> _Server:
        try:
            self._check_operator(principal)
            return self._server(principal, name)
        except ApiProblem as problem:
            self._audited(principal, action, name[:64], {"refused": problem.kind})
            raise

    def _server(self, principal: Principal, name: str) -> _Server:
        found = self._servers(principal).get(name)
        if found is None:
            raise ApiProblem(404, "not_found", f"There is no MCP server `{name[:64]}` in this workspace.")
        return found

    def _servers(self, principal: Principal) -> dict[str, _Server]:
        workspace = self._live.current.workspace(principal.workspace_id)
        if workspace is None:
            raise ApiProblem(403, "forbidden", "This workspace is no longer configured.")
        overlay = self._overlay.served.of(principal.workspace_id)
        declared = _declared(workspace)
        return {**declared, **_registered(workspace, overlay, declared)}

    async def _served(self) -> None:
        """Until this replica serves what has just been stored. Raises `ApiProblem`."""
        number = self._overlay.number
        self._apply()
        if not await self._overlay.served_after(number):
            message = "It is stored, but not served yet: the config cannot be applied at this moment; see /-/status."
            raise ApiProblem(503, "unavailable", message, {"retry-after": "5"})

    async def _noticed(self, principal: Principal, name: str) -> None:
        """Wait until a session whose token is gone has been asked whether it is still let in."""
        for _ in range(round(_NOTICE_SECONDS / _LOOK_SECONDS)):
            if _status(self._server(principal, name), principal)["status"] != "connected":
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _settle(self, principal: Principal, name: str) -> None:
        """Wait for the attempt to connect, so that the status says how it went. One that began before somebody signed
        in says nothing about the token: then there is another one."""
        for _ in range(_ATTEMPTS):
            connection = self._server(principal, name).connection
            if connection is None or connection.session is None:
                return
            await connection.session.settled(_SETTLE_SECONDS)
            # What the attempt found reaches the catalog by the next turn of the loop.
            await asyncio.sleep(0)
            if connection.session.status["status"] != "needs_auth":
                return
            if not await self._sign_ins.is_signed_in(connection, principal):
                return
            connection.session.signed_in()


def _declared(workspace: Workspace) -> dict[str, _Server]:
    """Of the files."""
    mcp = [one for one in workspace.connections.values() if one.kind == "mcp" and not one.scope]
    integrations = [one.integration for one in mcp]
    found = {}
    for one in mcp:
        name = one.integration if integrations.count(one.integration) == 1 else one.prefix
        found[name] = _Server(name, one, registered=False)
    return found


def _registered(
    workspace: Workspace, overlay: WorkspaceOverlay, declared: Mapping[str, _Server]
) -> dict[str, _Server]:
    found = {}
    for inside, one in overlay.servers.items():
        name, why = one.registration.name, overlay.refused.get(inside, "")
        connection = workspace.connections.get(one.registration.prefix) if not why else None
        if inside in overlay.shadowed and _is_the_same(one.registration, workspace, declared.get(name)):
            # Somebody has committed it: the files' server is this one.
            continue
        found[name] = _Server(name, connection, registered=True, refused=why)
    return found


def _is_the_same(registration: ServerRegistration, workspace: Workspace, declared: _Server | None) -> bool:
    config = workspace.declared.get(registration.integration)
    if declared is None or config is None:
        return False
    if registration.is_local:
        return bool(list(getattr(config, "command", ())) == registration.config["command"])
    return bool(getattr(config, "url", None) == registration.config["url"])


def _status(server: _Server, principal: Principal) -> JsonObject:
    """One of five, as clients of this API know them."""
    if server.connection is None:
        return {"status": "failed", "error": server.refused or "it is not served yet"}
    status = server.connection.status_for(principal)
    word = status["status"]
    if word in PLAIN_STATUSES:
        return {"status": word}
    error = str(status.get("error") or word)
    return {"status": word if word in EXPLAINED_STATUSES else "failed", "error": error}


def _signed(server: _Server) -> OpenConnection:
    """Raises `ApiProblem` for a registration that is not served."""
    if server.connection is None:
        raise ApiProblem(409, "not_served", f"`{server.name}` is not served: {server.refused}")
    return server.connection


def _read(principal: Principal, body: JsonObject) -> ServerRegistration:
    try:
        registration = read_registration(body)
        configured(registration, principal.workspace_id)
    except InvalidRegistration as error:
        shown = [one.as_json() for one in error.problems]
        details = {"pointer": error.problems[0].pointer, "diagnostics": shown}
        raise ApiProblem(400, "invalid_config", str(error), details=details) from None
    return registration


def _already_there(there: ServerRegistration, registration: ServerRegistration) -> bool:
    """False: nothing has to be done. Raises `ApiProblem`."""
    if there.name == registration.name and there.same_as(registration):
        return False
    raise _exists(registration, there.name)


def _exists(registration: ServerRegistration, there: str | None = None) -> ApiProblem:
    name = there or registration.name
    message = f"`{name}` is registered with another config: remove it first (DELETE .../mcp/{name})."
    return ApiProblem(409, "exists", message)


def _registration_off(registration: ServerRegistration) -> ApiProblem:
    message = (
        "`api.registration` is off: nothing is registered at run time. Commit the YAML to the config instead, or set "
        "`api: {registration: overlay}`."
    )
    details = {"yaml": committed_yaml([registration]), "variables": variables_of([registration])}
    return ApiProblem(409, "registration_off", message, details=details)


def _what(registration: ServerRegistration) -> JsonObject:
    """What an audit line says of it: never a secret, so no more of a URL than its origin and path."""
    config = registration.config
    if registration.is_local:
        return {"command": list(config["command"])}
    return {"url": f"{origin_of(config['url'])}{urlsplit(config['url']).path}"}
