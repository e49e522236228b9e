"""The checks of a request for a page: who is signed in (the cookie), whether a form comes from our own page, and how
often somebody asks. A request that does not pass is refused with a `PageProblem`, which is shown as a page.

Rules of the cookie, which is the credential itself, sealed:
- Nothing is stored on the server, so every replica with the same keys reads it and a restart forgets nobody.
- The seal's associated data name its purpose: no other sealed value of this deployment passes for a cookie.
- It ends with the browser, after 8 hours, or when the credential in it is no longer good, whichever comes first.
- `SameSite=Strict; HttpOnly`; behind https also `Secure` and the `__Host-` prefix (RFC 6265bis, section 4.1.3.2), so
  that no sibling host can plant one.
- Its `Path` is that of `public_url`: what else the host serves does not get the sealed credential, and several servers
  below one host keep theirs apart. Below a path the name begins with `__Secure-`, because `__Host-` demands `Path=/`.
- Over plain http the name carries the port: two servers on one machine share one cookie jar.

Rules of a POST:
- Origin and Sec-Fetch-Site are set by browsers and cannot be set by pages (Fetch, section 2.2.2 "forbidden
  request-header"); a request with neither does not come from a form of ours.
- The CSRF token is the second check: it is known only to pages that were rendered for this very sign-in. Signing in
  has only the first check, because before it there is nothing to bind a token to.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import secrets
from collections.abc import AsyncIterable, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from limits.aio.storage import MovingWindowSupport

from integrations.json_text import read_json, write_json
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.http.origins import split_port
from proxy.serving.mcp.elicitation import Forged, Seals

SIGN_IN_SECONDS: Final = 8 * 3600.0
LONGEST_CREDENTIAL: Final = 2600
"""In bytes. Sealed and encoded it must fit into the 4,096 bytes that browsers accept for a cookie."""

_PURPOSE: Final = "page sign-in"
FORM_BYTES: Final = 32 * 1024
_FORM_FIELDS: Final = 400
_FORM_SECONDS: Final = 30.0
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
Form = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class PageProblem(Exception):
    """Why a page is not shown. `title` is its heading, `text` says what to do; `headers` go on the response."""

    status: int
    title: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


def not_found() -> PageProblem:
    """The same for an id that never existed, that is no longer stored, and that belongs to others (T14)."""
    return PageProblem(
        404,
        "Nothing here for you",
        "There is no execution of this id that you may see. It may be over and forgotten, belong to another account or "
        "workspace, or the link may be incomplete.",
    )


def foreign_request() -> PageProblem:
    return PageProblem(
        403,
        "This did not come from our page",
        "The request was not sent by a page of this server, so nothing was done. Open the page again and use its "
        "buttons.",
    )


def stale_form() -> PageProblem:
    return PageProblem(
        403,
        "This form is no longer good",
        "It belongs to another sign-in, so nothing was done. Open the page again and decide there.",
    )


def unreadable_form(text: str, status: int = 400) -> PageProblem:
    return PageProblem(status, "This form cannot be read", text)


def too_many(seconds: float) -> PageProblem:
    whole = max(1, math.ceil(seconds))
    return PageProblem(
        429, "Too many requests", f"Try again in {whole} seconds.", {"retry-after": str(whole)}
    )


def unavailable(text: str) -> PageProblem:
    return PageProblem(503, "Not available at the moment", text, {"retry-after": "5"})


@dataclass(frozen=True, slots=True)
class PageSignIn:
    """Who is signed in, as the cookie says it. `until` is in seconds since 1970; `csrf` goes into every form."""

    credential: str
    workspace: str | None
    csrf: str
    until: float


class SignInCookie:
    """Makes and reads the cookie. `secure` says whether people reach us over https."""

    def __init__(
        self, seals: Seals, secure: Callable[[HttpRequest], bool], clock: Callable[[], float]
    ) -> None:
        self._seals = seals
        self._secure = secure
        self._clock = clock

    def new_sign_in(self, credential: str, workspace: str | None) -> PageSignIn:
        """A sign-in that begins now, with a new CSRF token."""
        return PageSignIn(credential, workspace, secrets.token_urlsafe(24), self._clock() + SIGN_IN_SECONDS)

    def set_header(self, request: HttpRequest, sign_in: PageSignIn) -> str:
        """The value of the Set-Cookie header that keeps the sign-in."""
        sealed = self._seals.close(_PURPOSE, write_json(asdict(sign_in)))
        return f"{self.name(request)}={sealed}{self._attributes(request)}"

    def clear_header(self, request: HttpRequest) -> str:
        """The value of the Set-Cookie header that ends the sign-in."""
        return f"{self.name(request)}=; Max-Age=0{self._attributes(request)}"

    def read(self, request: HttpRequest) -> PageSignIn | None:
        """The sign-in of this request, if it has one that has not ended."""
        for value in self._values(request):
            sign_in = self._opened(value)
            if sign_in is not None and sign_in.until > self._clock():
                return sign_in
        return None

    def is_sent(self, request: HttpRequest) -> bool:
        """Whether the browser sent one at all, good or not."""
        return any(True for _ in self._values(request))

    def _opened(self, value: str) -> PageSignIn | None:
        try:
            return PageSignIn(**read_json(self._seals.open(_PURPOSE, value)))
        except (Forged, TypeError, ValueError):
            # Sealed with another key, of another version, or forged: treated like no cookie at all.
            return None

    def _values(self, request: HttpRequest) -> Iterator[str]:
        name = self.name(request)
        for pair in request.headers.get("cookie", "").split(";"):
            own, _, value = pair.strip().partition("=")
            if own == name and value:
                yield value

    def name(self, request: HttpRequest) -> str:
        if self._secure(request):
            return "__Secure-executor" if request.base else "__Host-executor"
        port = split_port(request.headers.get("host", ""))[1]
        return f"executor-{port or 80}"

    def _attributes(self, request: HttpRequest) -> str:
        secure = "; Secure" if self._secure(request) else ""
        return f"; Path={request.base or '/'}; HttpOnly; SameSite=Strict{secure}"


def check_origin(request: HttpRequest, public_url: str | None) -> None:
    """Raises `PageProblem` unless the request was made by a page of this server."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None:
        raise foreign_request()
    if site is not None and site != "same-origin":
        raise foreign_request()
    if origin is not None and origin.lower() not in _own_origins(request, public_url):
        raise foreign_request()


def _own_origins(request: HttpRequest, public_url: str | None) -> set[str]:
    """The origin of `public_url`, and the requested host. When `public_url` is https, an http origin is not ours."""
    host = request.headers.get("host", "").lower()
    if public_url is None:
        return {f"http://{host}", f"https://{host}"}
    public = urlsplit(public_url.lower())
    return {f"{public.scheme}://{public.netloc}", f"{public.scheme}://{host}"}


def check_token(form: Form, sign_in: PageSignIn) -> None:
    """Raises `PageProblem` unless the form was rendered for this sign-in. Compared in constant time."""
    if not hmac.compare_digest(first_value(form, "csrf").encode(), sign_in.csrf.encode()):
        raise stale_form()


async def read_form(request: HttpRequest, body: AsyncIterable[bytes]) -> Form:
    """The fields of a form post, each with all of its values. Raises `PageProblem`.

    Other content types are refused: our forms do not use them, and a foreign page could send text/plain.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM_TYPE:
        raise unreadable_form("It is not in the format that our pages send.", 415)
    raw = await _whole(body)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, max_num_fields=_FORM_FIELDS, errors="strict"
        )
    except ValueError:
        raise unreadable_form("It holds something that is not text, or too many fields.") from None
    form: Form = {}
    for name, value in pairs:
        form[name] = (*form.get(name, ()), value)
    return form


async def _whole(body: AsyncIterable[bytes]) -> bytes:
    raw = bytearray()
    try:
        async with asyncio.timeout(_FORM_SECONDS):
            async for chunk in body:
                raw += chunk
                if len(raw) > FORM_BYTES:
                    raise unreadable_form("It is too large.", 413)
    except TimeoutError:
        raise unreadable_form("It did not arrive in time.", 408) from None
    return bytes(raw)


def first_value(form: Form, name: str) -> str:
    """The first value of a field, empty when there is none."""
    return form.get(name, ("",))[0]


@dataclass(frozen=True, slots=True)
class PageRateLimit:
    """At most `count` in any minute for each key. Counted per process unless `windows` is shared by replicas."""

    windows: MovingWindowSupport
    name: str
    count: int

    async def admit(self, key: str) -> None:
        """Count one. Raises `PageProblem` (429) when the limit is used up."""
        if not await self.windows.acquire_entry(f"pages/{self.name}/{key}", self.count, 60):
            raise too_many(60)
