"""From Quart's routes to the handlers of the REST API, and from what they return to HTTP."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache

from quart import Quart, Response, request

from integrations.json_text import write_json
from proxy.serving.admission import SCOPE_KEY, AdmittedRequest
from proxy.serving.detached import DetachedTasks
from proxy.serving.drain import RETRY_AFTER_SECONDS, Drain
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import BASE_KEY, OUTCOME_KEY, RequestOutcome
from proxy.serving.http.errors import RateLimited, RequestRefusal, rate_limited, rest_error
from proxy.serving.rest.openapi import document
from proxy.serving.rest.request import ApiProblem, ApiRequest
from proxy.serving.rest.routes import Route, routes
from proxy.state import StateError

QuartView = Callable[..., Awaitable[Response]]


def add_api(app: Quart, gateway: Gateway, drain: Drain) -> None:
    """Add every route of the table, and the document. The views answer only what `ApiAdmission` has let in."""
    table = routes(DetachedTasks())
    described = document(table)

    @lru_cache(maxsize=1)
    def below(base: str) -> bytes:
        return write_json({**described, "servers": [{"url": base or "/"}]})

    async def openapi() -> Response:
        return Response(below(request.scope.get(BASE_KEY, "")), content_type="application/json")

    app.add_url_rule("/api/openapi.json", "openapi", openapi, methods=["GET"])
    for route in table:
        rule = re.sub(r"\{(\w+)\}", r"<\1>", route.path)
        app.add_url_rule(rule, f"api.{route.name}", _view(route, gateway, drain), methods=[route.method])


def _view(route: Route, gateway: Gateway, drain: Drain) -> QuartView:
    async def view(**path: str) -> Response:
        try:
            if route.begins_work:
                drain.refuse_new_work()
            response = await route.handler(gateway, _request(path))
        except RequestRefusal as refusal:
            return refused(refusal)
        except RateLimited as error:
            return refused(rate_limited(error))
        except StateError:
            message = "The state store does not answer; nothing was decided or begun. Try again."
            headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
            return refused(ApiProblem(503, "unavailable", message, headers))
        headers = {"cache-control": "no-store"}
        return Response(write_json(response.body), response.status, headers, content_type="application/json")

    return view


def _request(path: dict[str, str]) -> ApiRequest:
    admitted = request.scope.get(SCOPE_KEY)
    if not isinstance(admitted, AdmittedRequest):
        raise ApiProblem(401, "unauthorized", "This listener serves no API.")
    key = request.headers.get("idempotency-key")
    query = {name: request.args[name] for name in request.args}
    return ApiRequest(admitted.principal, query, path, admitted.body, key)


def refused(refusal: RequestRefusal) -> Response:
    """The error as Quart sends it; the log learns why."""
    outcome = request.scope.get(OUTCOME_KEY)
    if isinstance(outcome, RequestOutcome):
        outcome.reason = refusal.message
    return Response(
        rest_error(refusal), refusal.fault.status, refusal.headers, content_type="application/json"
    )
