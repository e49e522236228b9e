"""What can go wrong between the socket and a tool, and the one table that says how it is answered.

    Refusal          a request is not served; raised anywhere in `proxy.serving`, answered by the envelope
    AuthError        the gateway does not know or does not admit the caller (raised by `Gateway.authenticate`)
    RateLimited      a request limit is used up (raised by `Gateway.check_request_limit`)

Everything else that escapes is a defect: it is answered as `internal` with eight hex digits, and only the log
says more under these digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import orjson

Kind = Literal[
    "missing_session",
    "bad_request",
    "parse_error",
    "unauthorized",
    "foreign_session",
    "bad_origin",
    "unknown_session",
    "not_found",
    "method_not_allowed",
    "not_acceptable",
    "too_large",
    "unsupported_media_type",
    "wrong_host",
    "rate_limited",
    "internal",
    "unavailable",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """How one kind is answered: the HTTP status and the JSON-RPC error code."""

    status: int
    code: int


# Codes -32000 to -32019 are ours to use; -32020 to -32022 belong to the 2026-07-28 specification.
FAULTS: Mapping[Kind, Fault] = MappingProxyType(
    {
        "missing_session": Fault(400, -32000),
        "bad_request": Fault(400, -32600),
        "parse_error": Fault(400, -32700),
        "unauthorized": Fault(401, -32001),
        "foreign_session": Fault(403, -32003),
        "bad_origin": Fault(403, -32600),
        "unknown_session": Fault(404, -32001),
        "not_found": Fault(404, -32001),
        "method_not_allowed": Fault(405, -32001),
        "not_acceptable": Fault(406, -32600),
        "too_large": Fault(413, -32600),
        "unsupported_media_type": Fault(415, -32600),
        "wrong_host": Fault(421, -32600),
        "rate_limited": Fault(429, -32029),
        "internal": Fault(500, -32603),
        "unavailable": Fault(503, -32001),
    }
)

# Answered to a handshake-era request that `notifications/cancelled` ended (the code the Python SDK uses as
# well).
REQUEST_CANCELLED = -32800


class Refusal(Exception):
    """A request that is not served. `headers` go on the HTTP answer, `data` into the JSON-RPC error."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.headers = dict(headers or {})
        self.data = dict(data) if data else None

    @property
    def fault(self) -> Fault:
        return FAULTS[self.kind]


class AuthError(Exception):
    """The caller is unknown, not admitted, or did not say which workspace. `status` and `code` as in the
    table of the serving design (401/403/400/503 with -32001 or -32000); `headers` are added to the answer."""

    def __init__(
        self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class RateLimited(Exception):
    """A request limit is used up. `limit` is its name in the configuration, shown to the caller."""

    def __init__(self, limit: str, retry_after_seconds: float) -> None:
        super().__init__(limit)
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds


def error_body(code: int, message: str, data: Any = None, request_id: str | int | None = None) -> bytes:
    """A JSON-RPC 2.0 error object; `id` is null whenever the request's own id does not matter or is not
    known."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return orjson.dumps({"jsonrpc": "2.0", "error": error, "id": request_id})
