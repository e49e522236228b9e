"""JSON-RPC 2.0 messages as MCP posts them: one object a body, never a batch (removed in 2025-06-18)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from integrations.base import JsonObject
from integrations.json_text import JsonTooDeep, read_json, write_json
from proxy.serving.http.errors import RequestRefusal, error_body

RequestId = str | int

_UNCOUNTED: Final = frozenset(
    {"initialize", "ping", "tools/list", "server/discover", "subscriptions/listen", "logging/setLevel"}
)


@dataclass(frozen=True, slots=True)
class JsonRpcMessage:
    """One posted message. `id` is None exactly for notifications; `raw` is the decoded object."""

    kind: Literal["request", "notification", "response"]
    method: str
    id: RequestId | None
    params: JsonObject | None
    raw: JsonObject

    @property
    def counts(self) -> bool:
        """Whether rate limits count it. What keeps a session going costs little, and refusing it ends the session."""
        return self.kind == "request" and self.method not in _UNCOUNTED


def parse(body: bytes) -> JsonRpcMessage:
    """Raises `RequestRefusal`: -32700 for what is not JSON, -32600 for JSON that is not one JSON-RPC message."""
    try:
        raw = read_json(body)
    except JsonTooDeep as deep:
        raise RequestRefusal("parse_error", f"The JSON of the body is {deep}.") from None
    except ValueError:
        raise RequestRefusal("parse_error", "The body is not valid JSON.") from None
    if not isinstance(raw, dict):
        raise _invalid("must be one JSON-RPC object (batches are not supported)")
    if raw.get("jsonrpc") != "2.0":
        raise _invalid('must have "jsonrpc": "2.0"')
    if "method" not in raw and ("result" in raw or "error" in raw):
        return JsonRpcMessage("response", "", None, None, raw)
    return _call(raw)


def _call(raw: JsonObject) -> JsonRpcMessage:
    method, params = raw.get("method"), raw.get("params")
    if not isinstance(method, str) or not method:
        raise _invalid("needs a `method` string")
    if params is not None and not isinstance(params, dict):
        raise _invalid("has `params` that are not an object")
    if "id" not in raw:
        return JsonRpcMessage("notification", method, None, params, raw)
    identifier = raw["id"]
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        raise _invalid("needs an `id` that is a string or an integer")
    return JsonRpcMessage("request", method, identifier, params, raw)


def _invalid(what: str) -> RequestRefusal:
    return RequestRefusal("bad_request", f"Invalid request: the body {what}.")


@dataclass(frozen=True, slots=True)
class JsonRpcOutcome:
    """What a request came to: a result, or an error (then `result` is None)."""

    result: JsonObject | None
    code: int = 0
    message: str = ""
    data: Any = None

    def encode(self, request_id: RequestId) -> bytes:
        if self.result is None:
            return error_body(self.code, self.message, self.data, request_id)
        return encode({"jsonrpc": "2.0", "id": request_id, "result": self.result})


def encode(message: JsonObject) -> bytes:
    """JSON bytes."""
    return write_json(message)


def event(message: JsonObject) -> bytes:
    """One server-sent event. JSON has no raw newline, so a single `data` line is always enough."""
    return b"event: message\ndata: " + encode(message) + b"\n\n"
