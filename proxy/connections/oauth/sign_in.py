"""Signing in to a connection: from the request that a browser is sent with to the token that is kept.

Rules
- A sign-in belongs to the account that began it, in its workspace. Whoever brings the callback must be that account: a
  link that somebody else opened binds nothing (T31).
- `state` is random, stored as a digest, used once, good for ten minutes, on any replica.
- The redirect leads to this server, or to a loopback address of the machine where the command line waits.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from integrations.base import JsonObject
from integrations.http import origin_of
from integrations.oauth.authorization import CALLBACK_PATH, AuthorizationRequest, check_callback, new_verifier
from integrations.oauth.discovery import AuthorizationServer
from integrations.oauth.errors import OAuthError, OAuthRefused, OtherIssuer
from integrations.oauth.token import TokenAnswer, TokenEndpoint, request_token
from proxy.config.secrets import SecretMissing
from proxy.connections.connection import OpenConnection
from proxy.connections.oauth.access import OAuthAccess
from proxy.connections.oauth.basis import SignInBasis, SignInProblem, client_of, forget_client, token_record
from proxy.connections.oauth.device import DeviceSignIns
from proxy.connections.oauth.records import PendingSignIn
from proxy.connections.oauth.storage import PENDING_SECONDS, TokenHolder, TokenStore
from proxy.connections.oauth.tokens import ConnectionTokens
from proxy.principal import Principal
from proxy.telemetry import Logger

log = Logger("connections")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class BegunSignIn:
    """`url` is where the person's browser goes. Times are seconds since 1970."""

    url: str
    state: str
    redirect_uri: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class SignInState:
    """One connection that people sign in to, as one caller sees it. `may`: whether this caller may sign in to it.
    `redirect_port` is where the command line has to listen for the browser, if the server insists on a port."""

    prefix: str
    title: str
    per_user: bool
    may: bool
    status: JsonObject
    why: str | None
    redirect_port: int | None = None


class SignIns:
    """Through a browser that comes back with a code; where none can, through `devices`.

    `find` gives the connection of a workspace by its prefix; `base_url` is where people reach this server."""

    def __init__(
        self,
        find: Callable[[str, str], OAuthAccess | None],
        store: TokenStore,
        base_url: Callable[[], str | None],
    ) -> None:
        self._basis = SignInBasis(find, store, base_url)
        self._store = store
        self.devices = DeviceSignIns(self._basis)
        self.document = self._basis.document

    # ---- begin --------------------------------------------------------------------------------------------------
    async def begin(
        self, prefix: str, principal: Principal, *, operator: bool, redirect_uri: str | None = None
    ) -> BegunSignIn:
        """Where the browser goes. Raises `SignInProblem`, `StateError`."""
        access = self._basis.access(prefix, principal, operator)
        redirect = self._redirect(redirect_uri)
        start = await self._basis.start(access, principal, redirect, _check_page)
        plan, endpoint = start.tokens.plan, start.server.authorization_endpoint
        assert endpoint is not None, "checked"
        request = AuthorizationRequest(
            endpoint,
            start.client.client_id,
            redirect,
            secrets.token_urlsafe(32),
            new_verifier(),
            start.scopes,
            start.resource,
            {**plan.params, **({"audience": plan.audience} if plan.audience else {})},
        )
        until = start.tokens.parts.clock() + PENDING_SECONDS
        pending = start.pending(principal, redirect, request.verifier)
        await self._store.begin(request.state, pending, until)
        return BegunSignIn(request.url, request.state, redirect, until)

    def _redirect(self, asked: str | None) -> str:
        """Raises `SignInProblem` for anything but our own callback, or one on a loopback address."""
        base = self._basis.base_url()
        own = f"{base.rstrip('/')}{CALLBACK_PATH}" if base is not None else None
        if asked is None:
            if own is None:
                raise SignInProblem(
                    409, "no_public_url", "this server has no address for browsers: set `server.public_url`"
                )
            return own
        parts = urlsplit(asked)
        local = parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.path == CALLBACK_PATH
        if asked != own and not (local and not parts.query and not parts.fragment and origin_of(asked)):
            raise SignInProblem(
                400,
                "invalid_argument",
                f"`redirectUri` must be {own or 'ours'}, or {CALLBACK_PATH} on a loopback",
            )
        return asked

    # ---- complete -----------------------------------------------------------------------------------------------
    async def complete(self, parameters: Mapping[str, str], principal: Principal, *, operator: bool) -> str:
        """Redeem what the browser brought back; the connection that is signed in now. Raises `SignInProblem`,
        `StateError`."""
        state = parameters.get("state", "")
        pending = await self._store.pending(state) if state else None
        if pending is None:
            raise SignInProblem(
                400, "state_mismatch", "this sign-in is not known here, was used already, or took too long"
            )
        if (pending.began_in, pending.began_by) != (principal.workspace_id, principal.account_id):
            raise SignInProblem(
                403, "forbidden", "this sign-in was begun by another account: begin one of your own"
            )
        access = self._basis.access(pending.prefix, principal, operator)
        if await self._store.take(state) is None or access.tokens.plan.binding != pending.binding:
            raise SignInProblem(
                400, "state_mismatch", "this sign-in was used already, or the config has changed"
            )
        try:
            code = check_callback(parameters, pending.issuer, pending.names_itself)
            answer = await self._redeem(access.tokens, pending, code)
        except SecretMissing as missing:
            raise SignInProblem(409, "needs_secret", str(missing)) from None
        except OAuthRefused as error:
            await forget_client(self._store, pending, error)
            raise SignInProblem(400, "sign_in_failed", f"the authorization server refused: {error}") from None
        except OAuthError as error:
            word = "state_mismatch" if isinstance(error, OtherIssuer) else "sign_in_failed"
            raise SignInProblem(400, word, str(error)) from None
        holder = TokenHolder(pending.workspace, pending.account)
        await access.tokens.keep(holder, token_record(pending, answer, access.tokens.parts.clock()))
        log.info(
            "signed_in",
            connection=pending.prefix,
            workspace=principal.workspace_id,
            account=principal.account_id,
        )
        return pending.prefix

    async def is_pending(self, state: str) -> bool:
        """Whether the sign-in of this `state` waits for its callback. Raises `StateError`."""
        return await self._store.pending(state) is not None

    async def issuer_of(self, state: str) -> str | None:
        """The authorization server of a sign-in under way, if its callbacks name it (RFC 9207). Raises `StateError`."""
        pending = await self._store.pending(state)
        return pending.issuer if pending is not None and pending.names_itself else None

    async def _redeem(self, tokens: ConnectionTokens, pending: PendingSignIn, code: str) -> TokenAnswer:
        fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", pending.redirect_uri),
            ("code_verifier", pending.verifier),
            *([("resource", pending.resource)] if pending.resource else []),
        ]
        endpoint = TokenEndpoint(pending.token_endpoint, pending.issuer)
        return await request_token(tokens.parts.http, endpoint, client_of(tokens, pending), fields)

    # ---- end ----------------------------------------------------------------------------------------------------
    async def sign_out(self, prefix: str, principal: Principal, *, operator: bool) -> bool:
        """Forget the token, and have the server forget it where it can (RFC 7009); whether there was one. Raises
        `SignInProblem`, `StateError`."""
        access = self._basis.access(prefix, principal, operator)
        tokens = access.tokens
        record = await tokens.forget(self._basis.holder_of(access, principal))
        if record is None:
            return False
        log.info(
            "signed_out", connection=prefix, workspace=principal.workspace_id, account=principal.account_id
        )
        await tokens.revoke(record)
        return True

    # ---- shown --------------------------------------------------------------------------------------------------
    async def states(
        self, connections: Mapping[str, OpenConnection], principal: Principal, *, operator: bool
    ) -> tuple[SignInState, ...]:
        """Every connection that people sign in to, as the store says now. Raises nothing."""
        return tuple(
            [
                await _state(one, one.oauth, principal, operator)
                for one in connections.values()
                if one.oauth is not None and one.oauth.asks
            ]
        )


async def _state(
    connection: OpenConnection, access: OAuthAccess, principal: Principal, operator: bool
) -> SignInState:
    holder = access.holder(principal)
    if holder is not None:
        await access.tokens.look(holder)
    may = holder is not None and (access.per_user or operator)
    why = access.tokens.trouble(holder) if holder is not None else "callers without an account cannot sign in"
    status = connection.status_for(principal)
    return SignInState(
        connection.prefix,
        connection.title,
        access.per_user,
        may,
        status,
        why,
        access.tokens.plan.redirect_port,
    )


def _check_page(server: AuthorizationServer) -> None:
    if server.authorization_endpoint is None:
        raise SignInProblem(
            502, "sign_in_failed", "the authorization server has no page where people sign in"
        )
