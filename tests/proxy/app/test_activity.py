"""What of a report becomes a line. `tests/e2e/test_log_lines.py` sees every event happen."""

from __future__ import annotations

import logging

import pytest

from integrations.base import JsonObject
from policies import Decision
from proxy.app.activity import Activity
from proxy.calls import CallContext, CallReport
from proxy.principal import Principal
from tests.proxy.support import logged

AGENT = Principal("main", "key:agent", "key")
SHOWN: JsonObject = {"sha256": "ab" * 32, "bytes": 9, "value": {"name": "pump"}}


def report(**changes: object) -> CallReport:
    known = {
        "context": CallContext("exec_1", "mcp_1", 3),
        "principal": AGENT,
        "path": "shop.add",
        "address": "shop.org.main.add",
        "integration": "shop",
        "arguments_digest": "ab" * 32,
        "decision": Decision("approve", "rule-1", "executor.yaml:3"),
        "code": None,
        "milliseconds": 12.6,
        "generation": 1,
    }
    return CallReport(**{**known, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, "INFO"),
        ({"reads": True}, "DEBUG"),
        ({"reads": True, "code": "upstream_error"}, "DEBUG"),
        ({"reads": True, "code": "rate_limited"}, "INFO"),
        ({"reads": True, "code": "tool_blocked", "decision": Decision("block", "r", "f:1")}, "INFO"),
        ({"reads": True, "decision": Decision("require_approval", "r", "f:1")}, "INFO"),
        ({"address": None, "code": "tool_not_found", "decision": None}, "INFO"),
    ],
)
def test_reads_that_nothing_stops_are_for_debugging(
    changes: dict[str, object], level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "executor.activity")
    Activity(lambda report: {}).called(report(**changes))
    assert [record.levelname for record in caplog.records] == [level]


@pytest.mark.parametrize(("level", "value"), [("INFO", False), ("DEBUG", True)])
def test_arguments_are_a_digest_and_themselves_at_debug(
    level: str, value: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(level, "executor.activity"):
        Activity(lambda report: SHOWN).called(report())
    assert f"arguments_sha256={'ab' * 32}" in logged(caplog)
    assert ("pump" in logged(caplog)) is value


def test_where_nothing_is_shown_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "executor.activity"):
        Activity(lambda report: {}).called(report())
    assert "arguments" not in logged(caplog)
