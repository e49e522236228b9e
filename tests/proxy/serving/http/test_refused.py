from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.principal import Principal
from proxy.serving.http.refused import LINES, PER_ADDRESS, RefusalLog, RefusedCaller
from tests.proxy.support import logged


class Minutes:
    """A loop that runs what it was asked to when the test says that the minute is over."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def later(self, seconds: float, tell: Callable[[], None]) -> None:
        assert seconds == 60
        self.due.append(tell)

    def pass_one(self) -> None:
        due, self.due = self.due, []
        for tell in due:
            tell()


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_one_address_gets_a_few_lines_and_one_about_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    minutes = Minutes()
    log = RefusalLog(minutes.later)
    for _ in range(100):
        log.note(RefusedCaller(401, "no", "mcp", "192.0.2.1"))
    log.note(RefusedCaller(401, "no", "mcp", "192.0.2.2"))
    assert events(caplog) == ["caller_refused"] * (PER_ADDRESS + 1)
    minutes.pass_one()
    assert f"count={100 - PER_ADDRESS} status_401={100 - PER_ADDRESS} addresses=2" in logged(caplog)
    log.note(RefusedCaller(401, "no", "mcp", "192.0.2.1"))
    assert events(caplog)[-1] == "caller_refused"


def test_a_flood_of_addresses_is_bounded_by_status(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    minutes = Minutes()
    log = RefusalLog(minutes.later)
    for number in range(5000):
        log.note(RefusedCaller(401, "no", "mcp", f"2001:db8::{number:x}"))
    log.note(RefusedCaller(429, "slow down", "api", "192.0.2.9"))
    assert len(caplog.records) == LINES + 1
    minutes.pass_one()
    assert f"count={5000 - LINES}" in logged(caplog)
    assert 'addresses="1000 or more"' in logged(caplog)


def test_a_quiet_minute_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    minutes = Minutes()
    log = RefusalLog(minutes.later)
    log.note(RefusedCaller(403, "no", "api", "192.0.2.1", Principal("w", "key:a", "key"), "req-1"))
    minutes.pass_one()
    (line,) = logged(caplog).splitlines()
    assert "status=403 route=api ip=192.0.2.1 workspace=w account=key:a request_id=req-1 reason=no" in line


def test_accounts_without_an_address_are_counted_apart(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log = RefusalLog(Minutes().later)
    for account in ("key:a", "key:b"):
        for _ in range(10):
            log.note(RefusedCaller(429, "no", "execute", principal=Principal("w", account, "key")))
    assert len(caplog.records) == 2 * PER_ADDRESS
