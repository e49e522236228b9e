"""The way in: who reads a page, signing in and out, and what a POST must bring along."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from quart import Response, request

from proxy.principal import Principal
from proxy.serving.errors import AuthError
from proxy.serving.gateway import Gateway
from proxy.serving.http import Request
from proxy.serving.pages.guard import (
    LONGEST_CREDENTIAL,
    Form,
    SignIn,
    SignInCookie,
    Throttle,
    check_origin,
    check_token,
    one,
    read_form,
    unavailable,
)
from proxy.serving.pages.options import PageOptions
from proxy.serving.pages.rendering import page, redirect

log = logging.getLogger(__name__)

SIGN_INS_A_MINUTE: Final = 30
LOOKS_A_MINUTE: Final = 240
LIST: Final = "/approvals"
# Where a sign-in may lead: pages of ours, spelled as we spell them. Anything else could lead to another site.
_NEXT: Final = re.compile(
    r"/approvals|/resume/[A-Za-z0-9_-]{1,100}(\?mcp_session_id=[A-Za-z0-9_.~%-]{1,200})?"
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever reads a page: the request, the sign-in and who that is now."""

    request: Request
    sign_in: SignIn
    principal: Principal


class SignInNeeded(Exception):
    """Nobody is signed in, or not any more. `reason` is shown; `ended`: the cookie is to be dropped."""

    def __init__(self, reason: str = "", *, ended: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.ended = ended


class Entrance:
    """Lets people in. Nothing is kept: everything about a sign-in is in its cookie."""

    def __init__(self, gateway: Gateway, options: PageOptions) -> None:
        self._gateway = gateway
        self._hosts = options.hosts
        self._options = options
        self._cookie = SignInCookie(options.seals, self._secure, options.clock)
        self._sign_ins = Throttle(options.windows, "sign-in", SIGN_INS_A_MINUTE)
        self._looks = Throttle(options.windows, "look", LOOKS_A_MINUTE)

    def _secure(self) -> bool:
        return (self._options.public_url() or "").lower().startswith("https://")

    async def reader(self, asked: Request) -> Reader:
        """Who is signed in, asked anew of the gateway. Raises `SignInNeeded`, `Problem`, `RateLimited`."""
        sign_in = self._cookie.read(asked)
        if sign_in is None:
            ended = self._cookie.given(asked)
            raise SignInNeeded("Your sign-in has ended." if ended else "", ended=ended)
        principal = self._principal(asked, sign_in.credential, sign_in.workspace)
        await self._looks.admit(f"{principal.workspace_id}/{principal.account_id}")
        return Reader(asked, sign_in, principal)

    def _principal(self, asked: Request, credential: str, workspace: str | None) -> Principal:
        headers = {"authorization": f"Bearer {credential}"}
        ip = self._hosts.client_ip(asked)
        query = {"workspaceId": workspace} if workspace else {}
        try:
            return self._gateway.authenticate(headers, query, None, ip, False)
        except AuthError as error:
            if error.status >= 500:
                raise unavailable(
                    "Who you are cannot be checked at the moment. Nothing was decided."
                ) from None
            raise SignInNeeded(error.message, ended=True) from None

    async def count(self, reader: Reader) -> None:
        """One page, or one decision: counted like any request of this caller. Raises `RateLimited`."""
        await self._gateway.check_request_limit(reader.principal, self._hosts.client_ip(reader.request))

    async def posted(self, asked: Request) -> Form:
        """The form of a request that our own page has sent. Raises `Problem`."""
        check_origin(asked, self._options.public_url())
        return await read_form(asked, request.body)

    async def show_login(self, asked: Request) -> Response:
        try:
            await self.reader(asked)
        except SignInNeeded as needed:
            return self.login_page(asked, needed)
        return redirect(LIST)

    async def sign_in(self, asked: Request) -> Response:
        form = await self.posted(asked)
        ip = self._hosts.client_ip(asked)
        await self._sign_ins.admit(ip)
        credential = re.sub(r"^\s*bearer\s+", "", one(form, "credential"), flags=re.IGNORECASE).strip()
        workspace = one(form, "workspace").strip() or None
        try:
            self._check(asked, credential, workspace)
        except SignInNeeded as refused:
            log.info("pages: sign-in refused ip=%s", ip)
            return self.login_page(asked, refused, status=403, place=one(form, "next"), open_workspace=True)
        cookie = self._cookie.set(asked, self._cookie.fresh(credential, workspace))
        return redirect(safe_next(one(form, "next")), {"set-cookie": cookie})

    def _check(self, asked: Request, credential: str, workspace: str | None) -> None:
        """Raises `SignInNeeded` with the reason."""
        if not credential:
            raise SignInNeeded("Please paste a token or key.")
        if len(credential.encode("utf-8", "surrogatepass")) > LONGEST_CREDENTIAL:
            raise SignInNeeded("This is longer than a browser's cookie can hold.")
        if len(workspace or "") > 200:
            raise SignInNeeded("There is no workspace of such a name.")
        self._principal(asked, credential, workspace)

    async def sign_out(self, asked: Request) -> Response:
        form = await self.posted(asked)
        sign_in = self._cookie.read(asked)
        if sign_in is not None:
            check_token(form, sign_in)
        return redirect("/login", {"set-cookie": self._cookie.clear(asked)})

    def again(self, asked: Request) -> Response | None:
        """A page that at once asks for itself.

        A link on another site (a chat, say) opens our page without our Strict cookie. Coming from our own page the
        browser sends it, and whoever is signed in need not sign in again.
        """
        foreign = asked.headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if not foreign or self._cookie.given(asked) or "again" in asked.query:
            return None
        place = _here(asked)
        return page(200, "again.html", place=f"{place}{'&' if '?' in place else '?'}again=1")

    def login_page(
        self,
        asked: Request,
        needed: SignInNeeded,
        *,
        status: int = 200,
        place: str | None = None,
        open_workspace: bool = False,
    ) -> Response:
        headers = {"set-cookie": self._cookie.clear(asked)} if needed.ended and status == 200 else {}
        return page(
            status,
            "login.html",
            headers,
            reason=needed.reason,
            next=_here(asked) if place is None else safe_next(place),
            files=self._options.local_files(),
            open_workspace=open_workspace,
        )


def _here(asked: Request) -> str:
    """The page that was asked for, as it may be asked for again after signing in."""
    session = asked.query.get("mcp_session_id", "")
    return safe_next(asked.path + (f"?mcp_session_id={quote(session, safe='')}" if session else ""))


def safe_next(place: str) -> str:
    """`place` if it is a page of ours, else the list."""
    return place if _NEXT.fullmatch(place) else LIST
