"""Who we say we are: dynamic client registration (RFC 7591), and the document that describes a client by its URL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast
from urllib.parse import urlsplit

from integrations.base import JsonObject, Secret
from integrations.fields import is_local_host
from integrations.oauth.client import ClientAuth, OAuthClient
from integrations.oauth.discovery import AuthorizationServer
from integrations.oauth.errors import OAuthAnswerWrong
from integrations.oauth.http import OAuthHttp, json_object
from integrations.oauth.token import refuse

CLIENT_NAME: Final = "Executor"
_KNOWN: Final = ("none", "client_secret_basic", "client_secret_post")
_LONGEST: Final = 4096


async def register(http: OAuthHttp, server: AuthorizationServer, metadata: JsonObject) -> OAuthClient:
    """A new client of this metadata. Raises `OAuthRefused`, `OAuthUnavailable`, `OAuthAnswerWrong`."""
    assert server.registration_endpoint is not None
    auth = _registered_auth(server.client_auths)
    asked = {**metadata, "token_endpoint_auth_method": auth}
    response = await http.document(server.registration_endpoint, asked)
    found = json_object(response)
    if found is None:
        raise OAuthAnswerWrong(f"the registration endpoint answered {response.status} without a client")
    refuse(response.status, found)
    client_id, secret = found.get("client_id"), found.get("client_secret")
    if not isinstance(client_id, str) or not 0 < len(client_id) <= _LONGEST:
        raise OAuthAnswerWrong("the registration endpoint answered without a client id")
    given = found.get("token_endpoint_auth_method", auth)
    auth = cast(ClientAuth, given) if given in _KNOWN else auth
    if not isinstance(secret, str) or not secret:
        return OAuthClient(client_id)
    # A server that gives a secret wants to see it, whatever it says of the method.
    return OAuthClient(client_id, "client_secret_basic" if auth == "none" else auth, Secret(secret))


def client_metadata(redirect_uris: Sequence[str]) -> JsonObject:
    """What a client is registered with. No `scope`: servers refuse those that they do not know."""
    local = all(is_local_host(urlsplit(one).hostname or "") for one in redirect_uris)
    return {
        "client_name": CLIENT_NAME,
        "redirect_uris": list(redirect_uris),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "native" if local else "web",
        "token_endpoint_auth_method": "none",
    }


def device_client_metadata(grant: str) -> JsonObject:
    """The same for a client that people sign in to on another device: no browser comes back to it (RFC 8628)."""
    return {
        **client_metadata([]),
        "grant_types": [grant, "refresh_token"],
        "response_types": [],
        "application_type": "native",
    }


def _registered_auth(supported: Sequence[str] | None) -> ClientAuth:
    """`none` where it is listed or nothing is: a public client with PKCE keeps no secret that could leak."""
    if not supported or "none" in supported:
        return "none"
    return "client_secret_post" if "client_secret_basic" not in supported else "client_secret_basic"
