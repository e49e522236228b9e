"""What may happen to a call now."""

from __future__ import annotations

from policies import Rule
from proxy.calls import Calls
from proxy.executions import ExecutionLimits, ExecutionRequest
from proxy.executions.journal import DispatchRecord, HoldRecord, TimerRecord
from proxy.executions.judging import Judging
from proxy.executions.protocol import Hold, Judgement, Refuse, Send, Write
from proxy.executions.stretch import Asked, first_stretch
from proxy.sandbox import ToolCall
from proxy.state import MemoryState
from tests.proxy.executions.world import ALICE, Noted, connection, live_with, shelf, workspace

ASK = Rule("ask", "demo.org.main.things.delete", "require_approval")


def judging() -> Judging:
    live = live_with(workspace([connection("demo.org.main", shelf())], [ASK]))
    asked = Asked("exec_1", ExecutionRequest("code"), ALICE, Noted())
    stretch = first_stretch(asked, live.current, ExecutionLimits(), MemoryState(), 1.0)
    return Judging(stretch.job, Calls(live, MemoryState()))


def call(seq: int, name: str) -> ToolCall:
    return ToolCall(seq, f"demo.org.main.things.{name}", {})


def test_what_may_go_out_is_remembered_until_it_is_sent() -> None:
    judge = judging()
    assert judge.answer(Judgement(call(0, "get"))) == (Send(True), None)
    assert judge.sendable(0).repeatable
    assert judge.answer(Judgement(call(1, "create"))) == (Send(False), None)
    assert judge.guards(Write(DispatchRecord(1, "p", "d")))
    assert not judge.guards(Write(DispatchRecord(0, "p", "d")))


def test_what_may_not_go_out_is_asked_about_or_refused() -> None:
    judge = judging()
    held, _ = judge.answer(Judgement(call(0, "delete")))
    assert isinstance(held, Hold)
    assert held.ask["kind"] == "approval"
    refused, settlement = judge.answer(Judgement(call(1, "absent")))
    assert isinstance(refused, Refuse)
    assert settlement is not None
    assert settlement.code == "tool_not_found"
    lost, _ = judge.answer(Judgement(call(2, "create"), lost=True))
    assert isinstance(lost, Hold)
    assert lost.ask["kind"] == "outcome_unknown"
    assert judge.guards(Write(HoldRecord(0, "p", "d", {})))
    assert not judge.guards(Write(TimerRecord(1.0)))
