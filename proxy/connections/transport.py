"""The proxy and the certificates of an integration's connections, as the config names them."""

from __future__ import annotations

from pathlib import Path

from integrations import GraphQl, McpRemote, OpenApi
from integrations.http import HttpClient, TransportOptions, Unreachable
from integrations.http.transport import DIRECT, ChooseTransport
from proxy.config.secrets import Resolver, SecretMissing

RemoteIntegration = OpenApi | GraphQl | McpRemote


def transport_settings(integration: RemoteIntegration) -> tuple[object, ...]:
    """The settings of the transport, for a key that changes with them. All of them are falsy when none is set."""
    return (integration.proxy, integration.ca_bundle, integration.client_cert)


def client_for(
    http: HttpClient, integration: RemoteIntegration, resolver: Resolver, owner: str
) -> HttpClient:
    """`http` with the transport of this integration, and with connections that nobody but `owner` uses."""
    if not any(transport_settings(integration)):
        return http.through(lambda: DIRECT, owner)
    return http.through(transport_chooser(integration, resolver), owner)


def transport_chooser(integration: RemoteIntegration, resolver: Resolver) -> ChooseTransport:
    """A function that is called before each request, so that a renewed client key is used at once. It raises
    `Unreachable` when the key is missing.
    """
    cert = integration.client_cert
    bundle = Path(integration.ca_bundle) if integration.ca_bundle else None

    def choose() -> TransportOptions:
        if cert is None:
            return TransportOptions(integration.proxy, bundle)
        try:
            key = resolver.resolve(cert.key)
        except SecretMissing as missing:
            raise Unreachable(f"client_cert: {missing}") from None
        return TransportOptions(integration.proxy, bundle, Path(cert.cert), key)

    return choose
