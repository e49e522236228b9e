"""What audit and metrics hear."""

from __future__ import annotations

from proxy.executions import ExecutionReport
from tests.proxy.executions.world import (
    world,
)


async def test_every_execution_is_reported_once() -> None:
    reports: list[ExecutionReport] = []
    async with world(on_execution=reports.append) as running:
        await running.run("await tools.demo.org.main.things.get({})", metadata={"why": "test"})
    (report,) = reports
    assert (report.status, report.calls, report.lost, report.generation) == ("completed", 1, None, 1)
    assert report.metadata == {"why": "test"}
    assert len(report.code_sha256) == 64
