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
    """OAuth 2.0 client credentials: Executor itself signs in (RFC 6749, section 4.4)."""

    kind: Literal["oauth2"]
    grant: Literal["client_credentials"]
    issuer: Maybe[Url] = None
    token_url: Maybe[Url] = None
    client_id: TextOrSecret
    client_secret: SecretRef
    scopes: Tuple[Text] = ()
    audience: Maybe[Text] = None

    @model_validator(mode="before")
    @classmethod
    def _source(cls, value: object) -> object:
        if isinstance(value, dict) and ("issuer" in value) == ("token_url" in value) and not _misspelt(value):
            raise problem("E209", "set exactly one of `issuer`, `token_url`")
        return value


class AuthorizationCode(Model):
    """OAuth 2.0 authorization code with PKCE: a person signs in (RFC 6749, section 4.1; RFC 7636).

    Without `client_id` the client is registered dynamically (RFC 7591).
    """

    kind: Literal["oauth2"]
    grant: Literal["authorization_code"]
    issuer: Maybe[Url] = None
    authorization_url: Maybe[Url] = None
    token_url: Maybe[Url] = None
    client_id: Maybe[TextOrSecret] = None
    client_secret: Maybe[SecretRef] = None
    scopes: Tuple[Text] = ()
    audience: Maybe[Text] = None

    @model_validator(mode="before")
    @classmethod
    def _source(cls, value: object) -> object:
        if not isinstance(value, dict) or _misspelt(value):
            return value
        urls = {"authorization_url", "token_url"} & set(value)
        if len(urls) != (0 if "issuer" in value else 2):
            raise problem("E209", "set exactly one of `issuer`, or `authorization_url` and `token_url`")
        return value


_OAUTH_KEYS = frozenset({*ClientCredentials.__annotations__, *AuthorizationCode.__annotations__})


def _misspelt(value: dict[str, object]) -> bool:
    """An unknown key is the better error: it probably is the missing one, misspelt."""
    return not set(value) <= _OAUTH_KEYS


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
