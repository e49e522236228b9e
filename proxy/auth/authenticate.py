"""Who calls: from a request to a `Principal`, or an `AuthError`.

Rules:
- A credential that is given must be good, also where none is needed: nobody is let in as less than they
  claim.
- A key works in its own workspace only. The local tokens and anonymous callers may choose among all.
- Without a choice it is the only workspace, or the one called `default`; else the caller has to name one.
- Keys and tokens are taken from headers, never from the URL, and never appear in a message.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from integrations.base import Secret
from proxy.auth.errors import (
    AuthError,
    bad_request,
    credential_invalid,
    credential_missing,
    not_admitted,
    unavailable,
)
from proxy.auth.jwt import BadToken
from proxy.auth.keys import Expired, KeyRecord, Keyring, hash_key
from proxy.auth.local import APPROVER_ACCOUNT, LOCAL_ACCOUNT
from proxy.auth.oauth import OauthCallers
from proxy.auth.request import WORKSPACE_PARAMETER, AuthRequest, credential, wanted_workspace
from proxy.auth.signed_keys import SignedCredential, SignedKeys
from proxy.principal import DEFAULT_WORKSPACE, Principal

AuthMode = Literal["local", "keys"]
_NO_SIGNING = "API keys are not configured on this server: neither signing nor keys by hash."


class Authenticator:
    """The callers of one config. Immutable: a reload makes a new one, and a key that left the files is gone.

    `mode` is `local` without an `auth` section (only `local_token` and `approver_token` are good), and `keys`
    with one.
    """

    def __init__(
        self,
        mode: AuthMode,
        keyring: Keyring,
        local_token: Secret | None,
        workspaces: Sequence[str],
        anonymous: bool = False,
        approver_token: Secret | None = None,
        oauth: OauthCallers | None = None,
        signed: SignedKeys | None = None,
    ) -> None:
        if mode == "local" and local_token is None:
            raise ValueError("local mode needs a token")
        self._mode = mode
        self._keyring = keyring
        minted = ((LOCAL_ACCOUNT, local_token), (APPROVER_ACCOUNT, approver_token)) if mode == "local" else ()
        self._local = tuple((hash_key(token.reveal()), who) for who, token in minted if token is not None)
        self._workspaces = tuple(workspaces)
        self._anonymous = anonymous
        self._oauth = oauth
        self._signed = signed

    async def authenticate(self, request: AuthRequest) -> Principal:
        """The caller of this request. Raises `AuthError`."""
        try:
            return await self._caller(request)
        except AuthError as error:
            if error.status == 401 and self._oauth is not None and not request.anonymous_path:
                error.www_authenticate = self._oauth.challenge(request, error)
            raise

    async def _caller(self, request: AuthRequest) -> Principal:
        wanted = wanted_workspace(request)
        if request.anonymous_path and not (len(self._keyring) or self._signed or self._anonymous):
            raise unavailable(_NO_SIGNING, None)
        presented = credential(request)
        if presented is None:
            return self._without_credential(wanted, request)
        account = self._local_account(presented)
        if account is not None:
            return Principal(self._chosen(wanted, known=True), account, "local")
        record = self._keyring.match(presented)
        if record is not None:
            return self._by_key(record, wanted)
        signed = self._signed_by_us(presented)
        if signed is not None:
            return self._by_signed_key(signed, request, wanted)
        if self._oauth is None:
            raise credential_invalid("This key or token is not known here")
        if request.anonymous_path:
            raise await self._no_key(self._oauth, presented, request, wanted)
        return await self._oauth.principal(presented, request, wanted)

    async def _no_key(
        self, oauth: OauthCallers, presented: str, request: AuthRequest, wanted: str | None
    ) -> AuthError:
        """Why a token is not let in where keys are: it is no good, or its account signs in."""
        try:
            principal = await oauth.principal(presented, request, wanted)
        except AuthError as error:
            return error
        message = "Key authentication is not enabled for this account: it signs in, so call /mcp."
        return not_admitted(message, principal.account_id)

    def refresh(self, principal: Principal) -> Principal | None:
        """The same caller with the groups of this config; None when it is not admitted any more.

        Local callers are those who run this server, also where it serves stdio beside keys: they stay as they
        are.
        """
        if principal.kind == "anonymous":
            admitted = self._still_signed(principal) if "jti" in principal.claims else self._anonymous
            return principal if admitted else None
        if principal.kind == "user":
            admitted = self._oauth is not None and self._oauth.still_admits(principal)
            return principal if admitted else None
        if principal.kind != "key":
            return principal
        if "jti" in principal.claims:
            return principal if self._still_signed(principal) else None
        record = self._keyring.named(principal.account_id.removeprefix("key:"))
        if record is None:
            return None
        try:
            workspace = self._of_key(record, None)
        except AuthError:
            return None
        return replace(principal, groups=record.groups) if workspace == principal.workspace_id else None

    def _local_account(self, presented: str) -> str | None:
        digest, found = hash_key(presented), None
        for known, account in self._local:
            if hmac.compare_digest(known, digest):
                found = account
        return found

    def _without_credential(self, wanted: str | None, request: AuthRequest) -> Principal:
        if not self._anonymous:
            raise credential_missing(
                "Send the bearer token that `executor serve` printed: `Authorization: Bearer <token>`."
                if self._mode == "local"
                else "Sign in, or send a key: `Authorization: Bearer <token or key>`."
                if self._oauth is not None and not request.anonymous_path
                else "Send a key: `Authorization: Bearer <key>` or `x-api-key: <key>`."
            )
        return Principal(self._chosen(wanted, known=False), "anonymous", "anonymous")

    def _by_key(self, record: KeyRecord | Expired, wanted: str | None) -> Principal:
        if isinstance(record, Expired):
            raise credential_invalid("This key has expired", guessed=False)
        return Principal(self._of_key(record, wanted), f"key:{record.name}", "key", record.groups)

    def _signed_by_us(self, presented: str) -> SignedCredential | None:
        """None for what is none of our signed keys and tokens. Raises `AuthError`."""
        try:
            return self._signed.verify(presented) if self._signed is not None else None
        except BadToken as error:
            raise credential_invalid(error.message, guessed=not error.genuine) from None

    def _by_signed_key(self, signed: SignedCredential, request: AuthRequest, wanted: str | None) -> Principal:
        if signed.kind == "anonymous" and request.anonymous_path:
            raise credential_invalid("An anonymous token is no key: call /mcp with it", guessed=False)
        own = signed.account if signed.kind == "anonymous" else f"key:{signed.account}"
        if signed.workspace not in self._workspaces or wanted not in (None, signed.workspace):
            raise not_admitted("This key belongs to another workspace.", own)
        if signed.account.startswith("user:"):
            raise not_admitted(
                "Key authentication is not enabled for this account: it signs in.", signed.account
            )
        claims = {"jti": signed.id, "exp": signed.expires}
        return Principal(signed.workspace, own, signed.kind, signed.groups, claims=claims)

    def _still_signed(self, principal: Principal) -> bool:
        """Whether the signed key that this caller came with is good, as far as the config can tell."""
        claims, signed = principal.claims, self._signed
        if signed is None or (principal.kind == "anonymous" and not signed.gives_anonymous_tokens):
            return False
        return principal.workspace_id in self._workspaces and signed.is_current(claims["jti"], claims["exp"])

    def anonymous_token(self, wanted: str | None) -> tuple[str, SignedCredential]:
        """A token for a new account that lives as long as it. Raises `AuthError`."""
        if self._signed is None or not self._signed.gives_anonymous_tokens:
            raise unavailable("Anonymous tokens are not configured on this server.", None)
        return self._signed.anonymous_token(self._chosen(wanted, known=False))

    def _of_key(self, record: KeyRecord, wanted: str | None) -> str:
        """The key's workspace. The message is the same whether or not the wanted one exists."""
        own = record.workspace
        if own is None and len(self._workspaces) == 1:
            own = self._workspaces[0]
        if own is None or own not in self._workspaces or wanted not in (None, own):
            raise not_admitted("This key belongs to another workspace.", f"key:{record.name}")
        return own

    def _chosen(self, wanted: str | None, *, known: bool) -> str:
        """The workspace for a caller who may enter all. Only a `known` caller is told their names."""
        if wanted is not None:
            if wanted in self._workspaces:
                return wanted
            raise not_admitted(f"No access to a workspace of this name.{self._names(known)}")
        if len(self._workspaces) == 1:
            return self._workspaces[0]
        if DEFAULT_WORKSPACE in self._workspaces:
            return DEFAULT_WORKSPACE
        raise bad_request(
            f"Missing `{WORKSPACE_PARAMETER}` query parameter: there are several workspaces, so call "
            f"/mcp?{WORKSPACE_PARAMETER}=<id> or /<id>/mcp.{self._names(known)}"
        )

    def _names(self, known: bool) -> str:
        return f" There are: {', '.join(self._workspaces)}." if known else ""
