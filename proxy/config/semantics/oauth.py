"""Whom a connection signs in with must be known before a secret of ours is sent anywhere (E209, E501)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from integrations import Integration, McpRemote
from integrations.shared_config import OAuthOptions
from proxy.config.connection import AuthorizationCode, Connection, NoAuth
from proxy.config.locations import Finding
from proxy.config.nodes import Path
from proxy.config.semantics.view import ConfigView

SERVER_KEYS: Final = ("issuer", "authorization_url", "token_url", "device_authorization_url")
_CLIENT: Final = ("client_id", "client_secret", "private_key")


def merged_oauth(connection: Connection, integration: Integration) -> OAuthOptions | None:
    """What the connection says of its authorization server, and what the integration says where it says nothing.

    None for a connection that nobody signs in to by hand.
    """
    usual = getattr(integration, "oauth", None)
    options = usual if isinstance(usual, OAuthOptions) else OAuthOptions()
    auth = connection.auth
    if isinstance(auth, AuthorizationCode):
        own = {
            name: getattr(auth, name) for name in OAuthOptions.model_fields if name in auth.model_fields_set
        }
        if own.keys() & set(SERVER_KEYS):
            # Another server: neither an endpoint nor a secret of the integration's own server is for it.
            options = options.model_copy(update=dict.fromkeys((*SERVER_KEYS, *_CLIENT)))
        return options.model_copy(update=own)
    is_open = (
        isinstance(auth, NoAuth) and isinstance(integration, McpRemote) and integration.oauth is not False
    )
    return options if is_open else None


def check_oauth(view: ConfigView, key: str, connection: Connection) -> Iterator[Finding]:
    integration = view.config.integrations.get(key.partition(".")[0])
    options = merged_oauth(connection, integration) if integration is not None else None
    if options is None or integration is None:
        return
    path: Path = ("connections", key, "auth")
    known = options.issuer is not None or options.token_url is not None
    if not known and not isinstance(integration, McpRemote):
        help = "only an MCP server says by itself who signs its users in"
        yield Finding(
            "E209", path, "set exactly one of `issuer`, or `authorization_url` and `token_url`", help
        )
    elif not known and _secret(options) is not None:
        place: Path = path if isinstance(connection.auth, AuthorizationCode) else _place(key)
        message = (
            f"`{_secret(options)}` without `issuer`: it would be sent to whatever server the upstream names"
        )
        help = "set `issuer`, or `authorization_url` and `token_url`, to the server that it is for"
        yield Finding("E501", place, message, help)


def _secret(options: OAuthOptions) -> str | None:
    given: dict[str, Any] = {"client_secret": options.client_secret, "private_key": options.private_key}
    return next((name for name, value in given.items() if value is not None), None)


def _place(key: str) -> Path:
    return ("integrations", key.partition(".")[0], "oauth")
