from __future__ import annotations

from typing import Any

import orjson
import pytest

from integrations.base import Failure, Result, Success
from integrations.graphql.responses import error_text, read_response
from integrations.http import HttpResponse


def read(content: Any, status: int = 200, kind: str = "application/json", **headers: str) -> Result:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    listed = [("Content-Type", kind), *headers.items()]
    return read_response(HttpResponse(status, listed, body, "https://x.example/graphql"))


def failed(content: Any, status: int = 200, kind: str = "application/json", **headers: str) -> Failure:
    result = read(content, status, kind, **headers)
    assert isinstance(result, Failure)
    return result


def test_data_without_errors_is_a_success() -> None:
    result = read({"data": {"me": None}, "extensions": {"cost": 1}})
    assert isinstance(result, Success)
    assert result.data == {"me": None}
    assert result.as_json()["extensions"] == {"cost": 1}
    assert isinstance(read({"data": {"x": 1}, "errors": []}), Success)


def test_partial_data_is_kept() -> None:
    errors = [{"message": "no", "path": ["me", 0, "team"]}]
    failure = failed({"data": {"me": [None]}, "errors": errors})
    assert (failure.code, failure.message, failure.status) == ("graphql_errors", "no (at me.0.team)", 200)
    assert failure.details == {"errors": errors, "data": {"me": [None]}}
    assert not failure.retryable


def test_request_errors_with_status_400_are_graphql_errors() -> None:
    failure = failed({"errors": [{"message": "bad"}]}, 400, "application/graphql-response+json")
    assert (failure.code, failure.status, failure.details["data"]) == ("graphql_errors", 400, None)


RESPONSE, JSON = "application/graphql-response+json; charset=utf-8", "application/json"
ERRORS = [{"message": "boom"}]
# Status, type, content, the code of the failure, whether it may be tried again.
STATUSES: list[tuple[int, str, Any, str, bool]] = [
    (500, RESPONSE, {"errors": ERRORS, "data": {"a": None}}, "graphql_errors", False),
    (503, RESPONSE, {"errors": ERRORS}, "graphql_errors", True),
    (429, RESPONSE, {"errors": ERRORS}, "graphql_errors", True),
    (401, RESPONSE, {"errors": ERRORS}, "connection_rejected", False),
    (500, JSON, {"errors": ERRORS, "data": {"a": 1}}, "graphql_errors", False),
    (500, JSON, {"errors": ERRORS, "data": None}, "upstream_http_error", False),
    (500, JSON, {"errors": ERRORS}, "upstream_http_error", False),
    (500, RESPONSE, {"data": {"a": 1}}, "upstream_http_error", False),
    (403, JSON, {"errors": ERRORS, "data": {"a": 1}}, "connection_rejected", False),
]


@pytest.mark.parametrize(("status", "kind", "content", "code", "retryable"), STATUSES)
def test_an_answer_counts_whatever_the_status(
    status: int, kind: str, content: Any, code: str, retryable: bool
) -> None:
    failure = failed(content, status, kind)
    assert (failure.code, failure.status, failure.retryable) == (code, status, retryable)
    if code == "graphql_errors":
        assert failure.details["data"] == content.get("data")


def test_extensions_of_failures_are_kept() -> None:
    content = {"errors": ERRORS, "data": None, "extensions": {"cost": 1}}
    assert failed(content).details["extensions"] == {"cost": 1}


@pytest.mark.parametrize("error", [{"type": "RATE_LIMITED"}, {"extensions": {"code": "THROTTLED"}}])
def test_too_many_requests_said_with_200_may_be_tried_again(error: Any) -> None:
    assert failed({"errors": [{"message": "slow down", **error}]}).retryable


def test_errors_are_bounded_and_may_be_odd() -> None:
    failure = failed({"data": None, "errors": [{"message": f"m{n}"} for n in range(60)]})
    assert len(failure.details["errors"]) == 50
    assert failure.details["errorCount"] == 60
    assert failure.message == "m0; m1; m2 (and 57 more)"
    assert error_text(["plain", {}, {"message": "m", "path": 3}]) == "plain; no message; m"
    assert failed({"errors": "all wrong"}, 200, "application/json").code == "upstream_http_error"
    assert failed({"data": None, "errors": {"message": "one"}}).message == "one"


def test_refused_credentials_and_failing_servers_are_told_as_for_rest() -> None:
    refused = failed({"message": "Bad credentials"}, 401)
    assert (refused.code, refused.message) == ("connection_rejected", "HTTP 401: Bad credentials")
    busy = failed({"errors": [{"message": "later"}]}, 429)
    assert (busy.code, busy.retryable) == ("upstream_http_error", True)
    assert failed(b"<html>bad gateway</html>", 502, "text/html").retryable


def test_what_is_no_graphql_response() -> None:
    assert "no GraphQL response (text/html, 5 bytes)" in failed(b"hello", 200, "text/html").message
    assert "no GraphQL response" in failed([1]).message
    assert (
        "redirects to https://y.example/g;" in failed(b"", 301, Location="https://y.example/g?key=1").message
    )


def test_large_integers_stay_exact() -> None:
    result = read(b'{"data": {"n": 12345678901234567890123}}')
    assert isinstance(result, Success)
    assert result.data == {"n": 12345678901234567890123}
