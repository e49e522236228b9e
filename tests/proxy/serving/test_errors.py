from __future__ import annotations

import json
from typing import get_args

from proxy.serving.errors import FAULTS, AuthError, Kind, RateLimited, Refusal, error_body


def test_every_kind_has_its_line_in_the_table() -> None:
    assert set(FAULTS) == set(get_args(Kind))


def test_the_table_is_the_one_of_the_design() -> None:
    assert {kind: (fault.status, fault.code) for kind, fault in FAULTS.items()} == {
        "missing_session": (400, -32000),
        "bad_request": (400, -32600),
        "parse_error": (400, -32700),
        "unauthorized": (401, -32001),
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
    refusal = Refusal("rate_limited", "slow", headers={"retry-after": "3"}, data={"limit": "x"})
    assert (refusal.fault.status, refusal.headers, refusal.data) == (
        429,
        {"retry-after": "3"},
        {"limit": "x"},
    )
    assert str(AuthError(401, -32001, "who?")) == "who?"
    assert RateLimited("per-key", 1.5).retry_after_seconds == 1.5
