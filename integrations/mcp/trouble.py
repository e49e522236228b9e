"""What can go wrong between us and an MCP server, as one value that says whether the call may have taken effect.

`sent` is False only when the server certainly did not process the request: no connection, or a refusal of the
session or the credential. Only then may a call that is not idempotent be sent again.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from mcp.shared.exceptions import MCPError

from integrations.base import Failure, JsonObject

Kind = Literal[
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
    "protocol",  # an answer that breaks the protocol
    "busy",  # our own bound on parallel calls
    "secret",  # a header or variable has no value
]

# The transports report trouble with one request as a JSON-RPC error of this code, so that it reaches its caller
# and nobody else. The code lies in the range that the specification leaves to implementations.
TROUBLE_CODE = -32019
_KEY = "executor"
_KINDS = get_args(Kind)
_CODES = {
    "unauthorized": "connection_rejected",
    "forbidden": "connection_rejected",
    "timeout": "upstream_timeout",
    "denied": "egress_denied",
    "too_large": "upstream_response_too_large",
    "secret": "connection_value_missing",
}
_LASTING = frozenset({"denied", "too_large", "protocol", "forbidden", "unauthorized", "secret"})
_REPAIRABLE = frozenset({"unreachable", "closed", "session"})


class Trouble(Exception):
    """See the module text. `status` is the HTTP status, if there was one; `challenge` a 401's `WWW-Authenticate`."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        sent: bool = False,
        status: int | None = None,
        challenge: str = "",
    ) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.sent = sent
        self.status = status
        self.challenge = challenge

    @property
    def repairable(self) -> bool:
        """Whether a new connection may help at once."""
        return self.kind in _REPAIRABLE

    def as_error(self) -> dict[str, Any]:
        """A JSON-RPC error object."""
        data = {_KEY: self.kind, "sent": self.sent, "status": self.status, "challenge": self.challenge}
        return {"code": TROUBLE_CODE, "message": self.message, "data": data}

    def as_failure(self, *, idempotent: bool) -> Failure:
        """What agent code sees. `retryable` obeys one rule: a call that may have taken effect is not offered again
        unless it is idempotent.
        """
        safe = idempotent or not self.sent
        message = self.message
        details: dict[str, Any] = {"sent": self.sent}
        if not safe:
            details["outcome"] = "unknown"
            message += "; the call was sent and may have taken effect, so it was not sent again"
        return Failure(
            _CODES.get(self.kind, "mcp_connection_failed"),
            message,
            retryable=safe and self.kind not in _LASTING,
            status=self.status,
            details=details,
        )


def trouble_in(error: MCPError) -> Trouble | None:
    """The trouble that a transport wrapped, or None for an error of the server itself."""
    data = error.data
    if error.code != TROUBLE_CODE or not isinstance(data, dict) or data.get(_KEY) not in _KINDS:
        return None
    status = data.get("status")
    return Trouble(
        data[_KEY],
        error.message,
        sent=data.get("sent") is not False,
        status=status if type(status) is int else None,
        challenge=str(data.get("challenge") or ""),
    )


def first_trouble(error: BaseException) -> Trouble | None:
    """The first `Trouble` inside an exception or group of them."""
    if isinstance(error, BaseExceptionGroup):
        found = (first_trouble(one) for one in error.exceptions)
        return next((one for one in found if one is not None), None)
    if isinstance(error, Trouble):
        return error
    if isinstance(error, MCPError):
        return trouble_in(error)
    return None


def status_of(trouble: Trouble) -> JsonObject:
    """The published status (seed 003): a 401 needs a sign-in, everything else failed for a reason."""
    if trouble.kind == "unauthorized":
        return {"status": "needs_auth"}
    return {"status": "failed", "error": trouble.message}
