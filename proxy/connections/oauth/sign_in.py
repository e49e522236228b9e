"""Signing in to a connection: from the request that a browser is sent with to the token that is kept.

Rules
- A sign-in belongs to the account that began it, in its workspace. Whoever brings the callback must be that account: a
  link that somebody else opened binds nothing (T31).
- `state` is random, stored as a digest, used once, good for ten minutes, on any replica.
- The redirect leads to this server, or to a loopback address of the machine where the command line waits.
- Everybody signs in for themselves to connections of the owner `user`; to shared ones only operators do.
- The client is the configured one; else a document that describes us, where the server takes those; else the one that
  was registered before; else it is registered now.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import urlsplit

from integrations.base import JsonObject
from integrations.http import origin_of
from integrations.oauth.authorization import CALLBACK_PATH, AuthorizationRequest, check_callback, new_verifier
from integrations.oauth.client import OAuthClient
from integrations.oauth.discovery import AuthorizationServer
from integrations.oauth.errors import OAuthError, OAuthRefused, OtherIssuer
from integrations.oauth.registration import client_metadata, register
from integrations.oauth.token import TokenAnswer, TokenEndpoint, request_token
from proxy.config.secrets import SecretMissing
from proxy.connections.connection import OpenConnection
from proxy.connections.oauth.access import OAuthAccess
from proxy.connections.oauth.records import ClientRecord, PendingSignIn, TokenRecord
from proxy.connections.oauth.servers import FoundServer
from proxy.connections.oauth.storage import PENDING_SECONDS, TokenHolder, TokenStore
from proxy.connections.oauth.tokens import ConnectionTokens
from proxy.principal import Principal
from proxy.telemetry import Logger

log = Logger("connections")
DOCUMENT_PATH: Final = "/oauth/client.json"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_OFFLINE: Final = "offline_access"


class SignInProblem(Exception):
    """Why nobody was signed in. `code` is for programs, the text for people; `status` is one of HTTP's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


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
    """`find` gives the connection of a workspace by its prefix; `base_url` is where people reach this server."""

    def __init__(
        self,
        find: Callable[[str, str], OAuthAccess | None],
        store: TokenStore,
        base_url: Callable[[], str | None],
    ) -> None:
        self._find = find
        self._store = store
        self._base_url = base_url

    # ---- begin --------------------------------------------------------------------------------------------------
    async def begin(
        self, prefix: str, principal: Principal, *, operator: bool, redirect_uri: str | None = None
    ) -> BegunSignIn:
        """Where the browser goes. Raises `SignInProblem`, `StateError`."""
        access = self._access(prefix, principal, operator)
        redirect = self._redirect(redirect_uri)
        tokens, holder = access.tokens, self._holder(access, principal)
        try:
            found = await tokens.servers.find(tokens.challenge)
            if found.server.authorization_endpoint is None:
                raise SignInProblem(
                    502, "sign_in_failed", "the authorization server has no page where people sign in"
                )
            client, configured = await self._client(tokens, found.server, redirect)
        except SecretMissing as missing:
            raise SignInProblem(409, "needs_secret", str(missing)) from None
        except OAuthError as error:
            raise SignInProblem(502, "sign_in_failed", str(error)) from None
        scopes = await self._scopes(tokens, holder, found)
        request = AuthorizationRequest(
            found.server.authorization_endpoint,
            client.client_id,
            redirect,
            secrets.token_urlsafe(32),
            new_verifier(),
            scopes,
            _resource(tokens, found),
            {**tokens.plan.params, **({"audience": tokens.plan.audience} if tokens.plan.audience else {})},
        )
        until = tokens.parts.clock() + PENDING_SECONDS
        pending = _pending(tokens, holder, principal, request, found.server, client, configured)
        await self._store.begin(request.state, pending, until)
        return BegunSignIn(request.url, request.state, redirect, until)

    def _redirect(self, asked: str | None) -> str:
        """Raises `SignInProblem` for anything but our own callback, or one on a loopback address."""
        base = self._base_url()
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

    async def _client(
        self, tokens: ConnectionTokens, server: AuthorizationServer, redirect: str
    ) -> tuple[OAuthClient, bool]:
        """The client, and whether it is the configured one. Raises `OAuthError`, `SecretMissing`, `SignInProblem`."""
        plan = tokens.plan
        if plan.client is not None:
            return plan.client.resolved(tokens.parts.resolver, server.client_auths), True
        document = self.document_url()
        if plan.registration not in ("dynamic", "off") and server.takes_documents and document:
            return OAuthClient(document), False
        known = await self._store.client(server.issuer, redirect)
        if known is not None:
            return known.client(), False
        if server.registration_endpoint is None or plan.registration in ("off", "metadata_document"):
            raise SignInProblem(409, "needs_client_registration", needs_client(server.issuer))
        try:
            client = await register(tokens.parts.http, server, redirect)
        except OAuthRefused as error:
            message = f"the authorization server did not register this client ({error}); {needs_client(server.issuer)}"
            raise SignInProblem(409, "needs_client_registration", message) from None
        await self._store.keep_client(server.issuer, redirect, ClientRecord.of(client, configured=False))
        return client, False

    async def _scopes(self, tokens: ConnectionTokens, holder: TokenHolder, found: FoundServer) -> list[str]:
        """The configured ones; else those of the challenge, else those that the upstream publishes. To those that an
        upstream found missing the ones that were granted before are added, so that nothing is lost."""
        plan, named = tokens.plan, found.challenge.parameters.get("scope", "").split()
        wanted = (
            list(plan.scopes) or named or list(found.resource.scopes if found.resource is not None else ())
        )
        missing = tokens.missing_scopes(holder)
        if missing:
            stored = await tokens.parts.store.read(plan.prefix, holder)
            before = stored.record.scope.split() if stored is not None else []
            wanted = [*wanted, *before, *missing]
        if wanted and found.server.scopes is not None and _OFFLINE in found.server.scopes:
            wanted.append(_OFFLINE)
        return list(dict.fromkeys(wanted))

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
        access = self._access(pending.prefix, principal, operator)
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
            await self._forget_client(pending, error)
            raise SignInProblem(400, "sign_in_failed", f"the authorization server refused: {error}") from None
        except OAuthError as error:
            word = "state_mismatch" if isinstance(error, OtherIssuer) else "sign_in_failed"
            raise SignInProblem(400, word, str(error)) from None
        holder = TokenHolder(pending.workspace, pending.account)
        await access.tokens.keep(holder, _record(pending, answer, access.tokens.parts.clock()))
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
        kept = ClientRecord(**pending.client)
        client = kept.client()
        if kept.configured and tokens.plan.client is not None:
            client = tokens.plan.client.resolved(tokens.parts.resolver, pending.client_auths)
        fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", pending.redirect_uri),
            ("code_verifier", pending.verifier),
            *([("resource", pending.resource)] if pending.resource else []),
        ]
        endpoint = TokenEndpoint(pending.token_endpoint, pending.issuer)
        return await request_token(tokens.parts.http, endpoint, client, fields)

    async def _forget_client(self, pending: PendingSignIn, error: OAuthRefused) -> None:
        """A server that has forgotten a registered client gets a new one next time."""
        if error.code in ("invalid_client", "unauthorized_client") and not pending.client.get("configured"):
            await self._store.forget_client(pending.issuer or "", pending.redirect_uri)

    # ---- end ----------------------------------------------------------------------------------------------------
    async def sign_out(self, prefix: str, principal: Principal, *, operator: bool) -> bool:
        """Forget the token, and have the server forget it where it can (RFC 7009); whether there was one. Raises
        `SignInProblem`, `StateError`."""
        access = self._access(prefix, principal, operator)
        tokens = access.tokens
        record = await tokens.forget(self._holder(access, principal))
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

    # ---- parts --------------------------------------------------------------------------------------------------
    def _access(self, prefix: str, principal: Principal, operator: bool) -> OAuthAccess:
        access = self._find(principal.workspace_id, prefix)
        if access is None or not access.asks:
            raise SignInProblem(
                404, "not_found", f"there is no connection `{prefix[:200]}` that people sign in to"
            )
        if access.per_user:
            if principal.kind == "anonymous":
                raise SignInProblem(403, "forbidden", "callers without an account cannot sign in")
        elif not operator:
            raise SignInProblem(
                403,
                "forbidden",
                f"`{prefix}` is shared by everybody: only operators (the admin role) sign in to it",
            )
        return access

    @staticmethod
    def _holder(access: OAuthAccess, principal: Principal) -> TokenHolder:
        holder = access.holder(principal)
        assert holder is not None, "anonymous callers were refused"
        return holder

    def document_url(self) -> str | None:
        """Where our client id metadata document is, if authorization servers can fetch it: over https."""
        base = self._base_url()
        if base is None or not base.lower().startswith("https://"):
            return None
        return f"{base.rstrip('/')}{DOCUMENT_PATH}"

    def document(self) -> dict[str, object] | None:
        """The document itself (draft-ietf-oauth-client-id-metadata-document)."""
        url, base = self.document_url(), self._base_url()
        if url is None or base is None:
            return None
        own = f"{base.rstrip('/')}{CALLBACK_PATH}"
        local = [f"http://{host}{CALLBACK_PATH}" for host in ("127.0.0.1", "localhost")]
        return {
            "client_id": url,
            "client_uri": base,
            **client_metadata([own, *local]),
        }


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


def needs_client(issuer: str) -> str:
    return (
        f"the authorization server {origin_of(issuer) or issuer} does not register clients by itself: register one "
        "there and set `client_id`"
    )


def _resource(tokens: ConnectionTokens, found: FoundServer) -> str | None:
    """The resource indicator (RFC 8707): what the upstream publishes, exactly as it does, else its URL."""
    wanted = tokens.plan.resource
    if isinstance(wanted, str):
        return wanted
    if not wanted:
        return None
    return found.resource.resource if found.resource is not None else tokens.plan.server_url


def _pending(
    tokens: ConnectionTokens,
    holder: TokenHolder,
    principal: Principal,
    request: AuthorizationRequest,
    server: AuthorizationServer,
    client: OAuthClient,
    configured: bool,
) -> PendingSignIn:
    return PendingSignIn(
        prefix=tokens.plan.prefix,
        workspace=holder.workspace,
        account=holder.account,
        began_in=principal.workspace_id,
        began_by=principal.account_id,
        binding=tokens.plan.binding,
        verifier=request.verifier,
        redirect_uri=request.redirect_uri,
        token_endpoint=server.token_endpoint,
        client=asdict(ClientRecord.of(client, configured=configured)),
        scope=" ".join(request.scopes),
        issuer=server.issuer or None,
        names_itself=server.names_itself,
        revocation_endpoint=server.revocation_endpoint,
        client_auths=server.client_auths,
        resource=request.resource,
    )


def _record(pending: PendingSignIn, answer: TokenAnswer, now: float) -> TokenRecord:
    return TokenRecord(
        access_token=answer.access_token.reveal(),
        refresh_token=answer.refresh_token.reveal() if answer.refresh_token is not None else None,
        obtained_at=now,
        expires_at=now + answer.expires_in if answer.expires_in is not None else None,
        scope=answer.scope if answer.scope is not None else pending.scope,
        token_endpoint=pending.token_endpoint,
        client=pending.client,
        binding=pending.binding,
        issuer=pending.issuer,
        revocation_endpoint=pending.revocation_endpoint,
        client_auths=pending.client_auths,
        resource=pending.resource,
        redirect_uri=pending.redirect_uri,
    )
