"""What entries of several integration kinds have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from integrations.fields import (
    CidrOrHost,
    Duration,
    HeaderFields,
    Maybe,
    Model,
    SecretRef,
    Text,
    TextOrSecret,
    Tuple,
    Url,
    problem,
)


def _pointer(value: object) -> object:
    if isinstance(value, str) and value and not value.startswith("/"):
        raise problem(
            "E206", "expected a JSON Pointer (RFC 6901)", f"did you mean `/{value.replace('.', '/')}`?"
        )
    return value


Pointer = Annotated[str, BeforeValidator(_pointer), WithJsonSchema({"type": "string", "pattern": "^(/|$)"})]
SHORTEST_INTERVAL = 5.0
ApproveByDefault = Literal["reads", "all", "none"]


class Egress(Model):
    """Private and loopback addresses that this integration may reach (everything public is allowed)."""

    allow: Tuple[CidrOrHost] = ()


class PatchOperation(Model):
    """One operation of a JSON Patch (RFC 6902) on the source document."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: Pointer
    from_: Annotated[Pointer, Field(alias="from")] = ""
    value: Any = None

    @model_validator(mode="after")
    def _members(self) -> PatchOperation:
        if self.op in ("move", "copy") and "from_" not in self.model_fields_set:
            raise problem("E202", "missing required key `from`")
        if self.op not in ("remove", "move", "copy") and "value" not in self.model_fields_set:
            raise problem("E202", "missing required key `value`")
        return self

    def as_json(self) -> dict[str, Any]:
        """The operation as RFC 6902 spells it."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class Retry(Model):
    """How often a safe request is sent in all, first try included."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 3


class Pagination(Model):
    """For `tools.executor.paginate`: the cursor argument, and where the next cursor and the items are in a result.

    `next` and `items` are paths: names and positions joined by dots, `data.-1.id` is the `id` of the last item.
    """

    cursor: Maybe[Text] = None
    next: Maybe[Text] = None
    items: Maybe[Text] = None


class Health(Model):
    """A read-only tool that tells whether a connection works; `identity` is a path into its result."""

    tool: Text
    arguments: dict[str, Any] = Field(default_factory=dict)
    identity: Maybe[Text] = None
    interval: Duration = 300.0

    @model_validator(mode="after")
    def _not_too_often(self) -> Health:
        if self.interval < SHORTEST_INTERVAL:
            raise problem("E206", f"must be at least {SHORTEST_INTERVAL:g}s", at="interval")
        return self


class ClientCert(Model):
    """A certificate that is shown to the upstream (mutual TLS): a PEM file, and the secret key without passphrase."""

    cert: Text
    key: SecretRef


def _switch_or_url(value: object) -> str:
    return "=switch" if isinstance(value, bool) else "=url"


ResourceField = Annotated[
    Annotated[bool, Tag("=switch")] | Annotated[Url, Tag("=url")], Discriminator(_switch_or_url)
]
Registration = Literal["dynamic", "metadata_document", "off"]
ClientAuthChoice = Literal["basic", "post"]


class OAuthOptions(Model):
    """How Executor signs in to an authorization server. What is left out is found out: the server from the upstream's
    metadata (RFC 9728), its endpoints from its own (RFC 8414), the client by registration (RFC 7591).

    `issuer`: the authorization server, whatever the upstream says. `authorization_url` and `token_url` together skip
    discovery; `device_authorization_url` beside them is for `executor auth login --device` (RFC 8628). `client_auth`:
    where the secret goes. `private_key` (PEM) signs assertions instead (RFC 7523), with `key_id` and `algorithm`.
    `resource: false` sends no resource indicator (RFC 8707), a URL sends another one.
    `audience` and `authorization_params` are added to the authorization request. `registration`: how an unknown client
    makes itself known. `redirect_port`: the port of `executor auth login` on this machine.
    """

    issuer: Maybe[Url] = None
    authorization_url: Maybe[Url] = None
    token_url: Maybe[Url] = None
    device_authorization_url: Maybe[Url] = None
    client_id: Maybe[TextOrSecret] = None
    client_secret: Maybe[SecretRef] = None
    client_auth: Maybe[ClientAuthChoice] = None
    private_key: Maybe[SecretRef] = None
    key_id: Maybe[Text] = None
    algorithm: Text = "RS256"
    scopes: Tuple[Text] = ()
    audience: Maybe[Text] = None
    resource: ResourceField = True
    authorization_params: dict[Text, Text] = Field(default_factory=dict)
    registration: Maybe[Registration] = None
    redirect_port: Maybe[Annotated[int, Field(ge=1, le=65535)]] = None

    @model_validator(mode="before")
    @classmethod
    def _one_server(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        urls = {"authorization_url", "token_url"} & set(value)
        if len(urls) not in ((0,) if "issuer" in value else (0, 2)) and not _misspelt(cls, value):
            raise problem("E209", "set exactly one of `issuer`, or `authorization_url` and `token_url`")
        if "device_authorization_url" in value and "token_url" not in value and not _misspelt(cls, value):
            raise problem(
                "E209",
                "`device_authorization_url` belongs to `token_url`; an issuer's metadata name it",
                at="device_authorization_url",
            )
        if "client_secret" in value and "private_key" in value:
            raise problem("E209", "set at most one of `client_secret`, `private_key`")
        return value


def _misspelt(model: type[Model], value: dict[str, object]) -> bool:
    """An unknown key is the better error: it probably is the missing one, misspelt."""
    return not set(value) <= set(model.model_fields)


class Described(Model):
    """Every integration."""

    title: Maybe[Text] = None
    description: Maybe[str] = None


class HttpIntegration(Described):
    """Every integration that is spoken to over HTTP by our own client."""

    headers: HeaderFields = Field(default_factory=dict)
    timeout: Duration = 30.0
    egress: Egress = Egress()
    proxy: Maybe[Url] = None
    ca_bundle: Maybe[Text] = None
    client_cert: Maybe[ClientCert] = None
    retry: Retry = Retry()
    pagination: Maybe[Pagination] = None
    health: Maybe[Health] = None
    oauth: Maybe[OAuthOptions] = None
