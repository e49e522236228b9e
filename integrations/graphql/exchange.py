"""One POST to a GraphQL endpoint. A body, and a credential, never travel to another origin."""

from __future__ import annotations

import time
from collections.abc import Mapping

from integrations.base import Credential
from integrations.credentials import placed, placements_of
from integrations.http import EgressRules, HttpClient, HttpResponse, TimedOut, origin_of
from integrations.http.redirects import redirected

ACCEPT = "application/graphql-response+json, application/json;q=0.9"
_MAX_REDIRECTS = 5


def addressed(
    endpoint: str, own_headers: Mapping[str, str], credential: Credential
) -> tuple[str, list[tuple[str, str]]]:
    """URL and headers of every request. The integration's headers replace ours, the credential's replace both.

    Raises `CredentialProblem`.
    """
    own = {name.lower() for name in own_headers}
    ours = [("Content-Type", "application/json"), ("Accept", ACCEPT)]
    headers = [item for item in ours if item[0].lower() not in own] + list(own_headers.items())
    return placed(endpoint.split("#")[0], headers, placements_of(credential))


async def post(
    http: HttpClient,
    url: str,
    headers: list[tuple[str, str]],
    body: bytes,
    *,
    deadline: float,
    max_bytes: int,
    allow: EgressRules,
    tenant: str = "",
) -> HttpResponse:
    """The answer. 307 and 308 within the origin are followed, at most five times; any other redirect is the
    answer itself. `deadline` is a reading of `time.monotonic()`. Raises `HttpError`.
    """
    followed = 0
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimedOut("the deadline passed", sent=True)
        response = await http.request(
            "POST",
            url,
            headers,
            body,
            timeout_seconds=remaining,
            max_bytes=max_bytes,
            allow=allow,
            tenant=tenant,
        )
        target = redirected(response)
        followed += 1
        if target is None or response.status not in (307, 308) or origin_of(target) != origin_of(url):
            return response
        if followed > _MAX_REDIRECTS:
            return response
        url = target
