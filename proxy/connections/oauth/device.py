"""Signing in to a connection on another device (RFC 8628): nothing comes back here, so the server is asked again and
again until a person has decided.

Rules
- As with a browser, a sign-in belongs to the account that began it, and only that account may ask how it stands.
- The code that tokens are got with stays in the state store, sealed. Whoever asks has a random `state` for it, as
  good on any replica.
- All replicas together ask as often as the server allows, however often they are asked themselves.
- Whoever is shown somebody else's code signs that person in (RFC 8628 section 5.4): nothing binds the browser to the
  account. That is why servers must be told to allow it for a client, and why the account's own page does not offer it.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, replace
from typing import Final

from integrations.oauth.device import request_device_code
from integrations.oauth.discovery import AuthorizationServer
from integrations.oauth.errors import OAuthError, OAuthRefused, OAuthUnavailable
from integrations.oauth.token import TokenAnswer, TokenEndpoint, request_token
from proxy.config.secrets import SecretMissing
from proxy.connections.oauth.basis import (
    DEVICE_GRANT,
    SignInBasis,
    SignInProblem,
    SignInStart,
    client_of,
    forget_client,
    token_record,
)
from proxy.connections.oauth.records import PendingDevice, PendingSignIn
from proxy.connections.oauth.storage import PENDING_SECONDS, TokenHolder
from proxy.connections.oauth.tokens import ConnectionTokens
from proxy.principal import Principal
from proxy.state import Conflict, Entry
from proxy.telemetry import Logger

log = Logger("connections")
# RFC 8628 section 3.5: so much longer after each `slow_down`.
_SLOWER_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 2 * PENDING_SECONDS


@dataclass(frozen=True, slots=True)
class BegunDevice:
    """`url` is where a person enters `user_code`; `complete_url` holds it already. `interval` is in seconds,
    `expires_at` in seconds since 1970."""

    url: str
    complete_url: str | None
    user_code: str
    state: str
    interval: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class DeviceStanding:
    """`connected`, or to be asked again in `interval` seconds; `why` when something is in the way meanwhile."""

    connection: str
    connected: bool
    interval: float = 0.0
    why: str | None = None


class DeviceSignIns:
    """Every method may raise `SignInProblem`, `StateError`."""

    def __init__(self, basis: SignInBasis) -> None:
        self._basis = basis
        self._store = basis.store

    async def begin(self, prefix: str, principal: Principal, *, operator: bool) -> BegunDevice:
        """What a person is shown."""
        access = self._basis.access(prefix, principal, operator)
        start = await self._basis.start(access, principal, None, _check_endpoint)
        parts, server, endpoint = start.tokens.parts, start.server, start.server.device_endpoint
        assert endpoint is not None, "checked"
        pending = start.pending(principal, DEVICE_GRANT)
        try:
            code = await request_device_code(
                parts.http, TokenEndpoint(endpoint, server.issuer or None), start.client, _fields(start)
            )
        except OAuthRefused as error:
            await forget_client(self._store, pending, error)
            raise SignInProblem(502, "sign_in_failed", f"the authorization server refused: {error}") from None
        except OAuthError as error:
            raise SignInProblem(502, "sign_in_failed", str(error)) from None
        now, state = parts.clock(), secrets.token_urlsafe(32)
        until = now + min(code.expires_in, _LONGEST_SECONDS)
        device = PendingDevice(asdict(pending), code.device_code.reveal(), code.interval, now + code.interval)
        await self._store.begin_device(state, device, until)
        return BegunDevice(code.url, code.complete_url, code.user_code, state, code.interval, until)

    async def ask(self, state: str, principal: Principal, *, operator: bool) -> DeviceStanding:
        """How it stands; with the person's consent the token is kept."""
        found = await self._store.device(state) if state else None
        if found is None:
            raise SignInProblem(
                400,
                "state_mismatch",
                "this sign-in is not known here, was finished already, or took too long",
            )
        device, entry = found
        begun = device.begun()
        if (begun.began_in, begun.began_by) != (principal.workspace_id, principal.account_id):
            raise SignInProblem(
                403, "forbidden", "this sign-in was begun by another account: begin one of your own"
            )
        tokens = self._basis.access(begun.prefix, principal, operator).tokens
        if tokens.plan.binding != begun.binding:
            await self._store.drop(entry)
            raise SignInProblem(400, "state_mismatch", "the config has changed since this sign-in began")
        turn = await self._turn(device, entry, tokens.parts.clock())
        if turn is None:
            return DeviceStanding(begun.prefix, False, device.interval)
        return await self._asked(tokens, device, turn)

    async def _turn(self, device: PendingDevice, entry: Entry, now: float) -> Entry | None:
        """The right to ask the server now; None when it is too early, or somebody else is asking."""
        if now < device.ask_at:
            return None
        try:
            return await self._store.keep_device(replace(device, ask_at=now + device.interval), entry)
        except Conflict:
            return None

    async def _asked(self, tokens: ConnectionTokens, device: PendingDevice, entry: Entry) -> DeviceStanding:
        begun = device.begun()
        try:
            answer = await _request(tokens, begun, device.device_code)
        except SecretMissing as missing:
            raise SignInProblem(409, "needs_secret", str(missing)) from None
        except OAuthRefused as error:
            return await self._refused(tokens, device, entry, error)
        except OAuthUnavailable as error:
            return await self._slower(tokens, device, entry, str(error))
        except OAuthError as error:
            await self._store.drop(entry)
            raise SignInProblem(400, "sign_in_failed", str(error)) from None
        record = token_record(begun, answer, tokens.parts.clock())
        await tokens.keep(TokenHolder(begun.workspace, begun.account), record)
        await self._store.drop(entry)
        log.info("signed_in", connection=begun.prefix, workspace=begun.began_in, account=begun.began_by)
        return DeviceStanding(begun.prefix, True)

    async def _refused(
        self, tokens: ConnectionTokens, device: PendingDevice, entry: Entry, error: OAuthRefused
    ) -> DeviceStanding:
        if error.code == "authorization_pending":
            return DeviceStanding(device.begun().prefix, False, device.interval)
        if error.code == "slow_down":
            return await self._slower(tokens, device, entry, None)
        await self._store.drop(entry)
        await forget_client(self._store, device.begun(), error)
        raise SignInProblem(400, "sign_in_failed", f"the authorization server refused: {error}")

    async def _slower(
        self, tokens: ConnectionTokens, device: PendingDevice, entry: Entry, why: str | None
    ) -> DeviceStanding:
        interval = device.interval + _SLOWER_SECONDS
        slower = replace(device, interval=interval, ask_at=tokens.parts.clock() + interval)
        try:
            await self._store.keep_device(slower, entry)
        except Conflict:
            log.warning("device_sign_in_changed_meanwhile", connection=device.begun().prefix)
        return DeviceStanding(device.begun().prefix, False, interval, why)


def _check_endpoint(server: AuthorizationServer) -> None:
    if server.device_endpoint is None:
        raise SignInProblem(
            409,
            "device_flow_not_supported",
            "the authorization server names no place where sign-ins on another device begin (RFC 8628): sign in with "
            "a browser, or set `device_authorization_url` beside `token_url`",
        )


def _fields(start: SignInStart) -> list[tuple[str, str]]:
    plan = start.tokens.plan
    fields = [("scope", " ".join(start.scopes))] if start.scopes else []
    fields += [("audience", plan.audience)] if plan.audience else []
    fields += [("resource", start.resource)] if start.resource else []
    return fields


async def _request(tokens: ConnectionTokens, begun: PendingSignIn, device_code: str) -> TokenAnswer:
    fields = [("grant_type", DEVICE_GRANT), ("device_code", device_code)]
    fields += [("resource", begun.resource)] if begun.resource else []
    endpoint = TokenEndpoint(begun.token_endpoint, begun.issuer)
    return await request_token(tokens.parts.http, endpoint, client_of(tokens, begun), fields)
