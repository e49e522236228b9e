"""What the config says of a connection's OAuth, as one value: the same words for every kind of integration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from integrations import GraphQl, Integration, McpLocal, McpRemote, OpenApi
from integrations.base import Secret
from integrations.fields import SecretRef
from integrations.http import EgressRules, origin_of
from integrations.mcp.config import McpOauth
from integrations.oauth.client import ClientAuth, OAuthClient, usual_auth
from integrations.shared_config import ClientAuthChoice, OAuthOptions, Registration
from proxy.config.connection import ClientCredentials, Connection
from proxy.config.secrets import Resolver
from proxy.config.semantics.oauth import merged_oauth
from proxy.connections.digests import key_of

OAuthGrant = Literal["authorization_code", "client_credentials"]


@dataclass(frozen=True, slots=True)
class ConfiguredClient:
    """The client that the config names. Its secret is read when it is used."""

    client_id: str | SecretRef
    secret: SecretRef | None
    signs: bool
    auth: ClientAuthChoice | None
    key_id: str | None
    algorithm: str

    def resolved(self, resolver: Resolver, supported: tuple[str, ...] | None) -> OAuthClient:
        """`supported` are the server's ways of showing a secret. Raises `SecretMissing`."""
        name = self.client_id
        client_id = resolver.resolve(name).reveal() if isinstance(name, SecretRef) else name
        secret: Secret | None = resolver.resolve(self.secret) if self.secret is not None else None
        auth: ClientAuth = "none"
        if self.signs:
            auth = "private_key_jwt"
        elif secret is not None:
            auth = cast(ClientAuth, f"client_secret_{self.auth}") if self.auth else usual_auth(supported)
        return OAuthClient(client_id, auth, secret, self.key_id, self.algorithm)


@dataclass(frozen=True, slots=True)
class OAuthPlan:
    """`server_url` is set for MCP servers: what they say of themselves leads to the authorization server.

    `binding` is a digest of whom a token is from and for: one that was got under another binding is not used.
    `resource` False sends none; True sends what the server publishes. `scope` is the workspace where the connection was
    registered at run time, "" for one of the files.
    """

    prefix: str
    grant: OAuthGrant
    per_user: bool
    server_url: str | None
    issuer: str | None
    authorization_url: str | None
    token_url: str | None
    device_url: str | None
    client: ConfiguredClient | None
    scopes: tuple[str, ...]
    audience: str | None
    resource: bool | str
    params: Mapping[str, str] = field(default_factory=dict)
    registration: Registration | None = None
    redirect_port: int | None = None
    rules: EgressRules = field(default_factory=EgressRules)
    binding: str = ""
    scope: str = ""


def oauth_plan(
    prefix: str, connection: Connection, integration: Integration, scope: str = ""
) -> OAuthPlan | None:
    """None for a connection without OAuth. What was registered at run time (`scope`) spells out no origin: none of its
    URLs may be a private address."""
    auth = connection.auth
    if isinstance(integration, McpLocal):
        return None
    options: OAuthOptions | ClientCredentials | None = merged_oauth(connection, integration)
    if isinstance(auth, ClientCredentials):
        options = auth
    if options is None:
        return None
    where = _server_url(connection, integration)
    is_mcp = isinstance(integration, McpRemote)
    by_person = None if isinstance(options, ClientCredentials) else options
    named = (options.issuer, by_person.authorization_url if by_person else None, options.token_url)
    device_url = by_person.device_authorization_url if by_person else None
    urls = () if scope else (*named, device_url, where if is_mcp else None)
    origins = {origin_of(url) for url in urls if url}
    # Only MCP servers are known to want a resource indicator; elsewhere one is sent that the config spells out.
    indicates = is_mcp or isinstance(options.resource, str)
    return OAuthPlan(
        prefix=prefix,
        grant="authorization_code" if by_person else "client_credentials",
        per_user=prefix.split(".")[1] == "user",
        server_url=where if is_mcp else None,
        issuer=named[0],
        authorization_url=named[1],
        token_url=named[2],
        device_url=device_url,
        client=_client(options),
        scopes=_scopes(options),
        audience=options.audience,
        resource=options.resource if indicates else False,
        params=dict(by_person.authorization_params) if by_person else {},
        registration=by_person.registration if by_person else None,
        redirect_port=by_person.redirect_port if by_person else None,
        rules=EgressRules(integration.egress.allow, frozenset(origins - {""})),
        binding=key_of("oauth", [], prefix, where, named, options.client_id, options.resource),
        scope=scope,
    )


def _server_url(connection: Connection, integration: OpenApi | GraphQl | McpRemote) -> str | None:
    """Where the token will be sent, as far as the config says it."""
    if connection.base_url:
        return connection.base_url
    if isinstance(integration, OpenApi):
        return integration.base_url or integration.spec.url or integration.spec.file
    return integration.endpoint if isinstance(integration, GraphQl) else integration.url


def _client(options: OAuthOptions | ClientCredentials) -> ConfiguredClient | None:
    if options.client_id is None:
        return None
    signs = options.private_key is not None
    return ConfiguredClient(
        options.client_id,
        options.private_key if signs else options.client_secret,
        signs,
        options.client_auth,
        options.key_id,
        options.algorithm,
    )


def _scopes(options: OAuthOptions | ClientCredentials) -> tuple[str, ...]:
    text = options.scope if isinstance(options, McpOauth) and options.scope else ""
    return tuple(dict.fromkeys((*options.scopes, *text.split())))
