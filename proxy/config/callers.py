"""Who may call: keys, OAuth issuers, roles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from integrations.fields import (
    Duration,
    Expiry,
    KeyHash,
    Maybe,
    Model,
    Name,
    NonEmptyTuple,
    RoleHolder,
    SecretRef,
    Text,
    Tuple,
    Url,
    of_text,
    problem,
    string_schema,
)
from integrations.shared_config import Egress
from proxy.principal import Principal

TokenAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]
TOKEN_ALGORITHMS: Final[tuple[TokenAlgorithm, ...]] = get_args(TokenAlgorithm)
"""Signatures with a key pair only: with a shared secret whoever verifies could sign."""

# Who speaks over stdio, also where HTTP callers have keys. Defined in `proxy.auth.local`, which is above.
LOCAL_ACCOUNT: Final = "local"
SigningAlgorithm = Literal["ES256", "HS256"]
_SCOPE = r"[\x21\x23-\x5B\x5D-\x7E]+"


def _scope(value: str) -> str:
    if not re.fullmatch(_SCOPE, value):
        raise problem("E206", "not a scope: no spaces, quotes or backslashes (RFC 6749 section 3.3)")
    return value


Scope = Annotated[str, BeforeValidator(of_text(_scope, "a scope")), string_schema(f"^{_SCOPE}$", "executor")]


class ApiKey(Model):
    """A fixed key: its `hash`, or a reference to its `value`. It works in one workspace only."""

    hash: Maybe[KeyHash] = None
    value: Maybe[SecretRef] = None
    workspace: Maybe[Text] = None
    groups: Tuple[Text] = ()
    expires: Maybe[Expiry] = None
    description: Maybe[str] = None

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, value: object) -> object:
        if isinstance(value, dict) and ("hash" in value) == ("value" in value):
            if "hash" in value or not set(value) - set(cls.model_fields):
                raise problem(
                    "E209",
                    "set exactly one of `hash`, `value`",
                    "`executor keys create NAME` prints the lines",
                )
        return value


class Signing(Model):
    """Self-contained keys: signed tokens that name workspace, account and groups.

    With HS256 a key pair may stand beside the secret: it signs anonymous tokens.
    """

    algorithm: SigningAlgorithm = "ES256"
    private_key: Maybe[SecretRef] = None
    public_key: Maybe[SecretRef] = None
    previous_public_key: Maybe[SecretRef] = None
    secret: Maybe[SecretRef] = None
    ttl: Duration = 7 * 86400.0
    audiences: NonEmptyTuple[Text] = ("executor-mcp",)
    revoked: Tuple[Text] = ()

    @model_validator(mode="after")
    def _key_fits(self) -> Signing:
        if self.algorithm == "HS256" and not (self.secret and (self.private_key or not self.public_key)):
            raise problem(
                "E209",
                "HS256 needs `secret` and no key pair",
                "a `private_key` beside the secret signs anonymous tokens",
            )
        if self.algorithm == "ES256" and (self.secret or not (self.private_key or self.public_key)):
            raise problem(
                "E209", "ES256 needs `public_key` (and `private_key` to create keys), and no `secret`"
            )
        return self


class ApiKeys(Model):
    """Keys of machines: `Authorization: Bearer KEY` or `x-api-key: KEY`."""

    keys: dict[Name, ApiKey] = Field(default_factory=dict)
    signing: Maybe[Signing] = None


class Claims(Model):
    """Which token claim holds what: a name as it stands in the token, or a path with dots into nested claims."""

    user: Text = "sub"
    groups: Text = "groups"
    workspace: Text = "org_id"


class Introspection(Model):
    """Opaque tokens are asked about at the issuer (RFC 7662), as this client. Without `url` its metadata says where."""

    client_id: Text
    client_secret: SecretRef
    url: Maybe[Url] = None


class PageClient(Model):
    """This server as a client of the issuer, at which people sign in to its pages. The redirect URI to register there
    is `server.public_url` + `/login/callback`."""

    client_id: Text
    client_secret: Maybe[SecretRef] = None
    scopes: Tuple[Scope] = ()


class OauthIssuer(Model):
    """Executor as an OAuth resource server: tokens of this issuer are accepted (RFC 9728, RFC 9068).

    `audiences` beside this server's own URL; `token_issuers` are other spellings of the issuer in tokens.
    """

    issuer: Maybe[Url] = None
    authorization_servers: Tuple[Url] = ()
    token_issuers: Tuple[Text] = ()
    audiences: Tuple[Text] = ()
    allow_missing_audience: bool = False
    jwks_uri: Maybe[Url] = None
    algorithms: NonEmptyTuple[TokenAlgorithm] = TOKEN_ALGORITHMS
    required_scopes: Tuple[Scope] = ()
    claims: Claims = Claims()
    introspection: Maybe[Introspection] = None
    sign_in: Maybe[PageClient] = None
    egress: Egress = Egress()

    @model_validator(mode="after")
    def _one_name(self) -> OauthIssuer:
        if (self.issuer is None) == (not self.authorization_servers):
            raise problem(
                "E209",
                "set exactly one of `issuer`, `authorization_servers`",
                "issuer: https://login.example.com, or a list of issuers that differ in nothing else",
            )
        if len(self.authorization_servers) > 1:
            for key in ("jwks_uri", "token_issuers", "introspection"):
                if key in self.model_fields_set:
                    raise problem(
                        "E209", f"`{key}` belongs to one issuer", "make a list: oauth: [{issuer: ...}]", key
                    )
        return self

    def issuers(self) -> tuple[str, ...]:
        """The issuers that this entry stands for, as they are written."""
        return (self.issuer,) if self.issuer is not None else self.authorization_servers


def _one_or_list(value: object) -> str:
    return "=list" if isinstance(value, list | tuple) else "=one"


OauthField = Annotated[
    Annotated[OauthIssuer, Tag("=one")] | Annotated[NonEmptyTuple[OauthIssuer], Tag("=list")],
    Discriminator(_one_or_list),
]


def full_names(auth: AuthConfig | None, principals: Sequence[str]) -> tuple[str, ...]:
    """Principals as callers have them: with one issuer `user:ann` means its ann. With several it means nobody, because
    either could have one."""
    issuers = auth.issuers() if auth is not None else ()
    if len(issuers) != 1:
        return tuple(principals)
    return tuple(
        f"user:{issuers[0]}#{one.removeprefix('user:')}" if is_short_user(one) else one for one in principals
    )


def as_in_requests(
    principal: Principal, named: str | None, auth: AuthConfig | None
) -> tuple[Principal, str | None]:
    """A key of the config brings its groups and its workspace along; the user of the only issuer has its name. Raises
    `ValueError` for a caller that no request has."""
    principal = replace(principal, account_id=full_names(auth, [principal.account_id])[0])
    keys = auth.api_keys if auth is not None else None
    if principal.kind != "key" or keys is None:
        return principal, named
    name = principal.account_id.removeprefix("key:")
    found = keys.keys.get(name)
    if found is None:
        if keys.signing is None:
            raise ValueError(f"key={name}: no such key; there are: {', '.join(keys.keys) or 'none'}")
        return principal, named
    if principal.groups and principal.groups != frozenset(found.groups):
        raise ValueError(f"key={name}: it has other groups: {', '.join(found.groups) or 'none'}")
    if found.workspace is not None and named not in (None, found.workspace):
        raise ValueError(f"key={name}: it works in workspace `{found.workspace}` only")
    return replace(principal, groups=frozenset(found.groups)), found.workspace or named


def is_short_user(principal: str) -> bool:
    """A user without an issuer, other than the one who speaks over stdio."""
    return principal.startswith("user:") and "#" not in principal and principal != f"user:{LOCAL_ACCOUNT}"


class Roles(Model):
    """Who may administer, and who may approve for others, in the words of `principals`: a word alone is a group."""

    admin: Tuple[RoleHolder] = ()
    approver: Tuple[RoleHolder] = ()


class AuthConfig(Model):
    """Who may call. Without this section: loopback only, with a bearer token made at the first start."""

    anonymous: bool = False
    anonymous_tokens: bool = False
    api_keys: Maybe[ApiKeys] = None
    oauth: Maybe[OauthField] = None
    roles: Roles = Roles()

    def oauth_entries(self) -> tuple[OauthIssuer, ...]:
        """The entries of `oauth`, whether it is one or a list."""
        if self.oauth is None:
            return ()
        return (self.oauth,) if isinstance(self.oauth, OauthIssuer) else self.oauth

    def issuers(self) -> tuple[str, ...]:
        """Every issuer, without a slash at the end: accounts are `user:<issuer>#<name>`."""
        return tuple(issuer.rstrip("/") for entry in self.oauth_entries() for issuer in entry.issuers())
