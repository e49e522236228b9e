from __future__ import annotations

import pytest
from mcp.shared.exceptions import MCPError

from integrations.mcp.trouble import TROUBLE_CODE, Kind, Trouble, first_trouble, status_of, trouble_in


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
def test_codes(kind: Kind, code: str) -> None:
    assert Trouble(kind, "x").as_failure(idempotent=False).code == code


@pytest.mark.parametrize(
    ("sent", "idempotent", "retryable"),
    [(False, False, True), (False, True, True), (True, True, True), (True, False, False)],
)
def test_only_what_cannot_happen_twice_is_retryable(sent: bool, idempotent: bool, retryable: bool) -> None:
    failure = Trouble("closed", "it ended", sent=sent).as_failure(idempotent=idempotent)
    assert failure.retryable is retryable
    assert failure.details["sent"] is sent
    assert ("outcome" in failure.details) is (not retryable)
    assert ("may have taken effect" in failure.message) is (not retryable)


def test_trouble_survives_the_way_through_the_sdk() -> None:
    error = Trouble("http", "500", sent=True, status=500).as_error()
    found = trouble_in(MCPError(error["code"], error["message"], error["data"]))
    assert found is not None
    assert (found.kind, found.message, found.sent, found.status) == ("http", "500", True, 500)


@pytest.mark.parametrize("data", [None, "x", {"kind": "http"}, {"executor": "no such kind"}])
def test_an_error_of_the_server_is_no_trouble(data: object) -> None:
    assert trouble_in(MCPError(TROUBLE_CODE, "x", data)) is None


def test_trouble_is_found_inside_groups() -> None:
    trouble = Trouble("closed", "x")
    assert first_trouble(ExceptionGroup("a", [ValueError(), ExceptionGroup("b", [trouble])])) is trouble
    assert first_trouble(ValueError()) is None


def test_status_values() -> None:
    assert status_of(Trouble("unauthorized", "401")) == {"status": "needs_auth"}
    assert status_of(Trouble("start", "why")) == {"status": "failed", "error": "why"}
