"""Without limits in the config every call is let through."""

from __future__ import annotations

from proxy.calls.watching import CallSubject, NoLimits
from tests.proxy.executions.world import ALICE


async def test_no_limits_admits_everything() -> None:
    subject = CallSubject(ALICE, None, "demo", "demo.org.main", "demo.org.main.things.get")
    assert await NoLimits().admit(subject) is None
