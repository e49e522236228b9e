"""The pages of connections: which ones people sign in to, the step before the browser leaves for the authorization
server, and what comes back from there.

Rules
- A link to a sign-in names the account that it is for. Whoever is signed in here as somebody else is refused: a
  forwarded link must not bind one person's token to another's account (T31).
- The browser leaves by a link that a person clicks, on a page that names account, connection and host.
- The callback needs the same sign-in here that began it, and answers nobody else.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from quart import Response

from integrations.json_text import write_json
from integrations.oauth.authorization import CALLBACK_PARAMETERS, CALLBACK_PATH
from proxy.connections.oauth.basis import SignInProblem
from proxy.connections.oauth.sign_in import SignInState
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.pages.guard import PageProblem, check_token
from proxy.serving.pages.rendering import HEADERS, page, redirect
from proxy.serving.pages.sign_in import CONNECTIONS_PATH, PageAuth, Reader

_LONGEST: Final = 8192


class ConnectionPages:
    """`auth` says who reads. Every method may raise what the pages' boundary turns into a page."""

    def __init__(self, gateway: Gateway, auth: PageAuth) -> None:
        self._gateway = gateway
        self._auth = auth

    async def show_list(self, request: HttpRequest) -> Response:
        reload = self._auth.same_site_reload(request)
        if reload is not None:
            return reload
        reader = await self._reader(request)
        states = await self._gateway.sign_ins(reader.principal)
        done = request.query.get("done", "")[:200]
        return page(request, 200, "connections.html", reader=reader, states=states, done=done)

    async def show_sign_in(self, request: HttpRequest, connection: str) -> Response:
        """The page that a sign-in link leads to."""
        reload = self._auth.same_site_reload(request)
        if reload is not None:
            return reload
        reader = await self._reader(request)
        state = await self._state(reader, connection)
        return page(request, 200, "connect.html", reader=reader, state=state, go="", host="")

    async def begin(self, request: HttpRequest, connection: str) -> Response:
        """Begin, and show where the browser goes. A redirect would hide it, and the pages' own policy forbids it."""
        form = await self._auth.read_form(request)
        reader = await self._reader(request)
        check_token(form, reader.sign_in)
        state = await self._state(reader, connection)
        try:
            begun = await self._gateway.begin_sign_in(connection, reader.principal)
        except SignInProblem as problem:
            raise _problem(problem) from None
        host = urlsplit(begun.url).netloc
        return page(request, 200, "connect.html", reader=reader, state=state, go=begun.url, host=host)

    async def callback(self, request: HttpRequest) -> Response:
        """What the authorization server sends the browser back with."""
        given = {
            name: request.query[name][:_LONGEST] for name in CALLBACK_PARAMETERS if name in request.query
        }
        place = f"{CALLBACK_PATH}?{urlencode(given)}"
        reload = self._auth.same_site_reload(request, place)
        if reload is not None:
            return reload
        reader = await self._reader(request)
        try:
            connection = await self._gateway.complete_sign_in(given, reader.principal)
        except SignInProblem as problem:
            raise _problem(problem) from None
        return redirect(request, f"{CONNECTIONS_PATH}?done={quote(connection, safe='')}")

    async def sign_out(self, request: HttpRequest, connection: str) -> Response:
        form = await self._auth.read_form(request)
        reader = await self._reader(request)
        check_token(form, reader.sign_in)
        try:
            await self._gateway.sign_out(connection, reader.principal)
        except SignInProblem as problem:
            raise _problem(problem) from None
        return redirect(request, CONNECTIONS_PATH)

    async def client_document(self, request: HttpRequest) -> Response:
        """Who we are, for authorization servers that read it instead of registering us. Open to everybody."""
        found = self._gateway.client_document()
        if found is None:
            raise PageProblem(
                404, "Nothing here", "This server has no public https address that could name a client."
            )
        headers = {**HEADERS, "cache-control": "public, max-age=300"}
        return Response(write_json(found), 200, headers, content_type="application/json")

    async def _reader(self, request: HttpRequest) -> Reader:
        reader = await self._auth.reader(request)
        await self._auth.count_request(reader)
        return reader

    async def _state(self, reader: Reader, connection: str) -> SignInState:
        """Raises `PageProblem` for a connection that this reader does not sign in to, and for somebody else's link."""
        account = reader.request.query.get("account")
        if account is not None and account != reader.principal.account_id:
            raise PageProblem(
                403,
                "This link is for another account",
                f"It was made for {account[:200]}, and you are signed in here as {reader.principal.account_id}. "
                "Nothing was done: what one account signs in to is never bound to another.",
            )
        states = await self._gateway.sign_ins(reader.principal)
        found = next((one for one in states if one.prefix == connection), None)
        if found is None:
            raise PageProblem(
                404, "Nothing here for you", "There is no connection of this name that people sign in to."
            )
        if not found.may:
            raise PageProblem(
                403,
                "Not for this account",
                "This connection is shared by everybody: only operators sign in to it.",
            )
        return found


def _problem(problem: SignInProblem) -> PageProblem:
    title = "You are not signed in" if problem.status != 403 else "Not for this account"
    return PageProblem(problem.status, title, f"{str(problem)[:1].upper()}{str(problem)[1:]}.")
