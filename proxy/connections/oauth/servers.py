"""Which authorization server a connection signs in with, and what is known of it.

A server that the config names (`issuer`, or both URLs) wins over whatever the upstream says: a client's secret is for
that one and for no other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

from integrations.http import origin_of
from integrations.oauth.challenge import AuthChallenge, bearer_challenge
from integrations.oauth.discovery import (
    AuthorizationServer,
    ResourceMetadata,
    authorization_server,
    resource_metadata,
)
from integrations.oauth.errors import DiscoveryFailed
from integrations.oauth.http import OAuthHttp
from proxy.connections.oauth.plan import OAuthPlan

_CACHE_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class FoundServer:
    """An authorization server, and what the upstream says of itself (MCP only)."""

    server: AuthorizationServer
    resource: ResourceMetadata | None
    challenge: AuthChallenge


class OAuthServers:
    """Discovery for one connection."""

    def __init__(self, plan: OAuthPlan, http: OAuthHttp) -> None:
        self._plan = plan
        self._http = http
        self._found: tuple[float, FoundServer] | None = None

    async def server(self) -> AuthorizationServer:
        """The configured one. What was found counts for ten minutes. Raises `DiscoveryFailed`."""
        if self._found is not None and time.monotonic() < self._found[0]:
            return self._found[1].server
        return (await self.find("")).server

    async def find(self, challenge: str) -> FoundServer:
        """`challenge` is the `WWW-Authenticate` of the upstream's refusal, if there was one. Asked anew each time: an
        upstream may have moved to another server (SEP-2352). Raises `DiscoveryFailed`."""
        found = await self._discover(bearer_challenge(challenge))
        self._found = (time.monotonic() + _CACHE_SECONDS, found)
        return found

    async def _discover(self, challenge: AuthChallenge) -> FoundServer:
        plan = self._plan
        resource = None
        if plan.server_url is not None:
            resource = await resource_metadata(self._http, plan.server_url, challenge)
        if plan.token_url is not None:
            configured = AuthorizationServer(
                plan.issuer or "", plan.authorization_url, plan.token_url, device_endpoint=plan.device_url
            )
            return FoundServer(configured, resource, challenge)
        if plan.issuer is not None:
            return FoundServer(await authorization_server(self._http, plan.issuer), resource, challenge)
        return FoundServer(await self._named(resource), resource, challenge)

    async def _named(self, resource: ResourceMetadata | None) -> AuthorizationServer:
        """The first usable server of those that the upstream names. One that names none is its own (2025-03-26)."""
        assert self._plan.server_url is not None
        if resource is None or not resource.authorization_servers:
            return await own_server(self._http, self._plan.server_url)
        problems: list[str] = []
        for issuer in resource.authorization_servers:
            try:
                return await authorization_server(self._http, issuer)
            except DiscoveryFailed as error:
                problems.append(str(error))
        raise DiscoveryFailed("; ".join(problems))


async def own_server(http: OAuthHttp, server_url: str) -> AuthorizationServer:
    """The authorization server at the upstream's own origin; without metadata, at the places that MCP 2025-03-26 names.
    Raises `DiscoveryFailed`."""
    origin = origin_of(server_url)
    try:
        return await authorization_server(http, origin)
    except DiscoveryFailed as error:
        if "publishes no metadata" not in str(error):
            raise
    usual = AuthorizationServer(origin, f"{origin}/authorize", f"{origin}/token", f"{origin}/register")
    return replace(usual)
