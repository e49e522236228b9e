"""Signing in to MCP servers over the workspace API: who only has the code can finish, and another client can wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from proxy.connections import OpenConnection
from proxy.connections.oauth.basis import SignInProblem
from proxy.connections.oauth.sign_in import SignIns
from proxy.connections.oauth.storage import PENDING_SECONDS
from proxy.principal import Principal
from proxy.serving.rest.request import ApiProblem
from proxy.state import Entry
from proxy.state.base import Entries

_BEGUN: Final = "server_sign_in"
WAIT_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.5
_REFUSED: Final = "sign_in_failed"


class ServerSignIns:
    """`begun` sign-ins are remembered by account and connection, so that the code alone finishes one. Every method but
    `look` may raise `ApiProblem`, `StateError`."""

    def __init__(
        self,
        state: Entries,
        sign_ins: SignIns,
        clock: Callable[[], float],
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._state = state
        self._sign_ins = sign_ins
        self._clock = clock
        self._wait_seconds = wait_seconds

    async def begin(self, connection: OpenConnection, principal: Principal) -> str:
        """Where the browser goes."""
        _check_possible(connection)
        try:
            begun = await self._sign_ins.begin(connection.prefix, principal, operator=True)
        except SignInProblem as problem:
            raise _problem(problem) from None
        before = await self._begun(connection, principal)
        version = before.version if before is not None else 0
        until = self._clock() + PENDING_SECONDS
        key = _key(connection, principal)
        await self._state.write_entry(
            Entry(_BEGUN, principal.workspace_id, key, begun.state.encode(), version, until)
        )
        return begun.url

    async def complete(
        self, connection: OpenConnection, principal: Principal, parameters: Mapping[str, str]
    ) -> str | None:
        """None when it is signed in; else why the authorization server refuses."""
        _check_possible(connection)
        begun = await self._begun(connection, principal)
        if begun is None:
            message = f"No sign-in to `{connection.prefix}` is under way: begin one with POST .../auth."
            raise ApiProblem(409, "no_pending_sign_in", message)
        state = begun.value.decode()
        if parameters.get("state", state) != state:
            message = (
                "`state` is not that of the sign-in under way: begin another one, or send the right one."
            )
            raise ApiProblem(400, "state_mismatch", message)
        await self._state.drop_entry(begun)
        given = {**parameters, "state": state}
        if "iss" not in given and (issuer := await self._sign_ins.issuer_of(state)) is not None:
            # Whoever has only the code cannot say where it comes from; what is said is checked.
            given["iss"] = issuer
        try:
            await self._sign_ins.complete(given, principal, operator=True)
        except SignInProblem as problem:
            if problem.code == _REFUSED:
                return str(problem)
            raise _problem(problem) from None
        return None

    async def wait(self, connection: OpenConnection, principal: Principal) -> None:
        """Until somebody has signed in, the sign-in has ended otherwise, or the time is over."""
        _check_possible(connection)
        if await self.is_signed_in(connection, principal):
            return
        if await self._begun(connection, principal) is None:
            await self.begin(connection, principal)
        until = self._clock() + self._wait_seconds
        while self._clock() < until:
            await asyncio.sleep(_LOOK_SECONDS)
            if await self.is_signed_in(connection, principal):
                return
            if not await self._is_pending(connection, principal):
                return

    async def forget(self, connection: OpenConnection, principal: Principal) -> bool:
        """The token, here and at the authorization server; whether there was one."""
        begun = await self._begun(connection, principal)
        if begun is not None:
            await self._state.drop_entry(begun)
        if connection.oauth is None or not connection.oauth.asks:
            return False
        try:
            return await self._sign_ins.sign_out(connection.prefix, principal, operator=True)
        except SignInProblem as problem:
            raise _problem(problem) from None

    async def look(self, connection: OpenConnection | None) -> None:
        """So that the status of a connection is that of all replicas."""
        if connection is not None and connection.oauth is not None and not connection.oauth.per_user:
            holder = connection.oauth.holder(None)
            if holder is not None:
                await connection.oauth.tokens.look(holder)

    async def _begun(self, connection: OpenConnection, principal: Principal) -> Entry | None:
        return await self._state.read_entry(_BEGUN, principal.workspace_id, _key(connection, principal))

    async def _is_pending(self, connection: OpenConnection, principal: Principal) -> bool:
        """A sign-in that was finished in the browser is not pending any more, nor is one that was refused there."""
        begun = await self._begun(connection, principal)
        return begun is not None and await self._sign_ins.is_pending(begun.value.decode())

    async def is_signed_in(self, connection: OpenConnection, principal: Principal) -> bool:
        """Whether there is a token, as the store says now."""
        access = connection.oauth
        holder = access.holder(principal) if access is not None else None
        if access is None or holder is None:
            return False
        await access.tokens.look(holder)
        return access.tokens.trouble(holder) is None


def _key(connection: OpenConnection, principal: Principal) -> str:
    return f"{connection.label} {principal.account_id}"


def _check_possible(connection: OpenConnection) -> None:
    """Raises `ApiProblem` for a server that nobody signs in to."""
    if connection.oauth is None or not connection.oauth.asks:
        message = f"Nobody signs in to `{connection.integration}`: it is local, or its `oauth` is false."
        raise ApiProblem(400, "oauth_not_supported", message)


def _problem(problem: SignInProblem) -> ApiProblem:
    return ApiProblem(problem.status, problem.code, str(problem))
