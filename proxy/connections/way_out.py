"""Through which proxy and with which certificates an integration is spoken to."""

from __future__ import annotations

from pathlib import Path

from integrations import GraphQl, McpRemote, OpenApi
from integrations.http import HttpClient, TransportOptions, Unreachable
from integrations.http.transport import ChooseTransport
from proxy.config.secrets import Resolver, SecretMissing

OverHttp = OpenApi | GraphQl | McpRemote


def settings(integration: OverHttp) -> tuple[object, ...]:
    """What connections depend on; nothing in it is true when there is nothing special."""
    return (integration.proxy, integration.ca_bundle, integration.client_cert)


def through(http: HttpClient, integration: OverHttp, resolver: Resolver) -> HttpClient:
    """The client as this integration uses it."""
    return http.through(chooser(integration, resolver)) if any(settings(integration)) else http


def chooser(integration: OverHttp, resolver: Resolver) -> ChooseTransport:
    """Asked before each request, so that a renewed key is used at once. A missing one is `Unreachable`."""
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
