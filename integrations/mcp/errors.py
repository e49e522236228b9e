"""`McpError`: what went wrong between us and an MCP server, and whether the call may have taken effect.

`sent` is False only when the server certainly did not process the request: no connection, or a refusal of the
session or the credential. Only then may a call that is not idempotent be sent again.

    Exception
    ├── McpError   the connection failed, or the server broke the protocol (ours; `kind` says which)
    └── MCPError   of the SDK, here always `SdkError`: an answer of the server, or an `McpError` that was wrapped
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, get_args

from mcp.shared.exceptions import MCPError as SdkError

from integrations.base import Failure, JsonObject

McpErrorKind = Literal[
    "start",  # the process cannot be started, or ended before it answered
    "unreachable",  # no connection
    "closed",  # the connection or process ended
    "session",  # the server no longer knows our session
    "unauthorized",  # 401
    "forbidden",  # 403
    "http",  # another HTTP status
    "timeout",  # no answer in time
    "denied",  # the egress guard
    "too_large",
    "too_deep",  # an answer beyond the depth limit for JSON
    "protocol",  # an answer that breaks the protocol
    "busy",  # our own bound on parallel calls
    "secret",  # a header or variable has no value
]

# When one request fails, the transports answer it with a JSON-RPC error of this code, so that the failure reaches the
# caller of that request and nobody else. The code lies in the range that the specification leaves to implementations.
CONNECTION_ERROR_CODE = -32019
_KEY = "executor"
_KINDS = get_args(McpErrorKind)
_FAILURE_CODES = {
    "unauthorized": "connection_rejected",
    "forbidden": "connection_rejected",
    "timeout": "upstream_timeout",
    "denied": "egress_denied",
    "too_large": "upstream_response_too_large",
    "too_deep": "upstream_response_too_deep",
    "secret": "connection_value_missing",
}
_LONGEST_REASON = 1000
_UNKNOWN = re.compile(
    r"unknown|not found|no valid|invalid|expired|stale|missing|no such|not exist|terminated|closed|lost|no longer"
    r"|unrecogni[sz]ed|not initiali[sz]ed|not recogni[sz]ed|required",
    re.IGNORECASE,
)
_PERMANENT = frozenset({"denied", "too_large", "too_deep", "protocol", "forbidden", "unauthorized", "secret"})
_RECONNECTABLE = frozenset({"unreachable", "closed", "session"})


class McpError(Exception):
    """See the module docstring. `status`: of HTTP, if there was one. `challenge`: `WWW-Authenticate` of a 401.
    `retry_after_ms`: when the server asks to be called again."""

    def __init__(
        self,
        kind: McpErrorKind,
        message: str,
        *,
        sent: bool = False,
        status: int | None = None,
        challenge: str = "",
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: McpErrorKind = kind
        self.message = message
        self.sent = sent
        self.status = status
        self.challenge = challenge
        self.retry_after_ms = retry_after_ms

    @property
    def reconnectable(self) -> bool:
        """Whether a new connection may help at once."""
        return self.kind in _RECONNECTABLE

    def as_error(self) -> dict[str, Any]:
        """A JSON-RPC error object, which `wrapped_error` reads."""
        data = {
            _KEY: self.kind,
            "sent": self.sent,
            "status": self.status,
            "challenge": self.challenge,
            "retryAfterMs": self.retry_after_ms,
        }
        return {"code": CONNECTION_ERROR_CODE, "message": self.message, "data": data}

    def as_failure(self, *, idempotent: bool) -> Failure:
        """What agent code sees. A call that may have taken effect is `retryable` only if it is idempotent."""
        safe = idempotent or not self.sent
        message = self.message
        details: dict[str, Any] = {"sent": self.sent}
        if self.retry_after_ms is not None:
            details["retryAfterMs"] = self.retry_after_ms
        if not safe:
            details["outcome"] = "unknown"
            message += "; the call was sent and may have taken effect, so it was not sent again"
        kind = "unauthorized" if self.kind == "session" and self.status in (401, 403) else self.kind
        return Failure(
            _FAILURE_CODES.get(kind, "mcp_connection_failed"),
            message,
            retryable=safe and self.kind not in _PERMANENT,
            status=self.status,
            details=details,
        )


def says_session_is_unknown(text: str) -> bool:
    """Whether a refusal says that the server does not know our session. There is no code that all servers use."""
    return len(text) <= _LONGEST_REASON and "session" in text.lower() and _UNKNOWN.search(text) is not None


OnError = Callable[[McpError], None]
"""Is told why a connection ended. Called in the event loop; must not block."""


def wrapped_error(error: SdkError) -> McpError | None:
    """The error that a transport wrapped (`as_error`), or None for an error of the server itself."""
    data = error.data
    if error.code != CONNECTION_ERROR_CODE or not isinstance(data, dict) or data.get(_KEY) not in _KINDS:
        return None
    status, wait = data.get("status"), data.get("retryAfterMs")
    return McpError(
        data[_KEY],
        error.message,
        sent=data.get("sent") is not False,
        status=status if type(status) is int else None,
        challenge=str(data.get("challenge") or ""),
        retry_after_ms=wait if type(wait) is int else None,
    )


def find_error(error: BaseException) -> McpError | None:
    """The first `McpError` inside an exception or a group of them."""
    if isinstance(error, BaseExceptionGroup):
        found = (find_error(one) for one in error.exceptions)
        return next((one for one in found if one is not None), None)
    if isinstance(error, McpError):
        return error
    if isinstance(error, SdkError):
        return wrapped_error(error)
    return None


def status_of(error: McpError) -> JsonObject:
    """The published status of a connection that ended with this error: a 401 asks for a sign-in, the rest failed."""
    if error.kind == "unauthorized":
        return {"status": "needs_auth"}
    return {"status": "failed", "error": error.message}
