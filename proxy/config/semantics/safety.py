"""What must not go out: open listeners, credentials over plain http (E501, E502)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from urllib.parse import urlsplit

from integrations import GraphQl, Integration, McpLocal, McpRemote, OpenApi
from integrations.fields import SecretRef, is_local_host
from integrations.shared_config import OAuthOptions
from proxy.config.callers import AuthConfig, OauthIssuer
from proxy.config.connection import AuthorizationCode, ClientCredentials, Connection, NoAuth
from proxy.config.locations import Finding
from proxy.config.nodes import Path
from proxy.config.semantics.oauth import SERVER_KEYS, check_oauth
from proxy.config.semantics.view import ConfigView


def check_exposure(view: ConfigView) -> Iterator[Finding]:
    yield from _listener(view)
    yield from _proxies(view)
    for key, connection in view.config.connections.items():
        if key.split(".")[1] == "user":
            yield from _shared_credential(view, key, connection)
        yield from check_oauth(view, key, connection)


def _shared_credential(view: ConfigView, key: str, connection: Connection) -> Iterator[Finding]:
    """A connection of the owner `user` stands for whoever calls, so a credential of the config cannot be its."""
    auth, path = connection.auth, ("connections", key, "auth")
    renamed = f"call it `{key.replace('.user.', '.org.')}`"
    if isinstance(auth, AuthorizationCode):
        return
    if isinstance(auth, ClientCredentials):
        message = "client_credentials for a user connection: every user would share one identity"
        yield Finding("E501", (*path, "grant"), message, f"{renamed}, or use grant: authorization_code")
    elif not isinstance(auth, NoAuth):
        message = f"`{auth.kind}` for a user connection: every user would share one credential"
        help = f"{renamed}, or use auth: {{kind: oauth2, grant: authorization_code}}"
        yield Finding("E501", (*path, "kind"), message, help)
    elif source := _secret_of(view.config.integrations.get(key.partition(".")[0])):
        message = f"`{source}` of the integration hold a secret: every user of `{key}` would share it"
        yield Finding("E501", ("connections", key), message, renamed, "key")


def _secret_of(integration: Integration | None) -> str | None:
    """What of an integration is sent as a credential where its connection has none of its own.

    A remote MCP server that users sign in to may want the application's key beside their tokens.
    """
    if isinstance(integration, McpLocal):
        return "environment" if _has_secrets(integration.environment) else None
    if integration is None or (isinstance(integration, McpRemote) and integration.oauth is not False):
        return None
    return "headers" if _has_secrets(integration.headers) else None


def _listener(view: ConfigView) -> Iterator[Finding]:
    listen = view.config.server.listen
    if listen.is_loopback or view.has_lost("auth") or view.has_lost("server"):
        return
    auth = view.config.auth
    path: Path = ("server", "listen")
    if auth is not None and auth.anonymous:
        message = f"listening on {listen} with `auth.anonymous: true`: anyone can run code"
        yield Finding("E501", path, message, "set anonymous: false, or listen on 127.0.0.1")
    elif not authenticates(auth):
        help = "add `auth` (api_keys or oauth), or listen on 127.0.0.1"
        yield Finding("E501", path, f"listening on {listen} without authentication", help)


def authenticates(auth: AuthConfig | None) -> bool:
    """Whether anybody could ever present a valid credential."""
    if auth is None:
        return False
    keys = auth.api_keys
    return bool(auth.oauth or (keys and (keys.keys or keys.signing)))


def _proxies(view: ConfigView) -> Iterator[Finding]:
    for index, network in enumerate(view.config.server.trusted_proxies):
        if ip_network(network).prefixlen == 0:
            message = f"`{network}` trusts everyone to set X-Forwarded-*"
            yield Finding(
                "E501", ("server", "trusted_proxies", index), message, "name the proxies' own range"
            )


def check_plain_http(view: ConfigView) -> Iterator[Finding]:
    with_credentials = _with_credentials(view.config.connections)
    for name, integration in view.config.integrations.items():
        yield from _integration(name, integration, name in with_credentials)
        yield from _token_endpoints(getattr(integration, "oauth", None), ("integrations", name, "oauth"))
    for key, connection in view.config.connections.items():
        path: Path = ("connections", key)
        if connection.base_url and not isinstance(connection.auth, NoAuth):
            yield from _plain((*path, "base_url"), connection.base_url, "the connection's credentials")
        yield from _token_endpoints(connection.auth, (*path, "auth"))
    otlp = view.config.telemetry.otlp
    if otlp and _has_secrets(otlp.headers):
        yield from _plain(("telemetry", "otlp", "endpoint"), otlp.endpoint, "its headers")
    webhook = view.config.approvals.webhook
    if webhook:
        yield from _plain(("approvals", "webhook", "url"), webhook.url, "approvals")
    yield from _own_url(view)


def _own_url(view: ConfigView) -> Iterator[Finding]:
    """OAuth tokens are sent to `public_url`, and only there (RFC 8707, RFC 9728)."""
    config = view.config
    if config.auth is None or config.auth.oauth is None:
        return
    path: Path = ("auth", "oauth")
    for index, entry in enumerate(config.auth.oauth_entries()):
        yield from _issuer((*path, index) if isinstance(config.auth.oauth, tuple) else path, entry)
    if config.server.public_url:
        yield from _plain(("server", "public_url"), config.server.public_url, "tokens")


def _issuer(path: Path, entry: OauthIssuer) -> Iterator[Finding]:
    """Whoever could change the answers on their way would decide who may call."""
    if entry.issuer is not None:
        yield from _plain((*path, "issuer"), entry.issuer, "sign-in")
    for index, issuer in enumerate(entry.authorization_servers):
        yield from _plain((*path, "authorization_servers", index), issuer, "sign-in")
    if entry.jwks_uri is not None:
        yield from _plain((*path, "jwks_uri"), entry.jwks_uri, "keys")
    if entry.introspection is not None and entry.introspection.url is not None:
        yield from _plain((*path, "introspection", "url"), entry.introspection.url, "tokens")


def _has_secrets(headers: Mapping[str, str | SecretRef]) -> bool:
    return any(isinstance(value, SecretRef) for value in headers.values())


def _integration(name: str, integration: Integration, credential: bool) -> Iterator[Finding]:
    if isinstance(integration, McpLocal):
        return
    what = "its headers" if _has_secrets(integration.headers) else "its connections' credentials"
    if not credential and not _has_secrets(integration.headers):
        return
    path: Path = ("integrations", name)
    for key, url in _urls(integration):
        yield from _plain((*path, *key), url, what)


def _with_credentials(connections: Mapping[str, Connection]) -> set[str]:
    """Integrations to whose own URL a credential goes (a connection may have another `base_url`)."""
    return {
        key.partition(".")[0]
        for key, connection in connections.items()
        if not isinstance(connection.auth, NoAuth) and not connection.base_url
    }


def _urls(integration: OpenApi | GraphQl | McpRemote) -> Iterator[tuple[Path, str]]:
    if isinstance(integration, OpenApi):
        if integration.base_url:
            yield ("base_url",), integration.base_url
        elif integration.spec.url:
            # Relative servers of the document resolve against its URL.
            yield ("spec", "url"), integration.spec.url
    elif isinstance(integration, GraphQl):
        yield ("endpoint",), integration.endpoint
    else:
        yield ("url",), integration.url


def _token_endpoints(options: object, path: Path) -> Iterator[Finding]:
    if not isinstance(options, ClientCredentials | OAuthOptions):
        return
    for key in SERVER_KEYS:
        url = getattr(options, key, None)
        if url:
            yield from _plain((*path, key), url, "the client's credentials")


def _plain(path: Path, url: str, what: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    if parts.scheme.lower() == "http" and not is_local_host(parts.hostname or ""):
        message = (
            f"`{path[-1] if isinstance(path[-1], str) else path[-2]}`: {what} would travel over plain http"
        )
        yield Finding("E502", path, message, f"did you mean `https{url[4:]}`?")
