"""What a server that answers 401 wants: a sign-in (`needs_auth`), or first a client that its authorization server knows
(`needs_client_registration`).

Rules
- Protected resource metadata: where the challenge says (RFC 9728 section 5.1), else at the well-known places of the
  server's URL. It counts only if its `resource` is of the server's own origin (section 3.3).
- Authorization server metadata: RFC 8414 section 3.1, then OpenID Connect Discovery section 4; it counts only if its
  `issuer` is the one that was asked for (RFC 8414 section 3.3).
- Only metadata that was read and offers no way in without a registered client (no `registration_endpoint`, RFC 7591;
  no client id metadata documents) makes the status `needs_client_registration`. What cannot be read is `needs_auth`.
- Every URL comes from a server nobody vouches for, so it passes the egress guard under the server's own rules, without
  headers or credentials; redirects are not followed; sizes, times and their number are bounded (T24, T28).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from integrations.base import JsonObject
from integrations.http import EgressRules, HttpClient, HttpError, origin_of
from integrations.http.backend import Resolve
from integrations.mcp.servers import RemoteServer, Server
from integrations.mcp.trouble import Trouble, status_of

_WHOLE_SECONDS = 5.0
_ONE_SECONDS = 3.0
_MAX_BYTES = 256 * 1024
_MAX_ISSUERS = 2
_KEPT_SECONDS = 600.0
_RESOURCE_METADATA = re.compile(r'\bresource_metadata\s*=\s*(?:"([^"]*)"|([^\s,]+))', re.IGNORECASE)
_PROTECTED = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class _Kept:
    challenge: str
    status: JsonObject
    until: float


class SignIn:
    """Asks once for every attempt to connect that ended in a 401, and keeps what was read for ten minutes."""

    def __init__(self, server: Server, resolve: Resolve) -> None:
        self._server = server
        self._resolve = resolve
        self._kept: _Kept | None = None

    async def status_of(self, trouble: Trouble) -> JsonObject:
        """The published status after this trouble. Never raises for what a server says or fails to say."""
        server = self._server
        wanted = trouble.kind == "unauthorized" and isinstance(server, RemoteServer) and server.detect_oauth
        if not wanted or not isinstance(server, RemoteServer) or server.client_id is not None:
            return status_of(trouble)
        kept = self._kept
        if kept is not None and kept.challenge == trouble.challenge and time.monotonic() < kept.until:
            return dict(kept.status)
        issuer = await self._without_registration(server, trouble.challenge)
        if issuer is None:
            return status_of(trouble)
        self._kept = _Kept(trouble.challenge, _needs_registration(issuer), time.monotonic() + _KEPT_SECONDS)
        return dict(self._kept.status)

    async def _without_registration(self, server: RemoteServer, challenge: str) -> str | None:
        """The issuer that wants a client it knows already; None when there is another way, or none is known."""
        try:
            async with asyncio.timeout(_WHOLE_SECONDS), HttpClient(resolve=self._resolve) as plain:
                asking = _Asking(plain.through(server.choose), server)
                for issuer in await asking.issuers(challenge):
                    if (metadata := await asking.metadata(issuer)) is not None:
                        return None if _open_to_strangers(metadata) else issuer
        except (HttpError, TimeoutError):
            return None
        return None


class _Asking:
    """The requests of one discovery."""

    def __init__(self, http: HttpClient, server: RemoteServer) -> None:
        self._http = http
        self._url = server.url
        own = {origin_of(server.url)} - {""}
        self._rules = EgressRules(server.egress.allow, server.egress.origins | own, server.egress.declared)

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
        """A JSON object, or None for anything else, among it what the guard refuses."""
        try:
            response = await self._http.request(
                "GET", url, [("Accept", "application/json")], None,
                timeout_seconds=_ONE_SECONDS, max_bytes=_MAX_BYTES, allow=self._rules,
            )  # fmt: skip
            found: Any = orjson.loads(response.body) if response.status == 200 else None
        except (HttpError, orjson.JSONDecodeError):
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
    """The path of the issuer comes after the well-known part; OpenID Connect has it before."""
    origin, path = origin_of(issuer), urlsplit(issuer).path.rstrip("/")
    yield f"{origin}/.well-known/oauth-authorization-server{path}"
    yield f"{origin}/.well-known/openid-configuration{path}"
    if path:
        yield f"{origin}{path}/.well-known/openid-configuration"


def _open_to_strangers(metadata: JsonObject) -> bool:
    by_document = metadata.get("client_id_metadata_document_supported") is True
    return by_document or bool(metadata.get("registration_endpoint"))


def _needs_registration(issuer: str) -> JsonObject:
    return {
        "status": "needs_client_registration",
        "error": f"the authorization server {origin_of(issuer)} does not register clients by itself: register one"
        " there and set `oauth.client_id` of the integration",
    }
