"""An MCP server as its kind wants it: where it is, and what a session of one connection says of itself.

The MCP SDK is loaded only when a config has an MCP server: `mcp_kind.X` is looked up when it is used.
"""

from __future__ import annotations

from integrations import McpLocal, McpRemote
from integrations import mcp as mcp_kind
from integrations.base import SourceError
from integrations.fields import SecretRef
from integrations.http import EgressRules
from proxy.config.connection import Connection
from proxy.config.secrets import Resolver, SecretMissing
from proxy.connections.credentials import credential_source, plain_headers
from proxy.connections.transport import transport_chooser


def server_of(
    integration: McpLocal | McpRemote,
    connection: Connection,
    resolver: Resolver,
    *,
    spells_out: bool = True,
) -> mcp_kind.LocalServer | mcp_kind.RemoteServer:
    """Secrets are not part of it: they are resolved for each session. `spells_out`: whether its URL stands in files
    that somebody has reviewed."""
    if isinstance(integration, McpLocal):
        return mcp_kind.LocalServer(
            integration.command,
            plain_headers(integration.environment),
            integration.cwd,
            integration.timeout,
            integration.start_timeout,
        )
    url = connection.base_url or integration.url
    egress = EgressRules(allow=integration.egress.allow)
    headers = plain_headers(integration.headers)
    choose = transport_chooser(integration, resolver)
    oauth = integration.oauth
    return mcp_kind.RemoteServer(
        url,
        headers,
        integration.transport,
        integration.timeout,
        egress,
        choose,
        detect_oauth=oauth is not False,
        has_client=not isinstance(oauth, bool) and oauth.client_id is not None,
        spells_out=spells_out,
    )


def session_values(
    integration: McpLocal | McpRemote, connection: Connection, resolver: Resolver
) -> dict[str, str]:
    """Headers or variables of a new session. Raises `SourceError` naming what is missing."""
    named = integration.environment if isinstance(integration, McpLocal) else integration.headers
    own = credential_source(connection.auth, {}, resolver)
    try:
        values = {
            name: resolver.resolve(value).reveal()
            for name, value in named.items()
            if isinstance(value, SecretRef)
        }
        credential = own()
    except SecretMissing as missing:
        raise SourceError(str(missing)) from None
    return (
        values if isinstance(integration, McpLocal) else {**values, **mcp_kind.credential_headers(credential)}
    )
