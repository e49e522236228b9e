"""From Quart's routing to the handlers and back."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import orjson
from quart import Quart, Response, request

from proxy.serving.drain import RETRY_AFTER_SECONDS, Drain
from proxy.serving.errors import RateLimited, Refusal
from proxy.serving.gateway import Gateway
from proxy.serving.rest.executions import Outliving
from proxy.serving.rest.front import SCOPE_KEY, Admitted, problem_body, rate_limited
from proxy.serving.rest.openapi import document
from proxy.serving.rest.request import Call, Problem
from proxy.serving.rest.routes import Route, routes
from proxy.state import StateError

View = Callable[..., Awaitable[Response]]


def add_api(app: Quart, gateway: Gateway, drain: Drain) -> None:
    """Every route of the table, and the document. The views answer only what `ApiFront` has let in."""
    table = routes(Outliving())
    described = orjson.dumps(document(table))

    async def openapi() -> Response:
        return Response(described, content_type="application/json")

    app.add_url_rule("/api/openapi.json", "openapi", openapi, methods=["GET"])
    for route in table:
        rule = re.sub(r"\{(\w+)\}", r"<\1>", route.path)
        app.add_url_rule(rule, f"api.{route.name}", _view(route, gateway, drain), methods=[route.method])


def _view(route: Route, gateway: Gateway, drain: Drain) -> View:
    async def view(**path: str) -> Response:
        try:
            if route.works:
                drain.refuse_new_work()
            answer = await route.handler(gateway, _call(path))
        except Problem as problem:
            return _refused(problem)
        except Refusal as refusal:
            return _refused(Problem.of(refusal))
        except RateLimited as error:
            return _refused(rate_limited(error))
        except StateError:
            message = "The state store does not answer; nothing was decided or begun. Try again."
            headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
            return _refused(Problem(503, "unavailable", message, headers))
        headers = {"cache-control": "no-store"}
        return Response(orjson.dumps(answer.body), answer.status, headers, content_type="application/json")

    return view


def _call(path: dict[str, str]) -> Call:
    admitted = request.scope.get(SCOPE_KEY)
    if not isinstance(admitted, Admitted):
        raise Problem(401, "unauthorized", "This listener serves no API.")
    key = request.headers.get("idempotency-key")
    query = {name: request.args[name] for name in request.args}
    return Call(admitted.principal, query, path, admitted.body, key)


def _refused(problem: Problem) -> Response:
    return Response(problem_body(problem), problem.status, problem.headers, content_type="application/json")
