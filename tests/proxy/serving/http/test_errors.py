from __future__ import annotations

import json
import re
from typing import get_args

import pytest

from proxy.serving.http.errors import (
    FAULTS,
    Fault,
    RateLimited,
    RefusalKind,
    RequestRefusal,
    error_body,
    internal_error,
    jsonrpc_error,
    rate_limited,
    rest_error,
)
from tests.proxy.support import logged


def test_every_kind_has_its_line_in_the_table() -> None:
    assert set(FAULTS) == set(get_args(RefusalKind))


def test_how_each_kind_is_answered() -> None:
    assert {kind: (fault.status, fault.code) for kind, fault in FAULTS.items()} == {
        "missing_session": (400, -32000),
        "bad_request": (400, -32600),
        "parse_error": (400, -32700),
        "unauthorized": (401, -32001),
        "forbidden": (403, -32001),
        "foreign_session": (403, -32003),
        "bad_origin": (403, -32600),
        "unknown_session": (404, -32001),
        "not_found": (404, -32001),
        "method_not_allowed": (405, -32001),
        "not_acceptable": (406, -32600),
        "too_large": (413, -32600),
        "unsupported_media_type": (415, -32600),
        "wrong_host": (421, -32600),
        "rate_limited": (429, -32029),
        "internal": (500, -32603),
        "unavailable": (503, -32001),
    }


def test_none_of_the_codes_reserved_by_2026_07_28_is_used() -> None:
    assert not {fault.code for fault in FAULTS.values()} & set(range(-32099, -32031)) - {-32029}
    assert not {fault.code for fault in FAULTS.values()} & {-32020, -32021, -32022}


def test_body_has_exactly_the_json_rpc_shape() -> None:
    assert json.loads(error_body(-32600, "no")) == {
        "jsonrpc": "2.0",
        "error": {"code": -32600, "message": "no"},
        "id": None,
    }
    assert json.loads(error_body(1, "m", {"a": 1}, "7"))["error"]["data"] == {"a": 1}


def test_errors_carry_what_the_answer_needs() -> None:
    refusal = RequestRefusal("rate_limited", "slow", headers={"retry-after": "3"}, data={"limit": "x"})
    assert (refusal.fault.status, refusal.headers, refusal.data) == (
        429,
        {"retry-after": "3"},
        {"limit": "x"},
    )
    assert RateLimited("per-key", 1.5).retry_after_seconds == 1.5


def test_each_protocol_has_its_own_words_for_a_refusal() -> None:
    for kind, fault in FAULTS.items():
        refusal = RequestRefusal(kind, "no")
        assert json.loads(rest_error(refusal)) == {"error": {"code": kind, "message": "no"}}
        assert json.loads(jsonrpc_error(refusal))["error"] == {"code": fault.code, "message": "no"}
    odd = RequestRefusal("unauthorized", "no", fault=Fault(503, -32001), data={"a": 1})
    assert (odd.fault.status, json.loads(jsonrpc_error(odd))["error"]["data"]) == (503, {"a": 1})


def test_a_rate_limit_says_when_to_come_back() -> None:
    refusal = rate_limited(RateLimited("per-key", 1.5))
    assert refusal.message == "Rate limit `per-key` is used up. Try again in 2 s."
    assert refusal.headers == {"retry-after": "2"}
    assert refusal.data == {"limit": "per-key", "retryAfterMs": 1500}
    assert rate_limited(RateLimited("per-key", 0.0)).headers == {"retry-after": "1"}
    assert RateLimited("a", 1, reason="cannot be counted").sentence("limit") == (
        "limit `a` cannot be counted. Try again in 1 s."
    )


def test_a_defect_is_eight_digits_and_its_cause_is_in_the_log_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusal = internal_error(RuntimeError("the secret cause"))
    assert re.fullmatch(r"Internal error \[[0-9a-f]{8}\]", refusal.message)
    assert (refusal.kind, refusal.fault) == ("internal", FAULTS["internal"])
    assert "the secret cause" in logged(caplog)
    assert refusal.message[-9:-1] in logged(caplog)
