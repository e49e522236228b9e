"""What every way of signing in starts from: the connection, whose token it becomes, and as which client.

Rules
- Everybody signs in for themselves to connections of the owner `user`; to shared ones only operators do.
- The client is the configured one; else a document that describes us, where the server takes those; else the one that
  was registered before; else it is registered now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from integrations.base import JsonObject
from integrations.http import origin_of
from integrations.oauth.authorization import CALLBACK_PATH
from integrations.oauth.client import OAuthClient
from integrations.oauth.discovery import AuthorizationServer
from integrations.oauth.errors import OAuthError, OAuthRefused
from integrations.oauth.registration import client_metadata, device_client_metadata, register
from integrations.oauth.token import TokenAnswer
from proxy.config.secrets import SecretMissing
from proxy.connections.oauth.access import OAuthAccess
from proxy.connections.oauth.records import ClientRecord, PendingSignIn, TokenRecord
from proxy.connections.oauth.servers import FoundServer
from proxy.connections.oauth.storage import TokenHolder, TokenStore
from proxy.connections.oauth.tokens import ConnectionTokens
from proxy.principal import Principal

DOCUMENT_PATH: Final = "/oauth/client.json"
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628. Clients that were registered for it are kept under it, as others are under where they are sent back to."""
_OFFLINE: Final = "offline_access"


class SignInProblem(Exception):
    """Why nobody was signed in. `code` is for programs, the text for people; `status` is one of HTTP's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class SignInStart:
    """Everything that is known before a person is asked. `configured`: the client is that of the config."""

    tokens: ConnectionTokens
    holder: TokenHolder
    server: AuthorizationServer
    client: OAuthClient
    configured: bool
    scopes: tuple[str, ...]
    resource: str | None

    def pending(self, principal: Principal, redirect_uri: str, verifier: str = "") -> PendingSignIn:
        """What is kept until the person has decided."""
        return PendingSignIn(
            prefix=self.tokens.plan.prefix,
            workspace=self.holder.workspace,
            account=self.holder.account,
            began_in=principal.workspace_id,
            began_by=principal.account_id,
            binding=self.tokens.plan.binding,
            verifier=verifier,
            redirect_uri=redirect_uri,
            token_endpoint=self.server.token_endpoint,
            client=asdict(ClientRecord.of(self.client, configured=self.configured)),
            scope=" ".join(self.scopes),
            issuer=self.server.issuer or None,
            names_itself=self.server.names_itself,
            revocation_endpoint=self.server.revocation_endpoint,
            client_auths=self.server.client_auths,
            resource=self.resource,
        )


class SignInBasis:
    """`find` gives the connection of a workspace by its prefix; `base_url` is where people reach this server."""

    def __init__(
        self,
        find: Callable[[str, str], OAuthAccess | None],
        store: TokenStore,
        base_url: Callable[[], str | None],
    ) -> None:
        self._find = find
        self.store = store
        self.base_url = base_url

    def access(self, prefix: str, principal: Principal, operator: bool) -> OAuthAccess:
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
    def holder_of(access: OAuthAccess, principal: Principal) -> TokenHolder:
        holder = access.holder(principal)
        assert holder is not None, "anonymous callers were refused"
        return holder

    async def start(
        self,
        access: OAuthAccess,
        principal: Principal,
        redirect: str | None,
        check: Callable[[AuthorizationServer], None],
    ) -> SignInStart:
        """`redirect` None: no browser comes back (RFC 8628). `check` raises for a server that cannot be used, before a
        client is registered there. Raises `SignInProblem`, `StateError`."""
        tokens, holder = access.tokens, self.holder_of(access, principal)
        try:
            found = await tokens.servers.find(tokens.challenge)
            check(found.server)
            client, configured = await self._client(tokens, found.server, redirect)
        except SecretMissing as missing:
            raise SignInProblem(409, "needs_secret", str(missing)) from None
        except OAuthError as error:
            raise SignInProblem(502, "sign_in_failed", str(error)) from None
        scopes = tuple(await self._scopes(tokens, holder, found))
        return SignInStart(tokens, holder, found.server, client, configured, scopes, _resource(tokens, found))

    async def _client(
        self, tokens: ConnectionTokens, server: AuthorizationServer, redirect: str | None
    ) -> tuple[OAuthClient, bool]:
        """The client, and whether it is the configured one. Raises `OAuthError`, `SecretMissing`, `SignInProblem`."""
        plan = tokens.plan
        if plan.client is not None:
            return plan.client.resolved(tokens.parts.resolver, server.client_auths), True
        document = self.document_url()
        if redirect and plan.registration not in ("dynamic", "off") and server.takes_documents and document:
            return OAuthClient(document), False
        kept_under = redirect or DEVICE_GRANT
        known = await self.store.client(server.issuer, kept_under)
        if known is not None:
            return known.client(), False
        if server.registration_endpoint is None or plan.registration in ("off", "metadata_document"):
            raise SignInProblem(409, "needs_client_registration", needs_client(server.issuer))
        try:
            client = await register(tokens.parts.http, server, _asked_for(redirect))
        except OAuthRefused as error:
            message = f"the authorization server did not register this client ({error}); {needs_client(server.issuer)}"
            raise SignInProblem(409, "needs_client_registration", message) from None
        await self.store.keep_client(server.issuer, kept_under, ClientRecord.of(client, configured=False))
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

    def document_url(self) -> str | None:
        """Where our client id metadata document is, if authorization servers can fetch it: over https."""
        base = self.base_url()
        if base is None or not base.lower().startswith("https://"):
            return None
        return f"{base.rstrip('/')}{DOCUMENT_PATH}"

    def document(self) -> dict[str, object] | None:
        """The document itself (draft-ietf-oauth-client-id-metadata-document)."""
        url, base = self.document_url(), self.base_url()
        if url is None or base is None:
            return None
        own = f"{base.rstrip('/')}{CALLBACK_PATH}"
        local = [f"http://{host}{CALLBACK_PATH}" for host in ("127.0.0.1", "localhost")]
        return {
            "client_id": url,
            "client_uri": base,
            **client_metadata([own, *local]),
        }


def _asked_for(redirect: str | None) -> JsonObject:
    """What a client is registered with."""
    return client_metadata([redirect]) if redirect else device_client_metadata(DEVICE_GRANT)


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


def client_of(tokens: ConnectionTokens, pending: PendingSignIn) -> OAuthClient:
    """The client that a sign-in began with. Raises `SecretMissing`."""
    kept = ClientRecord(**pending.client)
    if kept.configured and tokens.plan.client is not None:
        return tokens.plan.client.resolved(tokens.parts.resolver, pending.client_auths)
    return kept.client()


async def forget_client(store: TokenStore, pending: PendingSignIn, error: OAuthRefused) -> None:
    """A server that has forgotten a registered client gets a new one next time."""
    if error.code in ("invalid_client", "unauthorized_client") and not pending.client.get("configured"):
        await store.forget_client(pending.issuer or "", pending.redirect_uri)


def token_record(pending: PendingSignIn, answer: TokenAnswer, now: float) -> TokenRecord:
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
