"""Signing in and out, and who is signed in. Every request brings its sign-in along, in a cookie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from quart import Response
from quart import request as quart_request

from proxy.auth import AuthError, AuthRequest
from proxy.principal import Principal
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.pages.guard import (
    LONGEST_CREDENTIAL,
    Form,
    PageRateLimit,
    PageSignIn,
    SignInCookie,
    check_origin,
    check_token,
    first_value,
    read_form,
    unavailable,
)
from proxy.serving.pages.navigation import CONSOLE_PATH, NavigationEntry, entries
from proxy.serving.pages.options import PageOptions
from proxy.serving.pages.rendering import page, redirect
from proxy.telemetry import Logger

log = Logger("pages")

SIGN_INS_PER_MINUTE: Final = 30
VIEWS_PER_MINUTE: Final = 240
LIST_PATH: Final = "/approvals"
CONNECTIONS_PATH: Final = "/connections"
_KEPT: Final = ("mcp_session_id", "account")
# Where a sign-in may redirect to: our own pages, in exactly our spelling. Anything else could lead to another site.
_OWN_PAGES: Final = re.compile(
    r"/approvals|/connections|/resume/[A-Za-z0-9_-]{1,100}(\?mcp_session_id=[A-Za-z0-9_.~%-]{1,200})?"
    r"|/console(/(?![.]|%2[eE])[A-Za-z0-9_.~%-]{1,200}){0,4}(\?[A-Za-z0-9_.~%=&+*-]{0,2000})?"
    r"|/sign-in/[a-zA-Z0-9_]{1,100}\.(org|user)\.[a-zA-Z0-9_]{1,100}(\?account=[A-Za-z0-9_.~%-]{1,600})?"
)


@dataclass(frozen=True, slots=True)
class Reader:
    """The person who reads a page: the request, its sign-in, and the principal that the sign-in stands for now.
    `navigation` is where this person can go from here."""

    request: HttpRequest
    sign_in: PageSignIn
    principal: Principal
    operator: bool = False
    navigation: tuple[NavigationEntry, ...] = ()


class SignInNeeded(Exception):
    """Nobody is signed in, or no longer. `reason` is shown; `ended`: the cookie must be cleared."""

    def __init__(self, reason: str = "", *, ended: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.ended = ended


class PageAuth:
    """Signs people in and out, and tells who is signed in. Nothing is stored: the cookie holds all of a sign-in."""

    def __init__(self, gateway: Gateway, options: PageOptions) -> None:
        self._gateway = gateway
        self._hosts = options.hosts
        self._options = options
        self._cookie = SignInCookie(options.seals, self.is_secure, options.clock)
        self._sign_ins = PageRateLimit(options.windows, "sign-in", SIGN_INS_PER_MINUTE)
        self._views = PageRateLimit(options.windows, "look", VIEWS_PER_MINUTE)

    def is_secure(self, request: HttpRequest) -> bool:
        """Whether people reach us over https."""
        return request.is_tls or (self._options.public_url() or "").lower().startswith("https://")

    async def reader(self, request: HttpRequest) -> Reader:
        """Who is signed in; the gateway checks the credential again. Raises `SignInNeeded`, `PageProblem`."""
        sign_in = self._cookie.read(request)
        if sign_in is None:
            ended = self._cookie.is_sent(request)
            raise SignInNeeded("Your sign-in has ended." if ended else "", ended=ended)
        principal = await self._principal(request, sign_in.credential, sign_in.workspace)
        await self._views.admit(f"{principal.workspace_id}/{principal.account_id}")
        operator = self._gateway.is_admin(principal)
        shown = entries(console=self._options.console(), operator=operator)
        return Reader(request, sign_in, principal, operator, shown)

    async def _principal(self, request: HttpRequest, credential: str, workspace: str | None) -> Principal:
        headers = {"authorization": f"Bearer {credential}"}
        ip = self._hosts.client_ip(request)
        query = {"workspaceId": workspace} if workspace else {}
        try:
            principal = await self._gateway.authenticate(AuthRequest.of(headers, query), ip)
        except AuthError as error:
            if error.status >= 500:
                raise unavailable(
                    "Who you are cannot be checked at the moment. Nothing was decided."
                ) from None
            raise SignInNeeded(error.message, ended=True) from None
        request.outcome.principal = principal
        return principal

    async def count_request(self, reader: Reader) -> None:
        """Count one page or one decision like any request of this caller. Raises `RateLimited`."""
        await self._gateway.check_request_limit(reader.principal, self._hosts.client_ip(reader.request))

    async def read_form(self, request: HttpRequest) -> Form:
        """The form that one of our own pages has sent. Raises `PageProblem`."""
        check_origin(request, self._options.public_url())
        return await read_form(request, quart_request.body)

    async def show_login(self, request: HttpRequest) -> Response:
        try:
            await self.reader(request)
        except SignInNeeded as needed:
            return self.login_page(request, needed)
        return redirect(request, LIST_PATH)

    async def sign_in(self, request: HttpRequest) -> Response:
        form = await self.read_form(request)
        await self.count_sign_in(request)
        credential = re.sub(
            r"^\s*bearer\s+", "", first_value(form, "credential"), flags=re.IGNORECASE
        ).strip()
        workspace = first_value(form, "workspace").strip() or None
        place = first_value(form, "next")
        try:
            return await self.admit(request, credential, workspace, place)
        except SignInNeeded as refused:
            request.outcome.reason = f"sign-in: {refused.reason}"
            return self.login_page(request, refused, status=403, place=place, open_workspace=True)

    async def count_sign_in(self, request: HttpRequest) -> None:
        """Count one attempt to sign in. Raises `PageProblem`."""
        await self._sign_ins.admit(self._hosts.client_ip(request))

    async def admit(
        self, request: HttpRequest, credential: str, workspace: str | None, place: str
    ) -> Response:
        """Begin a sign-in with this credential and go on to `place`. Raises `SignInNeeded` with the reason."""
        await self._check_credential(request, credential, workspace)
        cookie = self._cookie.set_header(request, self._cookie.new_sign_in(credential, workspace))
        return redirect(request, safe_next(place), {"set-cookie": cookie})

    def cookie_name(self, request: HttpRequest) -> str:
        return self._cookie.name(request)

    async def _check_credential(self, request: HttpRequest, credential: str, workspace: str | None) -> None:
        """Raises `SignInNeeded` with the reason."""
        if not credential:
            raise SignInNeeded("Please paste a token or key.")
        if len(credential.encode("utf-8", "surrogatepass")) > LONGEST_CREDENTIAL:
            raise SignInNeeded("This is longer than a browser's cookie can hold.")
        if len(workspace or "") > 200:
            raise SignInNeeded("There is no workspace of such a name.")
        await self._principal(request, credential, workspace)

    async def sign_out(self, request: HttpRequest) -> Response:
        form = await self.read_form(request)
        sign_in = self._cookie.read(request)
        if sign_in is not None:
            check_token(form, sign_in)
        return redirect(request, "/login", {"set-cookie": self._cookie.clear_header(request)})

    def same_site_reload(self, request: HttpRequest, place: str | None = None) -> Response | None:
        """A page that reloads itself (or `place`) at once, when a link on another site led here; else None.

        For such a link (in a chat, say) the browser withholds our Strict cookie. It sends the cookie with the reload,
        which comes from our own page, so nobody who is signed in has to sign in again.
        """
        foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if not foreign or self._cookie.is_sent(request) or "again" in request.query:
            return None
        place = place or _requested_page(request)
        return page(request, 200, "again.html", place=f"{place}{'&' if '?' in place else '?'}again=1")

    def login_page(
        self,
        request: HttpRequest,
        needed: SignInNeeded,
        *,
        status: int = 200,
        place: str | None = None,
        open_workspace: bool = False,
    ) -> Response:
        headers = {"set-cookie": self._cookie.clear_header(request)} if needed.ended and status == 200 else {}
        return page(
            request,
            status,
            "login.html",
            headers,
            reason=needed.reason,
            next=_requested_page(request) if place is None else safe_next(place),
            files=self._options.local_files(),
            issuers=[one.name for one in self._gateway.page_issuers()],
            open_workspace=open_workspace,
        )


def _requested_page(request: HttpRequest) -> str:
    """The URL to return to after signing in: that of the requested page."""
    if request.path.startswith(CONSOLE_PATH):
        kept = urlencode([(name, value) for name, value in request.query.items() if name != "again"])
        return safe_next(f"{quote(request.path)}{'?' if kept else ''}{kept}")
    for name in _KEPT:
        if value := request.query.get(name, ""):
            return safe_next(f"{request.path}?{name}={quote(value, safe='')}")
    return safe_next(request.path)


def safe_next(place: str) -> str:
    """`place` if it is a page of ours, else the list."""
    return place if _OWN_PAGES.fullmatch(place) else LIST_PATH
