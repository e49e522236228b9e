"""HTTP responses of a GraphQL endpoint to results (GraphQL specification, section 7; GraphQL over HTTP,
section 6). Partial data is kept: it is in `details.data` of a `graphql_errors` failure.
"""

from __future__ import annotations

from typing import Any

from integrations.base import Failure, HttpInfo, JsonObject, Result, Success
from integrations.http import HttpResponse
from integrations.http.responses import (
    RETRYABLE,
    challenge_of,
    interpret,
    notable_headers,
    parse_json,
    too_deep,
    wait_asked,
)
from integrations.json_text import JsonTooDeep

_MAX_ERRORS = 50
_MAX_MESSAGE = 500
# How GitHub, Shopify and others say "too many requests" with status 200.
_RATE_LIMIT_CODES = frozenset({"RATE_LIMITED", "RATE_LIMIT", "THROTTLED", "TOO_MANY_REQUESTS"})


def read_response(response: HttpResponse) -> Result:
    """The result agents see. Redirects, refused credentials and failing servers are the same failures as for REST."""
    status = response.status
    declared = response.header("content-type")
    try:
        content = parse_json(response.body, declared)
    except JsonTooDeep:
        return too_deep(status) if 200 <= status < 300 else interpret(response, "POST")
    if isinstance(content, dict) and _is_answer(content) and _counts(content, declared, status):
        return _answer(content, response)
    if 200 <= status < 300:
        return Failure("upstream_http_error", _not_graphql(response), status=status)
    if 300 <= status < 400:
        target = response.header("location").split("?")[0]
        reason = f"HTTP {status}: the endpoint redirects to {target}; set `endpoint` to where it really is"
        return Failure("upstream_http_error", reason, status=status)
    return interpret(response, "POST")


def _is_answer(content: JsonObject) -> bool:
    return "data" in content or isinstance(content.get("errors"), list)


def _counts(content: JsonObject, declared: str, status: int) -> bool:
    """`application/graphql-response+json` is an answer whatever the status (GraphQL over HTTP, section 6.4.2). Others
    are unless the status says that nothing was executed, and always when there is data.
    """
    if status < 400 or (content.get("errors") and content.get("data") is not None):
        return True
    if declared.split(";")[0].strip().lower() == "application/graphql-response+json":
        return bool(content.get("errors"))
    return status not in (401, 403, 429) and status < 500


def _not_graphql(response: HttpResponse) -> str:
    kind = response.header("content-type").split(";")[0] or "no content type"
    return f"HTTP {response.status}: the answer is no GraphQL response ({kind}, {len(response.body)} bytes)"


def _answer(content: JsonObject, response: HttpResponse) -> Result:
    errors, data = content.get("errors"), content.get("data")
    extensions = content.get("extensions")
    if not errors:
        return Success(data, HttpInfo(response.status, notable_headers(response)), extensions=extensions)
    listed = errors if isinstance(errors, list) else [errors]
    details: JsonObject = {"errors": listed[:_MAX_ERRORS], "data": data}
    if len(listed) > _MAX_ERRORS:
        details["errorCount"] = len(listed)
    if extensions is not None:
        details["extensions"] = extensions
    details |= wait_asked(response, content)
    status = response.status
    code = "connection_rejected" if status in (401, 403) else "graphql_errors"
    retryable = status in RETRYABLE or any(map(_is_rate_limit, listed))
    return Failure(code, error_text(listed), retryable, status, details, challenge_of(response))


def error_text(errors: list[Any]) -> str:
    """The first three messages, each with the path in the data that it is about."""
    said = [_error_line(error) for error in errors[:3]]
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return ("; ".join(said) + more)[:_MAX_MESSAGE]


def _error_line(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)[:_MAX_MESSAGE]
    message = str(error.get("message") or "no message")
    path = error.get("path")
    return f"{message} (at {'.'.join(map(str, path))})" if isinstance(path, list) and path else message


def _is_rate_limit(error: Any) -> bool:
    if not isinstance(error, dict):
        return False
    extensions = error.get("extensions")
    codes = (error.get("type"), extensions.get("code") if isinstance(extensions, dict) else None)
    return any(isinstance(code, str) and code.upper() in _RATE_LIMIT_CODES for code in codes)
