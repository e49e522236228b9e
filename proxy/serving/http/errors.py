"""What can go wrong between the socket and a handler, and the one table that says how it is answered.

    RequestRefusal    a request is not served; raised anywhere in `proxy.serving`, answered by `admission`
    `-- ApiProblem    the same with a word of the REST API (`proxy.serving.rest.request`)
    RateLimited       a rate limit refuses (raised by the gateway); `rate_limited` makes a refusal of it

`proxy.auth.AuthError` (the caller is not let in) becomes a refusal in `admission`. Everything else that escapes is a
defect: `internal_error` answers it with eight hex digits, and only the log says more under these digits.

There are two encoders: `jsonrpc_error` for MCP, `rest_error` for the REST API and the operations routes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from integrations.json_text import write_json
from proxy.telemetry import Logger, new_correlation_id

_log = Logger("http")

RefusalKind = Literal[
    "missing_session",
    "bad_request",
    "parse_error",
    "unauthorized",
    "forbidden",
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
FAULTS: Mapping[RefusalKind, Fault] = MappingProxyType(
    {
        "missing_session": Fault(400, -32000),
        "bad_request": Fault(400, -32600),
        "parse_error": Fault(400, -32700),
        "unauthorized": Fault(401, -32001),
        "forbidden": Fault(403, -32001),
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

# Answered to a handshake-era request that `notifications/cancelled` ended (the code the Python SDK uses as well).
REQUEST_CANCELLED = -32800


class RequestRefusal(Exception):
    """A request that is not served. `headers` go on the HTTP answer, `data` into the JSON-RPC error. `kind` is the
    REST API's word for it, and finds the `fault` unless that is given. Whoever knows the JSON-RPC id of the refused
    request sets `request_id`."""

    def __init__(
        self,
        kind: RefusalKind,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
        fault: Fault | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: str = kind
        self.message = message
        self.headers = dict(headers or {})
        self.data = dict(data) if data else None
        self.fault = fault or FAULTS[kind]
        self.request_id: str | int | None = None
        self.details: dict[str, Any] = {}


class RateLimited(Exception):
    """A limit refuses, for this `reason`. `limit` is its name in the configuration, shown to the caller. `origin` says
    where a limit comes from that no configuration names. `as_result`: a `tools/call` is answered with a tool result."""

    def __init__(
        self,
        limit: str,
        retry_after_seconds: float,
        *,
        reason: str = "is used up",
        origin: str = "",
        as_result: bool = False,
    ) -> None:
        super().__init__(limit)
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds
        self.reason = reason
        self.origin = origin
        self.as_result = as_result

    @property
    def whole_seconds(self) -> int:
        """As `Retry-After` says it."""
        return max(1, math.ceil(self.retry_after_seconds))

    def sentence(self, subject: str) -> str:
        origin = f" ({self.origin})" if self.origin else ""
        return f"{subject} `{self.limit}`{origin} {self.reason}. Try again in {self.whole_seconds} s."


def rate_limited(error: RateLimited) -> RequestRefusal:
    """With the seconds to wait."""
    return RequestRefusal(
        "rate_limited",
        error.sentence("Rate limit"),
        headers={"retry-after": str(error.whole_seconds)},
        data={"limit": error.limit, "retryAfterMs": round(error.retry_after_seconds * 1000)},
    )


def log_defect(error: Exception) -> str:
    """Log the cause under eight hex digits, and return only these: they are all that a caller may see."""
    reference = new_correlation_id()
    _log.exception("internal_error", error, id=reference)
    return reference


def internal_error(error: Exception) -> RequestRefusal:
    return RequestRefusal("internal", f"Internal error [{log_defect(error)}]")


def jsonrpc_error(refusal: RequestRefusal) -> bytes:
    return error_body(refusal.fault.code, refusal.message, refusal.data, refusal.request_id)


def rest_error(refusal: RequestRefusal) -> bytes:
    """The one shape of errors of the REST API."""
    return write_json({"error": {"code": refusal.kind, "message": refusal.message, **refusal.details}})


def error_body(code: int, message: str, data: Any = None, request_id: str | int | None = None) -> bytes:
    """A JSON-RPC 2.0 error; `id` is null whenever the request's own id does not matter or is not known."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return write_json({"jsonrpc": "2.0", "error": error, "id": request_id})
