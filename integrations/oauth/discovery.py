"""Who guards a server, and where that one is: RFC 9728, RFC 8414, OpenID Connect Discovery.

Rules
- A server may name where its metadata is, but only on its own origin: a foreign host is not asked (T24). Else the
  well-known places are tried, with the path and without.
- `resource` must be of the server's origin, and its path whole leading segments of the server's. It is sent to the
  authorization server exactly as published.
- Metadata of an authorization server counts only if its `issuer` is the one that was asked for, but for a slash at
  the root (Google, Auth0). A list of PKCE methods without S256 ends it; no list does not (Entra).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from integrations.base import JsonObject
from integrations.http import EgressDenied, origin_of
from integrations.http.egress import parse_target
from integrations.oauth.challenge import AuthChallenge
from integrations.oauth.errors import DiscoveryFailed
from integrations.oauth.http import OAuthHttp

_PROTECTED: Final = "/.well-known/oauth-protected-resource"
_SERVER: Final = "/.well-known/oauth-authorization-server"
_OPENID: Final = "/.well-known/openid-configuration"
_MAX_ISSUERS: Final = 3


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """What a protected server says of itself (RFC 9728 section 2)."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """What an authorization server says of itself (RFC 8414 section 2). Lists are None when they are not given."""

    issuer: str
    authorization_endpoint: str | None
    token_endpoint: str
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    device_endpoint: str | None = None
    scopes: tuple[str, ...] | None = None
    grants: tuple[str, ...] | None = None
    client_auths: tuple[str, ...] | None = None
    names_itself: bool = False
    takes_documents: bool = False

    @property
    def takes_strangers(self) -> bool:
        """Whether a client that nobody registered by hand can sign in."""
        return self.takes_documents or self.registration_endpoint is not None


async def resource_metadata(
    http: OAuthHttp, server_url: str, challenge: AuthChallenge
) -> ResourceMetadata | None:
    """None when the server publishes none that is valid for it."""
    for url in resource_metadata_urls(server_url, challenge):
        found = await http.metadata(url)
        if found is not None and _is_about(found.get("resource"), server_url):
            servers = found.get("authorization_servers")
            return ResourceMetadata(
                str(found["resource"]),
                tuple(texts_in(servers) or ())[:_MAX_ISSUERS],
                tuple(texts_in(found.get("scopes_supported")) or ()),
            )
    return None


def resource_metadata_urls(server_url: str, challenge: AuthChallenge) -> Iterator[str]:
    """Where metadata may be, in the order of trying."""
    origin, path = origin_of(server_url), urlsplit(server_url).path
    named = challenge.parameters.get("resource_metadata", "")
    if named and origin_of(named) == origin:
        yield named
    if path.rstrip("/"):
        yield origin + _PROTECTED + path.rstrip("/")
    yield origin + _PROTECTED


def _is_about(resource: object, server_url: str) -> bool:
    if not isinstance(resource, str) or not origin_of(resource):
        return False
    if origin_of(resource) != origin_of(server_url) or "#" in resource:
        return False
    theirs, ours = urlsplit(resource).path.rstrip("/"), urlsplit(server_url).path.rstrip("/")
    return theirs == ours or ours.startswith(theirs + "/")


async def authorization_server(http: OAuthHttp, issuer: str) -> AuthorizationServer:
    """Its metadata. Raises `DiscoveryFailed`."""
    if not origin_of(issuer):
        raise DiscoveryFailed(f"`{issuer[:200]}` is no URL of an authorization server")
    why = "it publishes no metadata (RFC 8414, OpenID Connect Discovery)"
    for url in server_metadata_urls(issuer):
        found = await http.metadata(url)
        if found is None:
            continue
        if not same_issuer(found.get("issuer"), issuer):
            why = f"its metadata names another issuer ({str(found.get('issuer'))[:200]})"
            continue
        return server_of(found)
    raise DiscoveryFailed(f"the authorization server {issuer} cannot be used: {why}")


def server_metadata_urls(issuer: str) -> Iterator[str]:
    """RFC 8414 puts the path of the issuer after the well-known part, OpenID Connect before it; some do both."""
    origin, path = origin_of(issuer), urlsplit(issuer).path.rstrip("/")
    yield f"{origin}{_SERVER}{path}"
    yield f"{origin}{_OPENID}{path}"
    if path:
        yield f"{origin}{path}{_OPENID}"


def same_issuer(published: object, asked: str) -> bool:
    """Exactly the same, but for the slash that some put after a bare origin and some do not."""
    if not isinstance(published, str):
        return False
    return published == asked or (published.rstrip("/") == asked.rstrip("/") == origin_of(asked))


def server_of(found: JsonObject) -> AuthorizationServer:
    """The metadata as a type. Raises `DiscoveryFailed` for endpoints that are none, and for PKCE without S256."""
    methods = texts_in(found.get("code_challenge_methods_supported"))
    if methods is not None and "S256" not in methods:
        raise DiscoveryFailed(
            f"the authorization server {found['issuer']} does not support PKCE with S256 (RFC 7636), which is required"
        )
    token = _endpoint(found, "token_endpoint")
    if token is None:
        raise DiscoveryFailed(f"the authorization server {found['issuer']} names no token endpoint")
    return AuthorizationServer(
        str(found["issuer"]),
        _endpoint(found, "authorization_endpoint"),
        token,
        _endpoint(found, "registration_endpoint"),
        _endpoint(found, "revocation_endpoint"),
        _endpoint(found, "device_authorization_endpoint"),
        texts_in(found.get("scopes_supported")),
        texts_in(found.get("grant_types_supported")),
        texts_in(found.get("token_endpoint_auth_methods_supported")),
        found.get("authorization_response_iss_parameter_supported") is True,
        found.get("client_id_metadata_document_supported") is True,
    )


def _endpoint(found: JsonObject, name: str) -> str | None:
    value = found.get(name)
    if value is None:
        return None
    try:
        parse_target(value if isinstance(value, str) else "")
    except EgressDenied:
        raise DiscoveryFailed(
            f"the authorization server {found['issuer']}: `{name}` is no usable URL"
        ) from None
    return str(value)


def texts_in(value: Any) -> tuple[str, ...] | None:
    """The texts of a list; None when there is no list."""
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else None
