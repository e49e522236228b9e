"""One authorization server whose tokens are accepted: its keys, introspection, and what its claims mean.

Rules:
- A token belongs to the issuer that it names, as it is configured; what the issuer's metadata say about other names
  changes nothing. `token_issuers` are spellings of the same issuer: accounts are named by the configured one.
- Access tokens only: what is marked as another kind of token (`typ`), or bound to a key that nobody proves to hold
  (`cnf`), is refused.
- Claims of a wrong type give nothing: no group, no scope, no workspace. Nothing of it is an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc.jwk import Key

from integrations.base import JsonObject
from integrations.http import EgressRules, HttpClient, origin_of
from integrations.oauth.discovery import same_issuer, server_metadata_urls
from integrations.oauth.errors import DiscoveryFailed
from integrations.oauth.http import OAuthHttp
from proxy.auth.introspection import Introspector
from proxy.auth.jwt import BadToken, UnverifiedToken, check_times, public_keys, text_claim
from proxy.auth.key_set import KeySet
from proxy.config.callers import Claims, OauthIssuer

METADATA_SECONDS: Final = 3600.0
REMEMBERED_SECONDS: Final = 60.0
"""How long a token that was good needs no second look. What its issuer revokes meanwhile is let in as long."""
_ACCESS_TOKEN_TYPES: Final = frozenset({"", "jwt", "at+jwt"})
# What Keycloak says in a claim of its other tokens.
_OTHER_TOKENS: Final = frozenset({"id", "refresh", "offline", "logout"})


@dataclass(frozen=True, slots=True)
class IssuerRules:
    """What the config says about one issuer. `name` is it without a slash at the end."""

    name: str
    spellings: frozenset[str]
    audiences: frozenset[str] = frozenset()
    allow_missing_audience: bool = False
    algorithms: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    claims: Claims = field(default_factory=Claims)

    def account(self, claims: Mapping[str, Any]) -> str:
        """`user:<issuer>#<subject>`: the same subject of two issuers is two accounts. Raises `BadToken`."""
        name = self.claims.user
        subject = claim_at(claims, name)
        if not isinstance(subject, str) or text_claim({name: subject}, name) is None:
            raise BadToken(f"This token has no usable {name} claim", genuine=True)
        if name == "email" and claims.get("email_verified") is False:
            raise BadToken("The address in this token is not verified", genuine=True)
        return f"user:{self.name}#{subject}"

    def groups(self, claims: Mapping[str, Any]) -> frozenset[str]:
        return frozenset(_texts(claim_at(claims, self.claims.groups)))

    def workspaces(self, claims: Mapping[str, Any]) -> frozenset[str] | None:
        """None when the token does not say."""
        found = claim_at(claims, self.claims.workspace)
        return None if found is None else frozenset(_texts(found))


def rules_of_issuer(entry: OauthIssuer, issuer: str) -> IssuerRules:
    """The rules for one of the issuers that a config entry names."""
    name = issuer.rstrip("/")
    return IssuerRules(
        name=name,
        spellings=frozenset((name, f"{name}/", *entry.token_issuers)),
        audiences=frozenset(entry.audiences),
        allow_missing_audience=entry.allow_missing_audience,
        algorithms=tuple(entry.algorithms),
        scopes=frozenset(entry.required_scopes),
        claims=entry.claims,
    )


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """`scope` (RFC 9068) or `scp` (Okta, Entra), as a text or a list."""
    return frozenset((*_words(claims.get("scope")), *_words(claims.get("scp"))))


def _words(value: Any) -> Sequence[str]:
    return value.split() if isinstance(value, str) else _texts(value)


def _texts(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return (value,) if value else ()
    return [one for one in value if isinstance(one, str) and one] if isinstance(value, list) else ()


def claim_at(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its whole name (`https://example.com/groups`), else by a path with dots (`realm_access.roles`)."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for step in name.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What is true of a token, until `until` (seconds since 1970)."""

    rules: IssuerRules
    account: str
    claims: Mapping[str, Any]
    until: float


class TrustedIssuer:
    """Verifies tokens of one issuer. `introspector` None: opaque tokens are none of its."""

    def __init__(
        self,
        rules: IssuerRules,
        keys: KeySet,
        introspector: Introspector | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rules = rules
        self.keys = keys
        self.introspector = introspector
        self._clock = clock

    async def verify(self, token: UnverifiedToken) -> VerifiedToken:
        """Raises `BadToken` or `KeysUnavailable`."""
        _check_kind(token)
        await self.keys.verify(token, self.rules.algorithms)
        if text_claim(token.claims, "sub") is None:
            raise BadToken("This token has no subject", genuine=True)
        return self._judged(token.claims, check_times(token.claims, self._clock()))

    async def introspected(self, text: str) -> VerifiedToken:
        """A token that only the issuer can read. Raises `BadToken` or `IntrospectionUnavailable`."""
        assert self.introspector is not None
        claims = await self.introspector.claims(text)
        named = claims.get("iss", self.rules.name)
        if not isinstance(named, str) or named not in self.rules.spellings:
            raise BadToken("This token is of another issuer", genuine=True)
        # `exp` is optional here (RFC 7662 section 2.2): the issuer has just said that the token is good.
        end = check_times(claims, self._clock()) if "exp" in claims else float("inf")
        return self._judged(claims, end)

    def _judged(self, claims: Mapping[str, Any], end: float) -> VerifiedToken:
        if claims.get("cnf") is not None:
            raise BadToken("This token is bound to a key, which is not supported here", genuine=True)
        account = self.rules.account(claims)
        until = min(end, self._clock() + REMEMBERED_SECONDS)
        return VerifiedToken(self.rules, account, claims, until)


def _check_kind(token: UnverifiedToken) -> None:
    claimed = token.claims.get("typ")
    other = isinstance(claimed, str) and claimed.lower() in _OTHER_TOKENS
    # Vendors put their name before it: `okta-internal-at+jwt`.
    if other or not (token.type in _ACCESS_TOKEN_TYPES or token.type.endswith("-at+jwt")):
        raise BadToken("This is not an access token")


class IssuerSource:
    """Fetches what one issuer publishes, under the egress rules of its entry. URLs of the config may be private, those
    of the metadata only where `egress` allows it. Metadata count for an hour."""

    def __init__(
        self,
        http: HttpClient,
        entry: OauthIssuer,
        issuer: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._jwks_uri = entry.jwks_uri
        named = (issuer, entry.jwks_uri, entry.introspection.url if entry.introspection else None)
        rules = EgressRules(entry.egress.allow, frozenset(origin_of(url) for url in named if url))
        self.http = OAuthHttp(http, rules)
        self._clock = clock
        self._metadata: JsonObject = {}
        self._until = -float("inf")

    async def metadata(self) -> JsonObject:
        """Raises `DiscoveryFailed`."""
        if self._clock() >= self._until:
            self._metadata = await self._found()
            self._until = self._clock() + METADATA_SECONDS
        return self._metadata

    async def _found(self) -> JsonObject:
        for url in server_metadata_urls(self._issuer):
            found = await self.http.metadata(url)
            if found is not None and same_issuer(found.get("issuer"), self._issuer):
                return found
        raise DiscoveryFailed(f"the metadata of {self._issuer} cannot be fetched, or are of another issuer")

    async def keys(self) -> Sequence[Key]:
        """Raises `DiscoveryFailed`."""
        url = self._jwks_uri or await self.endpoint("jwks_uri")
        found = await self.http.metadata(url)
        if found is None:
            raise DiscoveryFailed(f"no key set can be fetched from {url.partition('?')[0]}")
        return public_keys(found)

    async def endpoint(self, name: str) -> str:
        """A URL of the metadata. Raises `DiscoveryFailed`."""
        found = (await self.metadata()).get(name)
        if not isinstance(found, str):
            raise DiscoveryFailed(f"the metadata of {self._issuer} name no {name}")
        return found
