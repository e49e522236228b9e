"""OAuth discovery after a 401: whether a sign-in is enough (`needs_auth`), or the authorization server only accepts
clients that were registered with it (`needs_client_registration`).

Rules
- Protected resource metadata: at the URL of the challenge (RFC 9728 section 5.1), else at the well-known URLs of the
  server. It is valid only if its `resource` is of the server's own origin (section 3.3).
- Authorization server metadata: RFC 8414 section 3.1, then OpenID Connect Discovery section 4. It is valid only if its
  `issuer` is the one that was asked for (RFC 8414 section 3.3).
- The status is `needs_client_registration` only if metadata was read that offers neither dynamic registration
  (`registration_endpoint`, RFC 7591) nor client id metadata documents. Otherwise it is `needs_auth`.
- No URL can be trusted, because an untrusted server gives it: requests pass the egress guard under the server's own
  rules, without headers or credentials; redirects are not followed; sizes, times and counts are limited (T24, T28).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from integrations.base import JsonObject
from integrations.http import HttpClient, HttpError, origin_of
from integrations.http.backend import ResolveHost
from integrations.json_text import read_bounded
from integrations.mcp.errors import McpError, status_of
from integrations.mcp.servers import McpServer, RemoteServer

_TOTAL_SECONDS = 5.0
_REQUEST_SECONDS = 3.0
_MAX_BYTES = 256 * 1024
_MAX_ISSUERS = 2
_CACHE_SECONDS = 600.0
_RESOURCE_METADATA = re.compile(r'\bresource_metadata\s*=\s*(?:"([^"]*)"|([^\s,]+))', re.IGNORECASE)
_PROTECTED = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class _CachedStatus:
    challenge: str
    status: JsonObject
    until: float


class OAuthDiscovery:
    """Called after each attempt to connect that ended in a 401; keeps what it found for ten minutes."""

    def __init__(self, server: McpServer, resolve: ResolveHost) -> None:
        self._server = server
        self._resolve = resolve
        self._cached: _CachedStatus | None = None

    async def status_of(self, error: McpError) -> JsonObject:
        """The published status after this error. Does not raise, whatever a server answers."""
        server = self._server
        wanted = error.kind == "unauthorized" and isinstance(server, RemoteServer) and server.detect_oauth
        if not wanted or not isinstance(server, RemoteServer) or server.has_client:
            return status_of(error)
        cached = self._cached
        if cached is not None and cached.challenge == error.challenge and time.monotonic() < cached.until:
            return dict(cached.status)
        issuer = await self._closed_issuer(server, error.challenge)
        if issuer is None:
            return status_of(error)
        self._cached = _CachedStatus(
            error.challenge, _needs_registration(issuer), time.monotonic() + _CACHE_SECONDS
        )
        return dict(self._cached.status)

    async def _closed_issuer(self, server: RemoteServer, challenge: str) -> str | None:
        """The issuer that only accepts registered clients; None when it accepts others, or when none is known."""
        try:
            async with asyncio.timeout(_TOTAL_SECONDS), HttpClient(resolve=self._resolve) as plain:
                discovery = _Discovery(plain.through(server.choose), server)
                for issuer in await discovery.issuers(challenge):
                    if (metadata := await discovery.metadata(issuer)) is not None:
                        return None if _accepts_unregistered(metadata) else issuer
        except (HttpError, TimeoutError):
            return None
        return None


class _Discovery:
    """The requests of one discovery."""

    def __init__(self, http: HttpClient, server: RemoteServer) -> None:
        self._http = http
        self._url = server.url
        self._rules = server.egress_rules()

    async def issuers(self, challenge: str) -> list[str]:
        for url in _resource_metadata_urls(challenge, self._url):
            found = await self._get(url)
            if found is not None and origin_of(str(found.get("resource", ""))) == origin_of(self._url):
                named = found.get("authorization_servers")
                return [str(one) for one in named[:_MAX_ISSUERS]] if isinstance(named, list) else []
        return []

    async def metadata(self, issuer: str) -> JsonObject | None:
        for url in _server_metadata_urls(issuer):
            found = await self._get(url)
            if found is not None and str(found.get("issuer", "")).rstrip("/") == issuer.rstrip("/"):
                return found
        return None

    async def _get(self, url: str) -> JsonObject | None:
        """A JSON object, or None for anything else, including a URL that the egress guard refuses."""
        try:
            response = await self._http.request(
                "GET", url, [("Accept", "application/json")], None,
                timeout_seconds=_REQUEST_SECONDS, max_bytes=_MAX_BYTES, allow=self._rules,
            )  # fmt: skip
            found: Any = read_bounded(response.body) if response.status == 200 else None
        except (HttpError, ValueError):
            return None
        return found if isinstance(found, dict) else None


def _resource_metadata_urls(challenge: str, server_url: str) -> Iterator[str]:
    named = _RESOURCE_METADATA.search(challenge)
    if named is not None:
        yield named[1] or named[2] or ""
        return
    origin, path = origin_of(server_url), urlsplit(server_url).path.rstrip("/")
    if path:
        yield origin + _PROTECTED + path
    yield origin + _PROTECTED


def _server_metadata_urls(issuer: str) -> Iterator[str]:
    """RFC 8414 puts the path of the issuer after the well-known part, OpenID Connect before it."""
    origin, path = origin_of(issuer), urlsplit(issuer).path.rstrip("/")
    yield f"{origin}/.well-known/oauth-authorization-server{path}"
    yield f"{origin}/.well-known/openid-configuration{path}"
    if path:
        yield f"{origin}{path}/.well-known/openid-configuration"


def _accepts_unregistered(metadata: JsonObject) -> bool:
    by_document = metadata.get("client_id_metadata_document_supported") is True
    return by_document or bool(metadata.get("registration_endpoint"))


def _needs_registration(issuer: str) -> JsonObject:
    return {
        "status": "needs_client_registration",
        "error": f"the authorization server {origin_of(issuer)} does not register clients by itself: register one"
        " there and set `oauth.client_id` of the integration",
    }
