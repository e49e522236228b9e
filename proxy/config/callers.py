"""Who may call: keys, OAuth issuers, roles."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

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
    problem,
)


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
    """Self-contained keys: signed tokens that name workspace, account and groups."""

    algorithm: Literal["ES256", "HS256"] = "ES256"
    private_key: Maybe[SecretRef] = None
    public_key: Maybe[SecretRef] = None
    secret: Maybe[SecretRef] = None
    ttl: Duration = 7 * 86400.0
    revoked: Tuple[Text] = ()

    @model_validator(mode="after")
    def _key_fits(self) -> Signing:
        if self.algorithm == "HS256" and (self.private_key or self.public_key or not self.secret):
            raise problem("E209", "HS256 needs `secret` and no key pair")
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
    """Which token claim holds what."""

    user: Text = "sub"
    groups: Text = "groups"
    workspace: Text = "org_id"


class OauthServer(Model):
    """Executor as an OAuth resource server: tokens of these issuers are accepted (RFC 9728)."""

    authorization_servers: NonEmptyTuple[Url]
    required_scopes: Tuple[Text] = ()
    claims: Claims = Claims()


class Roles(Model):
    """Who may administer, and who may approve for others, in the words of `principals`: a word alone is a group."""

    admin: Tuple[RoleHolder] = ()
    approver: Tuple[RoleHolder] = ()


class AuthConfig(Model):
    """Who may call. Without this section: loopback only, with a bearer token made at the first start."""

    anonymous: bool = False
    anonymous_tokens: bool = False
    api_keys: Maybe[ApiKeys] = None
    oauth: Maybe[OauthServer] = None
    roles: Roles = Roles()
