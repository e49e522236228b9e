"""The cookie of a signed-in person: the credential itself, sealed.

Rules:
- Nothing is stored on the server, so every replica with the same keys reads it and a restart forgets nobody.
- The seal's associated data name its purpose: no other sealed value of this deployment passes for a cookie.
- It ends with the browser, after 8 hours, or when the credential in it is no longer good, whichever comes first.
- `SameSite=Strict; HttpOnly; Path=/`; behind https also `Secure` and the `__Host-` prefix (RFC 6265bis, section
  4.1.3.2), so that no sibling host can plant one.
- Over plain http the name carries the port: two servers on one machine share one cookie jar.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

import orjson

from proxy.serving.http import Request
from proxy.serving.origins import split_port
from proxy.serving.sealing import Forged, Seals

SIGN_IN_SECONDS: Final = 8 * 3600.0
LONGEST_CREDENTIAL: Final = 2600
"""Characters. Sealed and encoded it must fit into the 4,096 bytes that browsers take for a cookie."""

_PURPOSE: Final = "page sign-in"


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who is signed in, as the cookie says it. `until` is in seconds since 1970; `csrf` goes into every form."""

    credential: str
    workspace: str | None
    csrf: str
    until: float


class SignInCookie:
    """Makes and reads the cookie. `secure` says whether people reach us over https."""

    def __init__(self, seals: Seals, secure: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._seals = seals
        self._secure = secure
        self._clock = clock

    def fresh(self, credential: str, workspace: str | None) -> SignIn:
        """A sign-in that begins now, with a CSRF token of its own."""
        return SignIn(credential, workspace, secrets.token_urlsafe(24), self._clock() + SIGN_IN_SECONDS)

    def set(self, request: Request, sign_in: SignIn) -> str:
        """The Set-Cookie header that keeps it."""
        sealed = self._seals.close(_PURPOSE, orjson.dumps(asdict(sign_in)))
        return f"{self._name(request)}={sealed}{self._attributes()}"

    def clear(self, request: Request) -> str:
        """The Set-Cookie header that ends it."""
        return f"{self._name(request)}=; Max-Age=0{self._attributes()}"

    def read(self, request: Request) -> SignIn | None:
        """The sign-in of this request, if it has one that has not ended."""
        for value in self._values(request):
            sign_in = self._opened(value)
            if sign_in is not None and sign_in.until > self._clock():
                return sign_in
        return None

    def given(self, request: Request) -> bool:
        """Whether the browser sent one at all, good or not."""
        return any(True for _ in self._values(request))

    def _opened(self, value: str) -> SignIn | None:
        try:
            return SignIn(**orjson.loads(self._seals.open(_PURPOSE, value)))
        except (Forged, TypeError, ValueError):
            # Another key, another version, or somebody's handiwork: all the same as no cookie.
            return None

    def _values(self, request: Request) -> Iterator[str]:
        name = self._name(request)
        for pair in request.headers.get("cookie", "").split(";"):
            own, _, value = pair.strip().partition("=")
            if own == name and value:
                yield value

    def _name(self, request: Request) -> str:
        if self._secure():
            return "__Host-executor"
        port = split_port(request.headers.get("host", ""))[1]
        return f"executor-{port or 80}"

    def _attributes(self) -> str:
        return f"; Path=/; HttpOnly; SameSite=Strict{'; Secure' if self._secure() else ''}"
