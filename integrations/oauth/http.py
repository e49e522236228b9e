"""Requests to authorization servers: small, short, guarded, without redirects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from integrations.base import JsonObject
from integrations.http import EgressRules, HttpClient, HttpError, HttpResponse
from integrations.http.retry_after import milliseconds_to_wait
from integrations.json_text import read_bounded, write_json
from integrations.oauth.errors import OAuthUnavailable

MAX_BYTES: Final = 256 * 1024
METADATA_SECONDS: Final = 5.0
TOKEN_SECONDS: Final = 10.0
"""Shorter than the lease under which a token is refreshed."""
_JSON: Final = ("Accept", "application/json")
_LATER: Final = frozenset({408, 425, 429})
Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class OAuthHttp:
    """`rules` say which private addresses may be asked: those that the config names, and no others."""

    http: HttpClient
    rules: EgressRules

    async def metadata(self, url: str) -> JsonObject | None:
        """A JSON object, or None for anything else: other statuses, HTML, redirects, a URL that the guard refuses."""
        try:
            response = await self.http.request(
                "GET", url, [_JSON], None,
                timeout_seconds=METADATA_SECONDS, max_bytes=MAX_BYTES, allow=self.rules,
            )  # fmt: skip
        except HttpError:
            return None
        return json_object(response) if response.status == 200 else None

    async def form(self, url: str, fields: Fields, headers: Fields = ()) -> HttpResponse:
        """POST a form. Raises `OAuthUnavailable`."""
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        return await self._post(url, urlencode(list(fields)).encode(), [kind, *headers])

    async def document(self, url: str, content: JsonObject) -> HttpResponse:
        """POST a JSON document. Raises `OAuthUnavailable`."""
        return await self._post(url, write_json(content), [("Content-Type", "application/json")])

    async def _post(self, url: str, body: bytes, headers: list[tuple[str, str]]) -> HttpResponse:
        try:
            response = await self.http.request(
                "POST", url, [_JSON, *headers], body,
                timeout_seconds=TOKEN_SECONDS, max_bytes=MAX_BYTES, allow=self.rules,
            )  # fmt: skip
        except HttpError as error:
            raise OAuthUnavailable(str(error)) from None
        if response.status >= 500 or response.status in _LATER:
            wait = milliseconds_to_wait(response.header)
            raise OAuthUnavailable(
                f"the authorization server answered {response.status}", None if wait is None else wait / 1000
            )
        return response


def json_object(response: HttpResponse) -> JsonObject | None:
    """The body as a JSON object, whatever type it declares; None when it is none."""
    try:
        found = read_bounded(response.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
