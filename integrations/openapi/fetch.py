"""Documents and the files they refer to, over HTTP: conditional requests, redirects, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from integrations.base import SourceError
from integrations.http import EgressRules, HttpClient, HttpError, HttpResponse, origin_of
from integrations.http.redirects import redirected
from integrations.sources import MAX_SOURCE_BYTES

_FETCH_SECONDS = 30.0
_MAX_REDIRECTS = 5
_ACCEPT = "application/json, application/yaml;q=0.9, text/yaml;q=0.9, */*;q=0.5"
# Response header -> the request header that asks whether it still holds (RFC 9110 sections 13.1.2, 13.1.3).
_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """`content` is None when the document has not changed. `url` is where it was found in the end.

    `validators` are the request headers of the next conditional request.
    """

    content: bytes | None
    url: str
    validators: Mapping[str, str] = field(default_factory=dict)


class Fetcher:
    """Fetches for one integration: with its headers and under its egress rules."""

    def __init__(
        self, http: HttpClient, egress_allow: tuple[str, ...], headers: tuple[tuple[str, str], ...]
    ) -> None:
        self._http = http
        self._allow = egress_allow
        self._headers = headers

    async def document(self, url: str, validators: Mapping[str, str]) -> FetchedDocument:
        """The document itself, wherever redirects lead. Raises `SourceError`."""
        response = await self._follow(url, validators, anywhere=True)
        known = {ask: value for name, ask in _VALIDATORS.items() if (value := response.header(name))}
        if response.status == 304 and validators:
            return FetchedDocument(None, response.url, known or validators)
        return FetchedDocument(_body(response, url), response.url, known)

    async def part(self, url: str) -> bytes:
        """A file that the document refers to, from its own origin only. Raises `SourceError`."""
        return _body(await self._follow(url, {}, anywhere=False), url)

    async def _follow(self, url: str, validators: Mapping[str, str], *, anywhere: bool) -> HttpResponse:
        rules = EgressRules(allow=self._allow, origins=frozenset({origin_of(url)}))
        headers = [("Accept", _ACCEPT), *self._headers, *validators.items()]
        here = url
        for _ in range(_MAX_REDIRECTS + 1):
            try:
                response = await self._http.request(
                    "GET", here, headers, None,
                    timeout_seconds=_FETCH_SECONDS, max_bytes=MAX_SOURCE_BYTES, allow=rules,
                )  # fmt: skip
            except HttpError as error:
                raise SourceError(f"{_shown(url)}: {error}") from None
            target = redirected(response)
            if target is None:
                return response
            if origin_of(target) != origin_of(here):
                if not anywhere:
                    raise SourceError(f"{_shown(url)}: is redirected to another origin")
                headers = [("Accept", _ACCEPT), *validators.items()]
            here = target
        raise SourceError(f"{_shown(url)}: is redirected more than {_MAX_REDIRECTS} times")


def _body(response: HttpResponse, url: str) -> bytes:
    if response.status != 200:
        raise SourceError(f"{_shown(url)}: answered {response.status} instead of a document")
    return response.body


def _shown(url: str) -> str:
    """Queries may hold keys."""
    return url.split("?")[0]
