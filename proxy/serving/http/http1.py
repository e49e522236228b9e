"""Repairs of how Hypercorn speaks HTTP/1.1.

- Upgrades are ignored (RFC 9110 section 7.8 allows it), and the preface of HTTP/2 is a request like any other.
  Hypercorn speaks HTTP/2 over plain TCP to everybody who asks (`Upgrade: h2c`, prior knowledge) and has no setting
  against it: frames that cost nothing to send, before anybody has authenticated.
- A head that cannot be read is answered with words, not with an empty body. Where what makes it too large is a key or
  a token, it is 401 like every other one that is no good.
"""

from __future__ import annotations

from itertools import chain
from typing import Final

import h11
from hypercorn.protocol.h11 import H11Protocol

_CREDENTIALS: Final = (b"authorization:", b"x-api-key:")
_CREDENTIAL_TOO_LARGE: Final = (
    401,
    "unauthorized",
    "This key or token is malformed: it is larger than any key or token.",
)
_SAID: Final = {
    431: ("head_too_large", "The headers of this request are too large."),
    501: ("not_implemented", "This transfer coding is not supported."),
}
_UNREADABLE: Final = (
    "bad_request",
    "This is no request of HTTP/1.1: its first line or a header is malformed.",
)
_CHALLENGE: Final = b'Bearer realm="executor", error="invalid_token"'


def repair_http_1() -> None:
    """For all connections of this process; again does no harm."""
    setattr(H11Protocol, "_check_protocol", _stay_with_http_1)  # noqa: B010
    setattr(H11Protocol, "_send_error_response", _say_what_is_wrong)  # noqa: B010


async def _stay_with_http_1(self: H11Protocol, event: h11.Request) -> None:
    pass


async def _say_what_is_wrong(self: H11Protocol, status: int) -> None:
    code, message = _SAID.get(status, _UNREADABLE)
    challenge: list[tuple[bytes, bytes]] = []
    if status == 431 and _ends_in_credential(
        self.connection.trailing_data[0], self.config.h11_max_incomplete_size
    ):
        status, code, message = _CREDENTIAL_TOO_LARGE
        challenge = [(b"www-authenticate", _CHALLENGE)]
    body = b'{"error":{"code":"%b","message":"%b"}}' % (code.encode(), message.encode())
    own = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *challenge,
    ]
    headers = list(chain(own, self.config.response_headers("h11")))
    await self._send_h11_event(h11.Response(status_code=status, headers=headers))
    await self._send_h11_event(h11.Data(data=body))
    await self._send_h11_event(h11.EndOfMessage())


def _ends_in_credential(head: bytes, limit: int) -> bool:
    """Whether the line that never ended is a credential, and most of what there is."""
    line = head[head.rfind(b"\n") + 1 :]
    return len(line) > limit // 2 and line[:16].lower().startswith(_CREDENTIALS)
