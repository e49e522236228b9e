"""`GraphQlUpstream`: prepare and invoke calls of one toolset against one endpoint with one set of headers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from integrations.attempts import attempt_repeatedly
from integrations.base import Credential, JsonObject, PreparedCall, Result
from integrations.credentials import CredentialProblem
from integrations.graphql.exchange import addressed, post
from integrations.graphql.request import GraphQlRequest, build_request
from integrations.graphql.responses import read_response
from integrations.graphql.toolset import GraphQlToolset
from integrations.graphql.uploads import PREFLIGHT
from integrations.http import EgressRules, HttpClient, HttpResponse, origin_of


class GraphQlUpstream:
    """Implements `Upstream`. The HTTP client belongs to the caller; nothing here needs closing.

    `headers` are the integration's own. `retries` is the number of further attempts for queries; mutations are
    sent once.
    """

    def __init__(
        self,
        toolset: GraphQlToolset,
        http: HttpClient,
        *,
        endpoint: str,
        headers: Mapping[str, str],
        retries: int = 2,
        egress_allow: Sequence[str] = (),
        max_response_bytes: int = 10 * 1024 * 1024,
    ) -> None:
        self._toolset = toolset
        self._http = http
        self._endpoint = endpoint
        self._headers = dict(headers)
        self._retries = retries
        self._max_bytes = max_response_bytes
        self._egress = EgressRules(tuple(egress_allow), frozenset({origin_of(endpoint)} - {""}))

    @property
    def toolset(self) -> GraphQlToolset:
        return self._toolset

    def prepare(self, tool: str, arguments: JsonObject) -> PreparedCall:
        """Validate and build. Raises `UnknownTool`, `InvalidArguments`."""
        request, canonical = build_request(self._toolset, tool, arguments)
        summary = f"POST {self._endpoint.split('?')[0]} {request.kind} {request.name}"
        return PreparedCall(self._toolset.entry(tool).definition, canonical, summary, request)

    async def invoke(self, call: PreparedCall, credential: Credential, timeout_seconds: float) -> Result:
        """Send, and repeat queries that may be repeated. Never raises for what an upstream does."""
        request: GraphQlRequest = call.plan
        deadline = time.monotonic() + timeout_seconds
        try:
            url, headers = addressed(self._endpoint, self._headers, credential)
        except CredentialProblem as problem:
            return problem.failure
        kind, body = request.body()
        if request.files:
            headers = [(name, kind if name.lower() == "content-type" else value) for name, value in headers]
            headers.append(PREFLIGHT)

        async def attempt() -> tuple[Result, HttpResponse]:
            response = await post(
                self._http,
                url,
                headers,
                body,
                deadline=deadline,
                max_bytes=self._max_bytes,
                allow=self._egress,
                tenant=call.tenant,
            )
            return read_response(response), response

        return await attempt_repeatedly(attempt, 1 + (self._retries if call.tool.idempotent else 0), deadline)

    async def aclose(self) -> None:
        """Nothing to close: connections belong to the HTTP client."""
