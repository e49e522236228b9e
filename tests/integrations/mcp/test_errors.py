from __future__ import annotations

import pytest
from mcp.shared.exceptions import MCPError as SdkError

from integrations.mcp.errors import (
    CONNECTION_ERROR_CODE,
    McpError,
    McpErrorKind,
    find_error,
    status_of,
    wrapped_error,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("start", "mcp_connection_failed"),
        ("closed", "mcp_connection_failed"),
        ("unauthorized", "connection_rejected"),
        ("forbidden", "connection_rejected"),
        ("timeout", "upstream_timeout"),
        ("denied", "egress_denied"),
        ("too_large", "upstream_response_too_large"),
        ("secret", "connection_value_missing"),
    ],
)
def test_codes(kind: McpErrorKind, code: str) -> None:
    assert McpError(kind, "x").as_failure(idempotent=False).code == code


@pytest.mark.parametrize(
    ("sent", "idempotent", "retryable"),
    [(False, False, True), (False, True, True), (True, True, True), (True, False, False)],
)
def test_only_what_cannot_happen_twice_is_retryable(sent: bool, idempotent: bool, retryable: bool) -> None:
    failure = McpError("closed", "it ended", sent=sent).as_failure(idempotent=idempotent)
    assert failure.retryable is retryable
    assert failure.details["sent"] is sent
    assert ("outcome" in failure.details) is (not retryable)
    assert ("may have taken effect" in failure.message) is (not retryable)


def test_an_error_survives_the_way_through_the_sdk() -> None:
    error = McpError("http", "500", sent=True, status=500).as_error()
    found = wrapped_error(SdkError(error["code"], error["message"], error["data"]))
    assert found is not None
    assert (found.kind, found.message, found.sent, found.status) == ("http", "500", True, 500)


@pytest.mark.parametrize("data", [None, "x", {"kind": "http"}, {"executor": "no such kind"}])
def test_an_error_of_the_server_is_not_ours(data: object) -> None:
    assert wrapped_error(SdkError(CONNECTION_ERROR_CODE, "x", data)) is None


def test_an_error_is_found_inside_groups() -> None:
    error = McpError("closed", "x")
    assert find_error(ExceptionGroup("a", [ValueError(), ExceptionGroup("b", [error])])) is error
    assert find_error(ValueError()) is None


def test_status_values() -> None:
    assert status_of(McpError("unauthorized", "401")) == {"status": "needs_auth"}
    assert status_of(McpError("start", "why")) == {"status": "failed", "error": "why"}
