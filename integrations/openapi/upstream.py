"""`OpenApiUpstream`: prepare and invoke calls of one toolset against one server with one set of headers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from integrations.attempts import attempt_repeatedly
from integrations.base import (
    Credential,
    Failure,
    InvalidArguments,
    JsonObject,
    PreparedCall,
    Problem,
    Result,
)
from integrations.credentials import CredentialProblem
from integrations.http import EgressRules, HttpClient, HttpResponse, TimedOut, origin_of
from integrations.http.media import STREAMS
from integrations.http.redirects import method_after, redirected
from integrations.http.responses import interpret
from integrations.openapi.config import Validate
from integrations.openapi.credentials import CredentialPlaces, supplied_names, with_credential
from integrations.openapi.redirection import another_tool, not_followed
from integrations.openapi.request import OutgoingRequest, build_request
from integrations.openapi.responses import is_data
from integrations.openapi.toolset import OpenApiToolset

_MAX_REDIRECTS = 5
_MAX_NAMED = 5
# How upstreams say that a request is wrong in itself.
_REFUSED = frozenset({400, 422})
# The only headers that are sent to another origin: any other may be a credential.
_CROSS_ORIGIN_HEADERS = frozenset({"accept", "content-type"})


class OpenApiUpstream:
    """Implements `Upstream`. The HTTP client belongs to the caller; nothing here needs closing.

    `headers` are the integration's own, `places` says where the connection's credential goes: what they set is neither
    asked of a caller nor taken from one. `retries` is the number of
    further attempts for idempotent calls. Other calls are sent once, unless `idempotency_key` names the header by
    which the upstream recognises a repetition (`Idempotency-Key`). `validate` says what requests are checked for, and
    what that let through is named when the upstream refuses the request. `egress_allow` is `egress.allow`.
    """

    def __init__(
        self,
        toolset: OpenApiToolset,
        http: HttpClient,
        *,
        base_url: str | None,
        headers: Mapping[str, str],
        places: CredentialPlaces = CredentialPlaces(),  # noqa: B008
        retries: int = 2,
        egress_allow: Sequence[str] = (),
        idempotency_key: str | None = None,
        validate: Validate = "lenient",
        max_response_bytes: int = 10 * 1024 * 1024,
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._headers = dict(headers)
        # No method of this object: in a cycle it would outlive its connection until garbage is looked for.
        self._supplied = partial(supplied_names, static_headers=self._headers, credential=places)
        self._toolset = toolset.without(self._supplied, (*sorted(headers), *places.words()))
        self._retries = retries
        self._idempotency_key = idempotency_key
        self._validate: Validate = validate
        self._max_bytes = max_response_bytes
        configured = {origin_of(url) for url in (base_url, toolset.source_url) if url}
        self._egress = EgressRules(tuple(egress_allow), frozenset(configured - {""}))

    @property
    def toolset(self) -> OpenApiToolset:
        """The tools as this connection's callers see them."""
        return self._toolset

    def prepare(self, tool: str, arguments: JsonObject) -> PreparedCall:
        """Validate and build. Raises `UnknownTool`, `InvalidArguments`."""
        definition = self._toolset.definition(tool)
        request, canonical = self._build(tool, arguments, self._validate)
        request = self._with_own_headers(request)
        key = None if definition.idempotent else self._idempotency_key
        return PreparedCall(definition, canonical, f"{request.method} {request.url}", request, key)

    def _build(
        self, tool: str, arguments: JsonObject, validate: Validate
    ) -> tuple[OutgoingRequest, JsonObject]:
        closure = self._toolset.closure(tool)
        supplied = self._supplied(closure.binding)
        return build_request(closure, arguments, self._base_url, supplied, validate=validate)

    def _with_own_headers(self, request: OutgoingRequest) -> OutgoingRequest:
        own = {name.lower() for name in self._headers}
        kept = [item for item in request.headers if item[0].lower() not in own]
        return replace(request, headers=(*kept, *self._headers.items()))

    async def invoke(self, call: PreparedCall, credential: Credential, timeout_seconds: float) -> Result:
        """Send, follow redirects, repeat what may be repeated. Never raises for what an upstream does."""
        request: OutgoingRequest = call.plan
        deadline = time.monotonic() + timeout_seconds
        try:
            ready = with_credential(request, credential, self._headers)
        except CredentialProblem as problem:
            return problem.failure

        async def attempt() -> tuple[Result, HttpResponse]:
            response, refusal = await self._send(ready, deadline, call.tenant)
            if refusal is not None:
                return refusal, response
            kind = response.header("content-type")
            structured = is_data(self._toolset.doc, ready.binding, response.status, kind)
            return interpret(response, ready.method, structured=structured), response

        repeatable = call.tool.idempotent
        if not repeatable and self._idempotency_key is not None:
            ready, repeatable = _with_key(ready, self._idempotency_key, call.idempotency_key), True
        attempts = 1 + (self._retries if repeatable else 0)
        result = await attempt_repeatedly(attempt, attempts, deadline)
        if isinstance(result, Failure) and result.status in _REFUSED and self._validate != "strict":
            return self._with_overlooked(call, result)
        return result

    def _with_overlooked(self, call: PreparedCall, failure: Failure) -> Failure:
        """The failure with what the request's check let through: the likeliest reason why it was refused."""
        try:
            self._build(call.tool.name, call.arguments, "strict")
        except InvalidArguments as error:
            return _naming(failure, error.problems, self._validate)
        return failure

    async def _send(
        self, request: OutgoingRequest, deadline: float, tenant: str
    ) -> tuple[HttpResponse, Failure | None]:
        """Follow at most five redirects, none to another tool: it would run unjudged. Bodies and credentials never
        travel to another origin.
        """
        method, url, body = request.method, request.url, request.body
        headers = _header_list(request)
        rules = self._rules(request)
        left = _MAX_REDIRECTS
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimedOut("the deadline passed", sent=True)
            response = await self._http.request(
                method, url, headers, body,
                timeout_seconds=remaining, max_bytes=self._max_bytes, allow=rules, partial=STREAMS, tenant=tenant,
            )  # fmt: skip
            target = redirected(response)
            if target is None or left == 0:
                return response, None
            left -= 1
            following = method_after(response.status, method)
            other = another_tool(self._toolset, request, target, following)
            if other is not None:
                return response, not_followed(response, target, other, self._toolset)
            if origin_of(target) != origin_of(url):
                if body is not None and following == method:
                    return response, None
                headers = [item for item in headers if item[0].lower() in _CROSS_ORIGIN_HEADERS]
            if following != method:
                method, body = following, None
                headers = [item for item in headers if item[0].lower() != "content-type"]
            url = target

    def _rules(self, request: OutgoingRequest) -> EgressRules:
        """A file or inline document is part of the reviewed config, so the servers it declares are allowed."""
        if self._toolset.source_url is not None:
            return self._egress
        declared = {origin for server in request.binding.servers for origin in server.origins()}
        return replace(self._egress, declared=frozenset(declared))

    async def aclose(self) -> None:
        """Nothing to close: connections belong to the HTTP client."""


def _naming(failure: Failure, problems: Sequence[Problem], validate: Validate) -> Failure:
    named = "; ".join(f"{one.pointer or '/'}: {one.reason}" for one in problems[:_MAX_NAMED])
    more = f"; and {len(problems) - _MAX_NAMED} more" if len(problems) > _MAX_NAMED else ""
    message = f"{failure.message} (sent although the document does not allow it, `validate: {validate}`: {named}{more})"
    listed = [{"pointer": one.pointer, "reason": one.reason} for one in problems]
    return replace(failure, message=message, details={**failure.details, "overlooked": listed})


def _with_key(request: OutgoingRequest, header: str, key: str | None) -> OutgoingRequest:
    """One key for all attempts of a call: the call's own, or a new one. A key given as an argument stays."""
    if any(name.lower() == header.lower() for name, _ in request.headers):
        return request
    return replace(request, headers=(*request.headers, (header, key or str(uuid.uuid4()))))


def _header_list(request: OutgoingRequest) -> list[tuple[str, str]]:
    headers = list(request.headers)
    if request.cookies:
        headers.append(("Cookie", "; ".join(text for _, text in request.cookies)))
    return headers
