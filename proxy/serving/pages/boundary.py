"""The boundary around every page: whatever goes wrong behind it becomes a page that says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, cast

from quart import Response
from quart import request as quart_request
from werkzeug.exceptions import HTTPException

from proxy.serving.http.asgi import HttpRequest
from proxy.serving.http.errors import RateLimited, log_defect
from proxy.serving.pages.guard import PageProblem, too_many, unavailable, unreadable_form
from proxy.serving.pages.rendering import page
from proxy.serving.pages.sign_in import PageAuth, SignInNeeded
from proxy.state import StateError
from proxy.telemetry import Logger

log = Logger("pages")

PageView = Callable[..., Awaitable[Response]]


def with_problem_pages(auth: PageAuth, view: PageView) -> PageView:
    """`view`, with every error turned into a page; who is not signed in gets the form for that."""

    @wraps(view)
    async def answered(**parts: str) -> Response:
        request = HttpRequest.of(cast(Any, quart_request.scope))
        try:
            return await view(request, **parts)
        except SignInNeeded as needed:
            return auth.login_page(request, needed)
        # The outermost boundary of a page: every other error is one of these, or a defect.
        except Exception as error:
            return _problem_page(request, _problem_of(error))

    return answered


def _problem_of(error: Exception) -> PageProblem:
    """For a defect the page shows a reference, and only the log tells the cause."""
    match error:
        case PageProblem():
            return error
        case RateLimited():
            return too_many(error.retry_after_seconds)
        case StateError():
            log.warning("store_not_answering", error=str(error))
            return unavailable("The state store does not answer. Nothing was decided.")
        case HTTPException():
            return unreadable_form(str(error.name), error.code or 400)
    text = f"Nothing was decided. The server's log says more under {log_defect(error)}."
    return PageProblem(500, "Something went wrong here", text)


def _problem_page(request: HttpRequest, problem: PageProblem) -> Response:
    request.outcome.reason = problem.title
    return page(request, problem.status, "problem.html", problem.headers, problem=problem)
