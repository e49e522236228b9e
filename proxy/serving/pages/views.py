"""The routes of the pages: one execution, the list of all that waits, and the static files; `sign_in` has the others.

A form names the questions that were on the page when it was rendered: "all" does not decide questions that came later.
The id of a question stands for exactly its arguments, so what was read is what is decided.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from quart import Quart, Response

from integrations.oauth.authorization import CALLBACK_PATH
from proxy.auth.page_sign_in import CALLBACK_PATH as ISSUER_CALLBACK_PATH
from proxy.connections.oauth.basis import DOCUMENT_PATH
from proxy.executions import (
    ELICIT_ACTIONS,
    LOST_CALL_OUTCOMES,
    ExecutionView,
    Interaction,
    InteractionDecision,
)
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.pages.boundary import PageView, with_problem_pages
from proxy.serving.pages.connections import ConnectionPages
from proxy.serving.pages.fields import FormField, fields_of, read_fields
from proxy.serving.pages.guard import (
    Form,
    PageProblem,
    check_token,
    first_value,
    not_found,
    unreadable_form,
)
from proxy.serving.pages.inbox import CODES_SHOWN, InboxFilter, decisions_of, inbox
from proxy.serving.pages.issuer_sign_in import IssuerSignIn
from proxy.serving.pages.options import PageOptions
from proxy.serving.pages.presenting import ShownExecution, list_digest, path_of, present
from proxy.serving.pages.rendering import FILES_PATH, asset, page, plain, redirect
from proxy.serving.pages.sign_in import CONNECTIONS_PATH, LIST_PATH, PageAuth, Reader, SignInNeeded

_EXECUTION: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
Retyped = Mapping[str, tuple[FormField, ...]]

FIELD_PREFIX: Final = "field."
"""Stands before the names of a question's own fields, so that they cannot be mistaken for ours."""

_DECISIONS: Final[Mapping[str, InteractionDecision]] = {
    choice: InteractionDecision(choice) for choice in ELICIT_ACTIONS
}


def add_pages(app: Quart, gateway: Gateway, options: PageOptions) -> None:
    """Add the pages to the Quart app that serves everything but MCP."""
    pages = _Pages(gateway, options)
    connections = ConnectionPages(gateway, pages.auth)
    issuers = IssuerSignIn(gateway, options, pages.auth)
    routes: tuple[tuple[str, str, PageView], ...] = (
        ("GET", "/resume/<execution_id>", pages.show_execution),
        ("POST", "/resume/<execution_id>", pages.decide),
        ("GET", "/resume/<execution_id>/state", pages.execution_state),
        ("GET", LIST_PATH, pages.show_list),
        ("POST", LIST_PATH, pages.decide_listed),
        ("GET", f"{LIST_PATH}/state", pages.list_state),
        ("GET", "/login", pages.auth.show_login),
        ("POST", "/login", pages.auth.sign_in),
        ("GET", "/login/with/<number>", issuers.begin),
        ("GET", ISSUER_CALLBACK_PATH, issuers.callback),
        ("POST", "/logout", pages.auth.sign_out),
        ("GET", CONNECTIONS_PATH, connections.show_list),
        ("GET", "/sign-in/<connection>", connections.show_sign_in),
        ("POST", "/sign-in/<connection>", connections.begin),
        ("POST", "/sign-out/<connection>", connections.sign_out),
        ("GET", CALLBACK_PATH, connections.callback),
        ("GET", DOCUMENT_PATH, connections.client_document),
        ("GET", f"{FILES_PATH}<name>", pages.file),
    )
    for method, path, view in routes:
        app.add_url_rule(
            path, f"pages {method} {path}", with_problem_pages(pages.auth, view), methods=[method]
        )


class _Pages:
    def __init__(self, gateway: Gateway, options: PageOptions) -> None:
        self._gateway = gateway
        self._options = options
        self.auth = PageAuth(gateway, options)

    # ---- executions ---------------------------------------------------------------------------------------------
    async def show_execution(self, request: HttpRequest, execution_id: str) -> Response:
        reload = self.auth.same_site_reload(request)
        if reload is not None:
            return reload
        reader = await self.auth.reader(request)
        await self.auth.count_request(reader)
        return self._execution_page(200, reader, await self._view(reader, execution_id))

    async def execution_state(self, request: HttpRequest, execution_id: str) -> Response:
        try:
            reader = await self.auth.reader(request)
        except SignInNeeded:
            return plain(401, "")
        return plain(200, self._presented(reader, await self._view(reader, execution_id)).digest)

    async def decide(self, request: HttpRequest, execution_id: str) -> Response:
        form = await self.auth.read_form(request)
        reader = await self.auth.reader(request)
        check_token(form, reader.sign_in)
        await self.auth.count_request(reader)
        view = await self._view(reader, execution_id)
        answers = answers_of(form, view)
        if answers.retyped:
            text = "Please look at the fields that are marked."
            return self._execution_page(422, reader, view, note=text, retyped=answers.retyped)
        outcome = await self._gateway.decide(view.id, answers.decisions, reader.principal, "browser")
        if outcome.first_refusal is None:
            return redirect(request, path_of(view.id, view.session_id))
        if outcome.why == "not_found":
            raise not_found()
        view = await self._view(reader, execution_id)
        return self._execution_page(409, reader, view, note=outcome.message())

    async def _view(self, reader: Reader, execution_id: str) -> ExecutionView:
        """The execution, if this reader may see it and it is of the session in the URL. Raises `PageProblem` (404)."""
        if not _EXECUTION.fullmatch(execution_id):
            raise not_found()
        view = await self._gateway.show(execution_id, reader.principal)
        session = reader.request.query.get("mcp_session_id")
        if view is None or (session and view.session_id and session != view.session_id):
            raise not_found()
        return view

    def _presented(
        self, reader: Reader, view: ExecutionView, retyped: Retyped | None = None
    ) -> ShownExecution:
        return present(
            view,
            own=view.account_id == reader.principal.account_id,
            approver=self._gateway.is_approver(reader.principal),
            now_ms=self._options.clock() * 1000,
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
            reader.request,
            status,
            "execution.html",
            reader=reader,
            shown=shown,
            note=note,
            own=view.account_id == reader.principal.account_id,
            files=self._options.local_files(),
            prefix=FIELD_PREFIX,
            source_link=self._options.source_link,
            watch=f"/resume/{view.id}/state",
        )

    # ---- the list -----------------------------------------------------------------------------------------------
    async def show_list(self, request: HttpRequest) -> Response:
        reload = self.auth.same_site_reload(request)
        if reload is not None:
            return reload
        reader = await self.auth.reader(request)
        await self.auth.count_request(reader)
        return await self._list_page(200, reader)

    async def decide_listed(self, request: HttpRequest) -> Response:
        """Decide questions of one or of several executions, as they stood on the page."""
        form = await self.auth.read_form(request)
        reader = await self.auth.reader(request)
        check_token(form, reader.sign_in)
        await self.auth.count_request(reader)
        refused: dict[str, None] = {}
        for execution_id, decisions in decisions_of(form).items():
            if not _EXECUTION.fullmatch(execution_id):
                raise not_found()
            outcome = await self._gateway.decide(execution_id, decisions, reader.principal, "browser")
            if outcome.first_refusal is not None:
                refused[f"{execution_id}: {outcome.message()}"] = None
        if refused:
            return await self._list_page(409, reader, note="\n".join(refused))
        return redirect(request, LIST_PATH + _filter_query(request))

    async def _list_page(self, status: int, reader: Reader, note: str = "") -> Response:
        pending = await self._gateway.pending(reader.principal)
        approver = self._gateway.is_approver(reader.principal)
        wanted = _filter(reader.request)
        ids = dict.fromkeys(one.execution_id for one in pending if wanted.matches(one))
        views = {name: await self._gateway.show(name, reader.principal) for name in list(ids)[:CODES_SHOWN]}
        return page(
            reader.request,
            status,
            "list.html",
            reader=reader,
            inbox=inbox(
                pending,
                wanted,
                {name: one for name, one in views.items() if one is not None},
                account=reader.principal.account_id,
                approver=approver,
                now_ms=self._options.clock() * 1000,
            ),
            wanted=wanted,
            here=LIST_PATH + _filter_query(reader.request),
            approver=approver,
            note=note,
            digest=list_digest(pending),
            endpoint=self._options.endpoint(),
            source_link=self._options.source_link,
            watch=f"{LIST_PATH}/state",
        )

    async def list_state(self, request: HttpRequest) -> Response:
        try:
            reader = await self.auth.reader(request)
        except SignInNeeded:
            return plain(401, "")
        return plain(200, list_digest(await self._gateway.pending(reader.principal)))

    # ---- files --------------------------------------------------------------------------------------------------
    async def file(self, request: HttpRequest, name: str) -> Response:
        found = asset(name)
        if found is None:
            raise PageProblem(404, "Nothing here", "There is no file of this name.")
        return found


def _filter(request: HttpRequest) -> InboxFilter:
    return InboxFilter(*(request.query.get(name, "").strip()[:200] for name in ("account", "tool")))


def _filter_query(request: HttpRequest) -> str:
    wanted = _filter(request)
    given = {name: getattr(wanted, name) for name in ("account", "tool") if getattr(wanted, name)}
    return f"?{urlencode(given)}" if given else ""


@dataclass(frozen=True, slots=True)
class FormAnswers:
    """`decisions` by question. When a form has wrong values there are none, and `retyped` has its fields as sent."""

    decisions: Mapping[str, InteractionDecision]
    retyped: Mapping[str, tuple[FormField, ...]]


def answers_of(form: Form, view: ExecutionView) -> FormAnswers:
    """The decisions in a sent form. Raises `PageProblem` for a form that no page of ours renders."""
    ids, action = form.get("question", ()), first_value(form, "action")
    if not ids:
        raise unreadable_form("It names no question.")
    if action in LOST_CALL_OUTCOMES:
        return FormAnswers(dict.fromkeys(ids, InteractionDecision("accept", {"outcome": action})), {})
    if action not in _DECISIONS:
        raise unreadable_form("It names no decision that there is.")
    asking = {each.id: each for each in view.interactions}
    if action == "accept" and any(each in asking and asking[each].kind == "form" for each in ids):
        if len(ids) != 1:
            raise unreadable_form("Forms are answered one at a time.")
        return _form_answers(form, asking[ids[0]])
    return FormAnswers(dict.fromkeys(ids, _DECISIONS[action]), {})


def _form_answers(form: Form, question: Interaction) -> FormAnswers:
    fields = fields_of(question.requested_schema or {})
    if fields is None:
        raise unreadable_form("This question cannot be answered with a simple form; it can be declined.")
    posted = {
        name.removeprefix(FIELD_PREFIX): values
        for name, values in form.items()
        if name.startswith(FIELD_PREFIX)
    }
    filled = read_fields(fields, posted)
    if filled.has_errors:
        return FormAnswers({}, {question.id: filled.fields})
    return FormAnswers({question.id: InteractionDecision("accept", filled.content)}, {})
