"""Callers with tokens of an authorization server: from a token to a `Principal` in one workspace.

Rules:
- A token is for this server only if its audience is: one that the config names, or the resource that was called. That
  of one workspace is no good in another.
- Which workspaces a user may enter is the token's word (`claims.workspace`). Without that claim it is the only one.
- An issuer is asked about what may be a token of its own: never about a key of ours, which nobody else may see.
- A token that was good is remembered by its digest until it ends, at most `REMEMBERED_SECONDS`, and no longer than the
  keys and the config stay as they are.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from integrations.http import HttpClient
from proxy.auth.create import KEY_PREFIX
from proxy.auth.errors import AuthError, bad_request, credential_invalid, not_admitted, unavailable
from proxy.auth.introspection import IntrospectionUnavailable, Introspector
from proxy.auth.issuer import IssuerSource, TrustedIssuer, VerifiedToken, rules_of_issuer, scopes_of
from proxy.auth.jwt import BadToken, listed_audiences, looks_like_jwt, may_be_opaque, read_jwt
from proxy.auth.key_set import KeySet, KeysUnavailable
from proxy.auth.request import WORKSPACE_PARAMETER, AuthRequest
from proxy.auth.resource import ProtectedResource
from proxy.config.callers import OauthIssuer
from proxy.config.secrets import Resolver
from proxy.principal import Principal
from proxy.tasks import TaskSupervisor

MOST_REMEMBERED: Final = 4096
_MOST_PLACES: Final = 16


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A good token, the version of the keys that verified it, and whom it made in which place."""

    token: VerifiedToken
    issuer: TrustedIssuer
    version: int
    principals: dict[tuple[str, str | None], Principal] = field(default_factory=dict)


class OauthCallers:
    """The issuers of one config. Immutable but for what it remembers: a reload makes a new one.

    `workspaces` are those of the config; with `one_for_all` there is no such section, so everybody is in its one.
    """

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        resource: ProtectedResource,
        workspaces: Sequence[str],
        tasks: TaskSupervisor,
        *,
        one_for_all: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.resource = resource
        self._issuers = tuple(issuers)
        self._by_name = {spelling: one for one in issuers for spelling in one.rules.spellings}
        self._workspaces = tuple(workspaces)
        self._one_for_all = one_for_all
        self._tasks = tasks
        self._clock = clock
        self._known: dict[bytes, _Remembered] = {}
        self._asking: dict[bytes, asyncio.Future[_Remembered]] = {}

    async def principal(self, text: str, request: AuthRequest, wanted: str | None) -> Principal:
        """Who calls. Raises `AuthError`."""
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        known = self._remembered(digest)
        if known is None:
            known = await self._learned(text, digest)
        place = (request.resource_path, wanted)
        found = known.principals.get(place)
        if found is None:
            found = self._admitted(known.token, request.resource_path, wanted)
            if len(known.principals) < _MOST_PLACES:
                known.principals[place] = found
        return found

    def challenge(self, request: AuthRequest, error: AuthError) -> str:
        """What a 401 says: where to sign in for this resource. `error` only where a token was given."""
        named = [value for value in request.query.get(WORKSPACE_PARAMETER, ()) if value]
        given = error.www_authenticate is not None and "error=" in error.www_authenticate
        return self.resource.challenge(
            request.resource_path,
            named[0] if named else None,
            "invalid_token" if given else "",
            error.message,
        )

    def still_admits(self, principal: Principal) -> bool:
        """Whether this config would let the account in, as far as that can be told without a token."""
        issuer = principal.account_id.removeprefix("user:").partition("#")[0]
        return issuer in self._by_name and principal.workspace_id in self._workspaces

    def _remembered(self, digest: bytes) -> _Remembered | None:
        found = self._known.get(digest)
        if found is None:
            return None
        if found.token.until > self._clock() and found.version == found.issuer.keys.version:
            return found
        del self._known[digest]
        return None

    async def _learned(self, text: str, digest: bytes) -> _Remembered:
        """Verify, and remember. Raises `AuthError`."""
        try:
            if looks_like_jwt(text):
                found = await self._verified(text)
            elif text.startswith(KEY_PREFIX) or not may_be_opaque(text):
                raise BadToken("This key or token is not known here")
            else:
                found = await self._introspected(text, digest)
        except BadToken as error:
            raise credential_invalid(error.message, guessed=not error.genuine) from None
        except (KeysUnavailable, IntrospectionUnavailable):
            raise unavailable(
                "The authorization server that could say whether this token is good does not answer."
            ) from None
        while len(self._known) >= MOST_REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[digest] = found
        return found

    async def _verified(self, text: str) -> _Remembered:
        token = read_jwt(text)
        named = token.claims.get("iss")
        issuer = self._by_name.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise BadToken("This token is of another issuer")
        verified = await issuer.verify(token)
        return _Remembered(verified, issuer, issuer.keys.version)

    async def _introspected(self, text: str, digest: bytes) -> _Remembered:
        """Asked once for all who present it at the same time."""
        running = self._asking.get(digest)
        if running is None:
            running = self._asking[digest] = self._tasks.ask(
                "issuer", lambda: self._ask(text), answers=(BadToken, IntrospectionUnavailable)
            )
            running.add_done_callback(lambda _: self._asking.pop(digest, None))
        try:
            return await asyncio.shield(running)
        except OSError as error:  # the supervisor of tasks has said and counted it
            raise IntrospectionUnavailable(str(error)) from None

    async def _ask(self, text: str) -> _Remembered:
        down: IntrospectionUnavailable | None = None
        bad = BadToken("This key or token is not known here")
        for issuer in self._issuers:
            if issuer.introspector is None:
                continue
            try:
                return _Remembered(await issuer.introspected(text), issuer, issuer.keys.version)
            except BadToken as error:
                bad = error
            except IntrospectionUnavailable as error:
                down = error
        raise down or bad

    def _admitted(self, token: VerifiedToken, path: str, wanted: str | None) -> Principal:
        """Raises `AuthError`: 401 for another audience, 403 for another workspace or missing scopes."""
        own = self._own_workspaces(token)
        workspace = self._workspace(token, path, wanted, own)
        if workspace not in own:
            raise not_admitted(
                f"No access to a workspace of this name.{self._why_none(token)}", token.account
            )
        scopes = scopes_of(token.claims)
        if not token.rules.scopes <= scopes:
            message = "This token lacks scopes that every call needs"
            challenge = self.resource.challenge(path, wanted, "insufficient_scope", message)
            raise AuthError(403, -32001, f"{message}.", challenge, account=token.account)
        return Principal(workspace, token.account, "user", token.rules.groups(token.claims), scopes)

    def _own_workspaces(self, token: VerifiedToken) -> tuple[str, ...]:
        if self._one_for_all:
            return self._workspaces
        claimed = token.rules.workspaces(token.claims)
        if claimed is None:
            return self._workspaces if len(self._workspaces) == 1 else ()
        return tuple(one for one in self._workspaces if one in claimed)

    def _workspace(self, token: VerifiedToken, path: str, wanted: str | None, own: Sequence[str]) -> str:
        """The workspace that request and audience name; without either, the user's only one."""
        if wanted is not None:
            self._check_audience(token, path, wanted)
            return wanted
        if len(own) == 1:
            self._check_audience(token, path, own[0])
            return own[0]
        meant = [one for one in own if self._is_for(token, path, one)]
        if len(meant) == 1:
            return meant[0]
        if not meant:
            self._check_audience(token, path, "")
            raise not_admitted(f"No access to any workspace.{self._why_none(token)}", token.account)
        raise bad_request(
            f"Missing `{WORKSPACE_PARAMETER}` query parameter: you may enter several workspaces "
            f"({', '.join(own)}), so call /mcp?{WORKSPACE_PARAMETER}=<id> or /<id>/mcp."
        )

    def _check_audience(self, token: VerifiedToken, path: str, workspace: str) -> None:
        if not self._is_for(token, path, workspace):
            raise credential_invalid("This token is for another resource", guessed=False)

    def _is_for(self, token: VerifiedToken, path: str, workspace: str) -> bool:
        claims: Mapping[str, Any] = token.claims
        if token.rules.allow_missing_audience and not claims.get("aud"):
            return True
        accepted = token.rules.audiences | self.resource.audiences(path, workspace)
        return not accepted.isdisjoint(listed_audiences(claims))

    def _why_none(self, token: VerifiedToken) -> str:
        if token.rules.workspaces(token.claims) is not None:
            return ""
        return f" The token has no `{token.rules.claims.workspace}` claim, which names workspaces."


@dataclass(frozen=True, slots=True)
class _Kept:
    source: IssuerSource
    keys: KeySet


class IssuerPool:
    """What is known of issuers, for as long as the process lives: a reload that leaves an issuer as it was keeps its
    keys."""

    def __init__(self, http: HttpClient, tasks: TaskSupervisor) -> None:
        self._http = http
        self.tasks = tasks
        self._kept: dict[tuple[object, ...], _Kept] = {}

    def source(self, entry: OauthIssuer, issuer: str) -> IssuerSource:
        return self._keep(entry, issuer).source

    def trusted(self, entry: OauthIssuer, issuer: str, resolver: Resolver) -> TrustedIssuer:
        """Raises `SecretMissing`."""
        kept = self._keep(entry, issuer)
        return TrustedIssuer(
            rules_of_issuer(entry, issuer), kept.keys, self._introspector(entry, kept.source, resolver)
        )

    def _keep(self, entry: OauthIssuer, issuer: str) -> _Kept:
        url = entry.introspection.url if entry.introspection is not None else None
        key = (issuer, entry.jwks_uri, url, entry.egress.allow)
        kept = self._kept.get(key)
        if kept is None:
            source = IssuerSource(self._http, entry, issuer)
            kept = self._kept[key] = _Kept(source, KeySet(issuer, source.keys, self.tasks))
        return kept

    def _introspector(
        self, entry: OauthIssuer, source: IssuerSource, resolver: Resolver
    ) -> Introspector | None:
        asked = entry.introspection
        if asked is None:
            return None
        resolver.resolve(asked.client_secret)

        async def url() -> str:
            return asked.url or await source.endpoint("introspection_endpoint")

        return Introspector(source.http, url, asked.client_id, lambda: resolver.resolve(asked.client_secret))
