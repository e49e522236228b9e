"""What a POST must pass before anything is done, and how often somebody may try.

Origin and Sec-Fetch-Site are set by browsers and cannot be set by pages (Fetch, section 2.2.2 "forbidden
request-header"); a request with neither does not come from a form of ours. The CSRF token is the second lock: it is
known only to pages that were rendered for this very sign-in. Signing in has only the first lock: before it
there is nothing to bind a token to.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from limits.aio.storage import MovingWindowSupport

from proxy.serving.http import Request
from proxy.serving.pages.guard import SignIn
from proxy.serving.pages.guard import foreign_request, stale_form, too_many, unreadable_form

FORM_BYTES: Final = 32 * 1024
_FORM_FIELDS: Final = 400
_FORM_SECONDS: Final = 30.0
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
Form = dict[str, tuple[str, ...]]


def check_origin(request: Request, public_url: str | None) -> None:
    """Raises `Problem` unless the request was made by a page of this server."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None:
        raise foreign_request()
    if site is not None and site != "same-origin":
        raise foreign_request()
    if origin is not None and origin.lower() not in _own_origins(request, public_url):
        raise foreign_request()


def _own_origins(request: Request, public_url: str | None) -> set[str]:
    """The public one, and the host that was asked. Where the public one is https, nothing else is ours over http."""
    host = request.headers.get("host", "").lower()
    if public_url is None:
        return {f"http://{host}", f"https://{host}"}
    public = urlsplit(public_url.lower())
    return {f"{public.scheme}://{public.netloc}", f"{public.scheme}://{host}"}


def check_token(form: Form, sign_in: SignIn) -> None:
    """Raises `Problem` unless the form was rendered for this sign-in. Compared in constant time."""
    if not hmac.compare_digest(one(form, "csrf").encode(), sign_in.csrf.encode()):
        raise stale_form()


async def read_form(request: Request, body: AsyncIterable[bytes]) -> Form:
    """The fields of a form post, each with all of its values. Raises `Problem`.

    Other encodings are refused: no field of ours needs them, and plain text could be sent by a foreign page.
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


def one(form: Form, name: str) -> str:
    """The value of a field, empty when there is none."""
    return form.get(name, ("",))[0]


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `count` in any minute for each key. Counted per process unless `windows` is shared."""

    windows: MovingWindowSupport
    name: str
    count: int

    async def admit(self, key: str) -> None:
        """Raises `Problem` (429) when it is used up."""
        if not await self.windows.acquire_entry(f"pages/{self.name}/{key}", self.count, 60):
            raise too_many(60)
