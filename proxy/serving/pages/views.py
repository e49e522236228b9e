"""The routes: one execution, the list of all that waits, and their small files. Signing in is in `sign_in`.

A form names the questions that were on the page when it was rendered. A question that came later is not touched by
"all", and the id of a question stands for exactly its arguments, so what was read is what is decided.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, cast

from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException

from proxy.executions import Decision, ExecutionView, Interaction
from proxy.serving.errors import RateLimited
from proxy.serving.gateway import Gateway
from proxy.serving.http import Request
from proxy.serving.pages.fields import Field, fields_of, fill
from proxy.serving.pages.guard import (
    Form,
    Problem,
    check_token,
    not_found,
    one,
    too_many,
    unavailable,
    unreadable_form,
)
from proxy.serving.pages.options import PageOptions
from proxy.serving.pages.presenting import Shown, groups, list_digest, path_of, present
from proxy.serving.pages.rendering import PATH, asset, page, plain, redirect
from proxy.serving.pages.sign_in import LIST, Entrance, Reader, SignInNeeded
from proxy.state import StateError

log = logging.getLogger(__name__)

_EXECUTION: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
View = Callable[..., Awaitable[Response]]
Retyped = Mapping[str, tuple[Field, ...]]

FIELD_PREFIX: Final = "field."
"""Before the names of a question's own fields, which must not be taken for ours."""

_PLAIN: Final[Mapping[str, Decision]] = {
    "accept": Decision("accept"),
    "decline": Decision("decline"),
    "cancel": Decision("cancel"),
}
_OUTCOMES: Final = ("retry", "done", "fail")


def add_pages(app: Quart, gateway: Gateway, options: PageOptions) -> None:
    """Put the pages into the app that serves everything beside MCP."""
    pages = _Pages(gateway, options)
    routes: tuple[tuple[str, str, View], ...] = (
        ("GET", "/resume/<execution_id>", pages.show_execution),
        ("POST", "/resume/<execution_id>", pages.decide),
        ("GET", "/resume/<execution_id>/state", pages.execution_state),
        ("GET", LIST, pages.show_list),
        ("GET", f"{LIST}/state", pages.list_state),
        ("GET", "/login", pages.door.show_login),
        ("POST", "/login", pages.door.sign_in),
        ("POST", "/logout", pages.door.sign_out),
        ("GET", f"{PATH}<name>", pages.file),
    )
    for method, path, view in routes:
        app.add_url_rule(path, f"pages {method} {path}", pages.answering(view), methods=[method])


class _Pages:
    def __init__(self, gateway: Gateway, options: PageOptions) -> None:
        self._gateway = gateway
        self._options = options
        self.door = Entrance(gateway, options)

    # ---- every request ------------------------------------------------------------------------------------------
    def answering(self, view: View) -> View:
        """`view` with everything that can go wrong turned into a page."""

        @wraps(view)
        async def answered(**parts: str) -> Response:
            asked = Request.of(cast(Any, request.scope))
            try:
                return await view(asked, **parts)
            except SignInNeeded as needed:
                return self.door.login_page(asked, needed)
            except Problem as problem:
                return self._problem_page(problem)
            except RateLimited as limited:
                return self._problem_page(too_many(limited.retry_after_seconds))
            except StateError as error:
                log.warning("pages: the state store does not answer: %s", error)
                return self._problem_page(
                    unavailable("The state store does not answer. Nothing was decided.")
                )
            except HTTPException as error:
                return self._problem_page(unreadable_form(str(error.name), error.code or 400))
            except (
                Exception
            ) as error:  # the outermost boundary: people get a page, and only the log the cause
                reference = secrets.token_hex(4)
                log.error("internal error [%s]", reference, exc_info=error)
                text = f"Nothing was decided. The server's log says more under {reference}."
                return self._problem_page(Problem(500, "Something went wrong here", text))

        return answered

    # ---- executions ---------------------------------------------------------------------------------------------
    async def show_execution(self, asked: Request, execution_id: str) -> Response:
        again = self.door.again(asked)
        if again is not None:
            return again
        reader = await self.door.reader(asked)
        await self.door.count(reader)
        return self._execution_page(200, reader, await self._view(reader, execution_id))

    async def execution_state(self, asked: Request, execution_id: str) -> Response:
        try:
            reader = await self.door.reader(asked)
        except SignInNeeded:
            return plain(401, "")
        return plain(200, self._presented(reader, await self._view(reader, execution_id)).digest)

    async def decide(self, asked: Request, execution_id: str) -> Response:
        form = await self.door.posted(asked)
        reader = await self.door.reader(asked)
        check_token(form, reader.sign_in)
        await self.door.count(reader)
        view = await self._view(reader, execution_id)
        answers = answers_of(form, view)
        if answers.retyped:
            text = "Please look at the fields that are marked."
            return self._execution_page(422, reader, view, note=text, retyped=answers.retyped)
        outcome = await self._gateway.decide(view.id, answers.decisions, reader.principal, "browser")
        if outcome.first_refusal is None:
            return redirect(path_of(view.id, view.session_id))
        if outcome.why == "not_found":
            raise not_found()
        view = await self._view(reader, execution_id)
        return self._execution_page(409, reader, view, note=outcome.message())

    async def _view(self, reader: Reader, execution_id: str) -> ExecutionView:
        """Raises `Problem` (404) for whatever this reader may not see. A session that is named has to be the right
        one."""
        if not _EXECUTION.fullmatch(execution_id):
            raise not_found()
        view = await self._gateway.show(execution_id, reader.principal)
        session = reader.request.query.get("mcp_session_id")
        if view is None or (session and view.session_id and session != view.session_id):
            raise not_found()
        return view

    def _presented(self, reader: Reader, view: ExecutionView, retyped: Retyped | None = None) -> Shown:
        return present(
            view,
            own=view.account_id == reader.principal.account_id,
            approver=self._gateway.is_approver(reader.principal),
            now=self._options.clock() * 1000,
            retyped=retyped,
        )

    def _execution_page(
        self,
        status: int,
        reader: Reader,
        view: ExecutionView,
        *,
        note: str = "",
        retyped: Retyped | None = None,
    ) -> Response:
        shown = self._presented(reader, view, retyped)
        return page(
            status,
            "execution.html",
            reader=reader,
            shown=shown,
            note=note,
            own=view.account_id == reader.principal.account_id,
            files=self._options.local_files(),
            prefix=FIELD_PREFIX,
            watch=f"/resume/{view.id}/state",
        )

    # ---- the list -----------------------------------------------------------------------------------------------
    async def show_list(self, asked: Request) -> Response:
        again = self.door.again(asked)
        if again is not None:
            return again
        reader = await self.door.reader(asked)
        await self.door.count(reader)
        pending = await self._gateway.pending(reader.principal)
        return page(
            200,
            "list.html",
            reader=reader,
            groups=groups(pending, self._options.clock() * 1000),
            approver=self._gateway.is_approver(reader.principal),
            digest=list_digest(pending),
            watch=f"{LIST}/state",
        )

    async def list_state(self, asked: Request) -> Response:
        try:
            reader = await self.door.reader(asked)
        except SignInNeeded:
            return plain(401, "")
        return plain(200, list_digest(await self._gateway.pending(reader.principal)))

    # ---- the rest ----------------------------------------------------------------------------------------------
    def _problem_page(self, problem: Problem) -> Response:
        return page(problem.status, "problem.html", problem.headers, problem=problem)

    async def file(self, asked: Request, name: str) -> Response:
        found = asset(name)
        if found is None:
            raise Problem(404, "Nothing here", "There is no file of this name.")
        return found


@dataclass(frozen=True, slots=True)
class Answers:
    """`decisions` by question; empty when a form has to be filled in again: `retyped` then is how it was sent."""

    decisions: Mapping[str, Decision]
    retyped: Mapping[str, tuple[Field, ...]]


def answers_of(form: Form, view: ExecutionView) -> Answers:
    """What a person said. Raises `Problem` for a form that no page of ours renders."""
    ids, action = form.get("question", ()), one(form, "action")
    if not ids:
        raise unreadable_form("It names no question.")
    if action in _OUTCOMES:
        return Answers(dict.fromkeys(ids, Decision("accept", {"outcome": action})), {})
    if action not in _PLAIN:
        raise unreadable_form("It names no decision that there is.")
    asking = {each.id: each for each in view.interactions}
    if action == "accept" and any(each in asking and asking[each].kind == "form" for each in ids):
        if len(ids) != 1:
            raise unreadable_form("Forms are answered one at a time.")
        return _filled(form, asking[ids[0]])
    return Answers(dict.fromkeys(ids, _PLAIN[action]), {})


def _filled(form: Form, question: Interaction) -> Answers:
    fields = fields_of(question.requested_schema or {})
    if fields is None:
        raise unreadable_form("This question cannot be answered with a simple form; it can be declined.")
    posted = {
        name.removeprefix(FIELD_PREFIX): values
        for name, values in form.items()
        if name.startswith(FIELD_PREFIX)
    }
    filled = fill(fields, posted)
    if filled.wrong:
        return Answers({}, {question.id: filled.fields})
    return Answers({question.id: Decision("accept", filled.content)}, {})
