"""JSON-RPC 2.0 messages as MCP posts them: one object a body, never a batch (removed in 2025-06-18)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from integrations.base import JsonObject
from integrations.json_text import JsonTooDeep, read_json, write_json
from proxy.serving.http.errors import RequestRefusal, error_body

RequestId = str | int

_UNCOUNTED: Final = frozenset(
    {"initialize", "ping", "tools/list", "server/discover", "subscriptions/listen", "logging/setLevel"}
)
_ID: Final = rb'("(?:[^"\\]|\\.){0,256}"|-?\d{1,18})\s*'
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_MEMBER: Final = re.compile(rb"\s*:\s*" + _ID + rb"[,}]")
# The closing brace right behind it is that of the message, because it is the last one.
_LAST_MEMBER: Final = re.compile(rb'[,{]\s*"id"\s*:\s*' + _ID + rb'(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*\Z')


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


def id_at(start: bytes, end: bytes) -> RequestId | None:
    """The id of a request whose body is too large to be read, from its first and last bytes; None where it stands in
    between. Clients write it at one of the two ends."""
    depth = 0
    for token in _TOKEN.finditer(start):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and token[0] == b'"id"':
            found = _MEMBER.match(start, token.end())
            if found is not None:
                return _read_id(found[1])
    last = _LAST_MEMBER.search(end)
    return _read_id(last[1]) if last is not None else None


def _read_id(text: bytes) -> RequestId | None:
    try:
        found: RequestId = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found


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
