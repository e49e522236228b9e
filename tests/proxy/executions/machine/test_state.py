"""Time and what counts as quiet."""

from __future__ import annotations

from types import MappingProxyType

from proxy.executions.machine.events import Judgement
from proxy.executions.machine.state import MachineLimits, MachineState, advanced, deadline, without
from proxy.sandbox import ToolCall

CALL = ToolCall(0, "p", {})


def test_active_time_is_counted_only_where_it_runs() -> None:
    running = MachineState(MachineLimits(), phase="running", at=10.0)
    assert advanced(running, 15.0).active_ms == 5.0
    assert advanced(running, 5.0).at == 10.0
    waiting = MachineState(MachineLimits(), phase="blocked", at=10.0, flying=MappingProxyType({0: CALL}))
    assert advanced(waiting, 15.0).active_ms == 0.0


def test_nothing_is_due_where_nothing_runs() -> None:
    assert [
        deadline(MachineState(MachineLimits(), phase=phase)) for phase in ("new", "paused", "finished")
    ] == [None] * 3


def test_quiet_means_nothing_under_way_queued_or_being_judged() -> None:
    judgement = Judgement(CALL)
    assert MachineState(MachineLimits()).quiet
    assert not MachineState(MachineLimits(), queue=(judgement,)).quiet
    assert not MachineState(MachineLimits(), judging=MappingProxyType({0: judgement})).quiet
    assert without(MappingProxyType({0: 1, 1: 2}), 0) == {1: 2}
