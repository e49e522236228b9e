"""Signing in to the pages at an authorization server: away with a request that is kept in a cookie, back with a code.

Rules
- The cookie holds the whole request, sealed, for `PENDING_SECONDS`; it is cleared by the answer, whatever that says. It
  is `SameSite=Lax`, because the answer comes by a link of another site.
- Signing in makes a new sign-in with a new CSRF token: whatever cookie the browser had before is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from quart import Response

from integrations.json_text import read_json, write_json
from integrations.oauth.authorization import CALLBACK_PARAMETERS
from proxy.auth.page_sign_in import PageIssuer, PageSignInFailed, PageSignInRequest
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.mcp.elicitation import Forged, Seals
from proxy.serving.pages.guard import PageProblem
from proxy.serving.pages.options import PageOptions
from proxy.serving.pages.rendering import HEADERS
from proxy.serving.pages.sign_in import PageAuth, SignInNeeded, safe_next

PENDING_SECONDS: Final = 600.0
_PURPOSE: Final = "page sign-in at an issuer"
_LONGEST: Final = 8192


@dataclass(frozen=True, slots=True)
class PendingPageSignIn:
    """What is asked, and where the browser wanted to go. `until` is in seconds since 1970."""

    request: PageSignInRequest
    place: str
    workspace: str | None
    until: float


class IssuerSignIn:
    """The two routes. Both may raise what the pages' boundary turns into a page."""

    def __init__(self, gateway: Gateway, options: PageOptions, auth: PageAuth) -> None:
        self._gateway = gateway
        self._auth = auth
        self._clock = options.clock
        self._cookie = _PendingCookie(options.seals, auth)

    async def begin(self, request: HttpRequest, number: str) -> Response:
        """Away, to the issuer at this place of the list. Counted like an attempt to sign in."""
        await self._auth.count_sign_in(request)
        issuers = self._gateway.page_issuers()
        if not number.isdigit() or int(number) >= len(issuers):
            raise _failed("There is no such authorization server to sign in at.", 404)
        issuer = issuers[int(number)]
        asked = PageSignInRequest(issuer.name)
        try:
            url = await issuer.url(asked)
        except PageSignInFailed as failed:
            raise _failed(str(failed), 503) from None
        workspace = request.query.get("workspace", "")[:200] or None
        place = safe_next(request.query.get("next", ""))
        pending = PendingPageSignIn(asked, place, workspace, self._clock() + PENDING_SECONDS)
        return _away(url, self._cookie.set_header(request, pending))

    async def callback(self, request: HttpRequest) -> Response:
        """Back, with a code for the access token."""
        await self._auth.count_sign_in(request)
        pending = self._cookie.read(request)
        cleared = {"set-cookie": self._cookie.clear_header(request)}
        if pending is None or pending.until <= self._clock():
            raise _failed("No sign-in was begun in this browser, or it took too long.", 403, cleared)
        issuer = self._issuer(pending.request.issuer)
        if issuer is None:
            raise _failed("This authorization server is no longer configured.", 403, cleared)
        given = {
            name: request.query[name][:_LONGEST] for name in CALLBACK_PARAMETERS if name in request.query
        }
        try:
            token = await issuer.token(pending.request, given)
            signed = await self._auth.admit(request, token, pending.workspace, pending.place)
        except PageSignInFailed as failed:
            raise _failed(str(failed), 403, cleared) from None
        except SignInNeeded as refused:
            raise _failed(refused.reason, 403, cleared) from None
        signed.headers.add("set-cookie", cleared["set-cookie"])
        return signed

    def _issuer(self, name: str) -> PageIssuer | None:
        return next((one for one in self._gateway.page_issuers() if one.name == name), None)


def _failed(text: str, status: int, headers: Mapping[str, str] | None = None) -> PageProblem:
    return PageProblem(status, "You are not signed in", text, headers or {})


def _away(url: str, cookie: str) -> Response:
    headers = {**HEADERS, "location": url, "set-cookie": cookie}
    return Response(b"", 303, headers, content_type="text/plain")


class _PendingCookie:
    """The request between leaving and coming back."""

    def __init__(self, seals: Seals, auth: PageAuth) -> None:
        self._seals = seals
        self._auth = auth

    def set_header(self, request: HttpRequest, pending: PendingPageSignIn) -> str:
        sealed = self._seals.close(_PURPOSE, write_json(asdict(pending)))
        return f"{self._name(request)}={sealed}; Max-Age={PENDING_SECONDS:.0f}{self._attributes(request)}"

    def clear_header(self, request: HttpRequest) -> str:
        return f"{self._name(request)}=; Max-Age=0{self._attributes(request)}"

    def read(self, request: HttpRequest) -> PendingPageSignIn | None:
        name = self._name(request)
        for pair in request.headers.get("cookie", "").split(";"):
            own, _, value = pair.strip().partition("=")
            if own == name and value:
                return self._opened(value)
        return None

    def _opened(self, value: str) -> PendingPageSignIn | None:
        try:
            found = read_json(self._seals.open(_PURPOSE, value))
            return PendingPageSignIn(**{**found, "request": PageSignInRequest(**found["request"])})
        except (Forged, TypeError, ValueError, KeyError):
            # Sealed with another key, of another version, or forged: treated like no cookie at all.
            return None

    def _name(self, request: HttpRequest) -> str:
        return f"{self._auth.cookie_name(request)}-sign-in"

    def _attributes(self, request: HttpRequest) -> str:
        secure = "; Secure" if self._auth.is_secure(request) else ""
        return f"; Path={request.base or '/'}; HttpOnly; SameSite=Lax{secure}"
