"""What a `connections.<integration>.<owner>.<connection>` entry may say: credentials and how they travel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from integrations.fields import (
    HeaderName,
    Maybe,
    Model,
    NonEmptyTuple,
    SecretRef,
    Text,
    TextOrSecret,
    Tuple,
    Url,
    problem,
)
from integrations.shared_config import ClientAuthChoice, OAuthOptions, ResourceField


class NoAuth(Model):
    """Calls carry no credential."""

    kind: Literal["none"]


class BearerAuth(Model):
    """`Authorization: Bearer TOKEN` (RFC 6750)."""

    kind: Literal["bearer"]
    token: SecretRef


class BasicAuth(Model):
    """User name and password (RFC 7617)."""

    kind: Literal["basic"]
    username: TextOrSecret
    password: SecretRef


class HeaderAuth(Model):
    """A header; `prefix` stands before the secret (`"Token "`)."""

    kind: Literal["header"]
    name: HeaderName
    prefix: str = ""
    value: SecretRef


class QueryAuth(Model):
    """A query parameter."""

    kind: Literal["query"]
    name: Text
    value: SecretRef


class CookieAuth(Model):
    """A cookie."""

    kind: Literal["cookie"]
    name: Text
    value: SecretRef


SimpleAuth = Annotated[
    BearerAuth | BasicAuth | HeaderAuth | QueryAuth | CookieAuth, Field(discriminator="kind")
]


class PartsAuth(Model):
    """Several credentials sent together."""

    kind: Literal["parts"]
    parts: NonEmptyTuple[SimpleAuth]


class SchemeToken(Model):
    """The secret of one security scheme, called `value` or `token`."""

    value: Maybe[SecretRef] = None
    token: Maybe[SecretRef] = None

    @property
    def secret(self) -> SecretRef:
        found = self.value or self.token
        assert found is not None
        return found

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        if (
            isinstance(value, dict)
            and ("value" in value) == ("token" in value)
            and set(value) <= {"value", "token"}
        ):
            raise problem("E209", "set exactly one of `value`, `token`, or `username` and `password`")
        return value


class SchemeLogin(Model):
    """The user name and password of one security scheme."""

    username: TextOrSecret
    password: SecretRef


def _login_or_token(value: object) -> str:
    if isinstance(value, SchemeLogin):
        return "=login"
    return "=login" if isinstance(value, dict) and ("username" in value or "password" in value) else "=token"


SchemeAuth = Annotated[
    Annotated[SchemeToken, Tag("=token")] | Annotated[SchemeLogin, Tag("=login")],
    Discriminator(_login_or_token),
]


class SchemesAuth(Model):
    """One secret for each security scheme that the document declares."""

    kind: Literal["schemes"]
    schemes: Annotated[dict[Text, SchemeAuth], Field(min_length=1)]


class ClientCredentials(Model):
    """OAuth 2.0 client credentials: Executor itself signs in (RFC 6749, section 4.4).

    The client proves itself by `client_secret`, or by `private_key` (PEM): signed assertions (RFC 7523).
    """

    kind: Literal["oauth2"]
    grant: Literal["client_credentials"]
    issuer: Maybe[Url] = None
    token_url: Maybe[Url] = None
    client_id: TextOrSecret
    client_secret: Maybe[SecretRef] = None
    client_auth: Maybe[ClientAuthChoice] = None
    private_key: Maybe[SecretRef] = None
    key_id: Maybe[Text] = None
    algorithm: Text = "RS256"
    scopes: Tuple[Text] = ()
    audience: Maybe[Text] = None
    resource: ResourceField = False

    @model_validator(mode="before")
    @classmethod
    def _source(cls, value: object) -> object:
        # An unknown key is the better error: it probably is the missing one, misspelt.
        if not isinstance(value, dict) or not set(value) <= set(cls.model_fields):
            return value
        if ("issuer" in value) == ("token_url" in value):
            raise problem("E209", "set exactly one of `issuer`, `token_url`")
        if ("client_secret" in value) == ("private_key" in value):
            raise problem("E209", "set exactly one of `client_secret`, `private_key`")
        return value


class AuthorizationCode(OAuthOptions):
    """OAuth 2.0 authorization code with PKCE: a person signs in (RFC 6749, section 4.1; RFC 7636).

    What is left out is taken from the integration's `oauth`, and else found out. Without `client_id` the client makes
    itself known to the server: by a document that describes it, or by dynamic registration (RFC 7591).
    """

    kind: Literal["oauth2"]
    grant: Literal["authorization_code"]


Oauth2Auth = Annotated[ClientCredentials | AuthorizationCode, Field(discriminator="grant")]
Auth = Annotated[
    NoAuth
    | BearerAuth
    | BasicAuth
    | HeaderAuth
    | QueryAuth
    | CookieAuth
    | Oauth2Auth
    | SchemesAuth
    | PartsAuth,
    Field(discriminator="kind"),
]


class Connection(Model):
    """One credential bound to one integration. `base_url`: the same tools on another server."""

    description: Maybe[str] = None
    base_url: Maybe[Url] = None
    auth: Auth = NoAuth(kind="none")
