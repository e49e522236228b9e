"""`OpenApiUpstream`: prepare and invoke calls of one toolset against one server with one set of headers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from integrations.base import Credential, Failure, JsonObject, PreparedCall, Result
from integrations.http import (
    EgressDenied,
    EgressRules,
    HttpClient,
    HttpError,
    HttpResponse,
    TimedOut,
    TooLarge,
    origin_of,
)
from integrations.openapi.credentials import CredentialProblem, with_credential
from integrations.openapi.media import STREAMS
from integrations.openapi.redirects import method_after, redirected
from integrations.openapi.request import Request, build_request
from integrations.openapi.responses import interpret
from integrations.openapi.toolset import OpenApiToolset

_AGAIN = frozenset({429, 502, 503, 504})
_MAX_REDIRECTS = 5
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 20.0
# What another origin may see of the headers; anything else is, or may be, a credential.
_HARMLESS = frozenset({"accept", "content-type"})


class OpenApiUpstream:
    """Implements `Upstream`. The HTTP client belongs to the caller; nothing here needs closing.

    `headers` are the integration's own and win over arguments of the same name. `retries` is the number of
    further attempts for idempotent calls; other calls are sent once, unless `idempotency_key` names the header that
    makes their repetition harmless. `egress_allow` is `egress.allow`.
    """

    def __init__(
        self,
        toolset: OpenApiToolset,
        http: HttpClient,
        *,
        base_url: str | None,
        headers: Mapping[str, str],
        retries: int = 2,
        egress_allow: Sequence[str] = (),
        max_response_bytes: int = 10 * 1024 * 1024,
        idempotency_key: str | None = None,
    ) -> None:
        self._toolset = toolset
        self._http = http
        self._base_url = base_url
        self._headers = dict(headers)
        self._retries = retries
        self._max_bytes = max_response_bytes
        self._key_header = idempotency_key
        configured = {origin_of(url) for url in (base_url, toolset.source_url) if url}
        self._egress = EgressRules(tuple(egress_allow), frozenset(configured - {""}))

    @property
    def toolset(self) -> OpenApiToolset:
        return self._toolset

    def prepare(self, tool: str, arguments: JsonObject) -> PreparedCall:
        """Validate and build. Raises `UnknownTool`, `InvalidArguments`."""
        definition = self._toolset.definition(tool)
        request, canonical = build_request(self._toolset.closure(tool), arguments, self._base_url)
        request = self._with_own_headers(request)
        key = self._key_header if definition.risk != "read" else None
        return PreparedCall(definition, canonical, f"{request.method} {request.url}", request, key)

    def _with_own_headers(self, request: Request) -> Request:
        own = {name.lower() for name in self._headers}
        kept = [item for item in request.headers if item[0].lower() not in own]
        return replace(request, headers=(*kept, *self._headers.items()))

    async def invoke(self, call: PreparedCall, credential: Credential, timeout_seconds: float) -> Result:
        """Send, follow redirects, repeat what may be repeated. Never raises for what an upstream does."""
        request: Request = _keyed(call)
        deadline = time.monotonic() + timeout_seconds
        try:
            ready = with_credential(request, credential, self._headers)
        except CredentialProblem as problem:
            return problem.failure
        again = call.tool.idempotent or call.idempotency_key is not None
        attempts = 1 + (self._retries if again else 0)
        for attempt in range(attempts):
            result, pause = await self._attempt(ready, deadline, attempt)
            if pause is None or attempt + 1 == attempts or time.monotonic() + pause >= deadline:
                return result
            await asyncio.sleep(pause)
        return result

    async def _attempt(self, request: Request, deadline: float, attempt: int) -> tuple[Result, float | None]:
        """One try: its result, and the pause after which another one makes sense (None: none does)."""
        try:
            response = await self._send(request, deadline)
        except (EgressDenied, TooLarge) as error:
            code = "egress_denied" if isinstance(error, EgressDenied) else "upstream_response_too_large"
            return Failure(code, str(error)), None
        except TimedOut as error:
            return Failure("upstream_timeout", str(error), retryable=True), None if error.sent else _pause(
                attempt
            )
        except HttpError as error:
            return Failure("upstream_unreachable", str(error), retryable=True), _pause(attempt)
        result = interpret(response, request.method)
        if response.status not in _AGAIN:
            return result, None
        return result, _retry_after(response, attempt)

    async def _send(self, request: Request, deadline: float) -> HttpResponse:
        """Follow at most five redirects. Bodies and credentials never travel to another origin."""
        method, url, body = request.method, request.url, request.body
        headers = _header_list(request)
        rules = self._rules(request)
        for _ in range(_MAX_REDIRECTS + 1):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimedOut("the deadline passed", sent=True)
            response = await self._http.request(
                method, url, headers, body,
                timeout_seconds=remaining, max_bytes=self._max_bytes, allow=rules, partial=STREAMS,
            )  # fmt: skip
            target = redirected(response)
            if target is None:
                return response
            following = method_after(response.status, method)
            if origin_of(target) != origin_of(url):
                if body is not None and following == method:
                    return response
                headers = [item for item in headers if item[0].lower() in _HARMLESS]
            if following != method:
                method, body = following, None
                headers = [item for item in headers if item[0].lower() != "content-type"]
            url = target
        return response

    def _rules(self, request: Request) -> EgressRules:
        """A file or inline document is part of the reviewed config: the servers it declares are spelled
        out.
        """
        if self._toolset.source_url is not None:
            return self._egress
        declared = {origin for server in request.binding.servers for origin in server.origins()}
        return replace(self._egress, declared=frozenset(declared))

    async def aclose(self) -> None:
        """Nothing to close: connections belong to the HTTP client."""


def _keyed(call: PreparedCall) -> Request:
    request: Request = call.plan
    if call.key_header is None or call.idempotency_key is None:
        return request
    name = call.key_header
    kept = [item for item in request.headers if item[0].lower() != name.lower()]
    return replace(request, headers=(*kept, (name, call.idempotency_key)))


def _header_list(request: Request) -> list[tuple[str, str]]:
    headers = list(request.headers)
    if request.cookies:
        headers.append(("Cookie", "; ".join(text for _, text in request.cookies)))
    return headers


def _pause(attempt: int) -> float:
    """Exponential backoff with full jitter, so that callers that failed together do not return together."""
    pause = min(_FIRST_PAUSE * float(2**attempt), _LONGEST_PAUSE)
    return random.uniform(0.5, 1.0) * pause  # noqa: S311 (no secret)


def _retry_after(response: HttpResponse, attempt: int) -> float | None:
    """Retry-After in seconds or as a date (RFC 9110 section 10.2.3); too long a wait means no further
    attempt.
    """
    value = response.header("retry-after").strip()
    if not value:
        return _pause(attempt)
    if value.isdecimal():
        seconds = float(value)
    else:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return _pause(attempt)
        seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - datetime.now(
            UTC
        ).timestamp()
    return max(0.0, seconds) + _pause(0) * 0.5 if seconds <= _LONGEST_PAUSE else None
