"""From a request or a journal to what a run needs."""

from __future__ import annotations

from dataclasses import replace

from proxy.executions import ExecutionLimits, ExecutionRequest
from proxy.executions.journal import DispatchRecord
from proxy.executions.past import past_of
from proxy.executions.stretch import Asked, first_stretch, next_stretch
from proxy.state import MemoryState
from tests.proxy.executions.world import (
    ALICE,
    Noted,
    connection,
    generation,
    shelf,
    workspace,
)

LIMITS = ExecutionLimits()


def test_going_on_keeps_what_the_code_could_see() -> None:
    config = generation(workspace([connection("demo.org.main", shelf())]))
    asked = Asked("exec_1", ExecutionRequest("return 1", timeout_ms=5000), ALICE, Noted())
    first = first_stretch(asked, config, LIMITS, MemoryState(), 1000.0)
    assert first.job.start.now == 1000.0
    assert first.claim.record.expires_at == 1.0 + LIMITS.execution_ttl_seconds
    assert not first.claim.kept
    past = past_of([first.job.start, DispatchRecord(0, "a", "d")])
    tighter = replace(LIMITS, machine=replace(LIMITS.machine, calls=1, argument_bytes=1))
    now = replace(ALICE, groups=frozenset({"new"}))
    again = next_stretch(first.claim, past, {}, now, config, tighter, Noted())
    assert again.request.code == "return 1"
    assert again.job.machine.calls == first.job.machine.calls
    assert again.job.machine.argument_bytes == first.job.machine.argument_bytes
    assert again.job.machine.active_ms == 5000
    assert again.job.principal == now
