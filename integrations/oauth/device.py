"""Signing in on another device (RFC 8628): a short code for a person to enter there, a long one for us to ask with.

Some servers call `verification_uri` `verification_url` (Google), and want the client's id in the form even where its
secret goes into a header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from integrations.base import JsonObject, Secret
from integrations.http import origin_of
from integrations.oauth.client import OAuthClient, proof
from integrations.oauth.errors import OAuthAnswerWrong
from integrations.oauth.http import Fields, OAuthHttp
from integrations.oauth.token import TokenEndpoint, answer_in, refuse, seconds_in

_USUAL_INTERVAL: Final = 5.0
_LONGEST_INTERVAL: Final = 60.0
_CODE: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_USER_CODE: Final = re.compile(r"[\x20-\x7e]{1,64}")
_LONGEST_URL: Final = 4096


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """`url` is where a person enters `user_code`; `complete_url` holds the code already. Seconds from now."""

    device_code: Secret
    user_code: str
    url: str
    complete_url: str | None
    expires_in: float
    interval: float


async def request_device_code(
    http: OAuthHttp, endpoint: TokenEndpoint, client: OAuthClient, fields: Fields
) -> DeviceCode:
    """Raises `OAuthRefused`, `OAuthUnavailable`, `OAuthAnswerWrong`."""
    own, headers = proof(client, endpoint.issuer or endpoint.url)
    if not any(name == "client_id" for name, _ in own):
        own = [("client_id", client.client_id), *own]
    response = await http.form(endpoint.url, [*fields, *own], headers)
    found = answer_in(response, "device_code")
    refuse(response.status, found, client.secrets())
    url = _url(found, "verification_uri") or _url(found, "verification_url")
    expires_in = seconds_in(found.get("expires_in"))
    if url is None or expires_in is None:
        missing = "verification_uri" if url is None else "expires_in"
        raise OAuthAnswerWrong(f"the device endpoint answered without a usable `{missing}`")
    return DeviceCode(
        Secret(_code(found, "device_code", _CODE)),
        _code(found, "user_code", _USER_CODE),
        url,
        _url(found, "verification_uri_complete"),
        expires_in,
        min(seconds_in(found.get("interval")) or _USUAL_INTERVAL, _LONGEST_INTERVAL),
    )


def _code(found: JsonObject, name: str, form: re.Pattern[str]) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise OAuthAnswerWrong(f"the device endpoint answered without a usable `{name}`")
    return value


def _url(found: JsonObject, name: str) -> str | None:
    """A page for a browser, and nothing else that a browser could be made to open."""
    value = found.get(name)
    return value if isinstance(value, str) and len(value) <= _LONGEST_URL and origin_of(value) else None
