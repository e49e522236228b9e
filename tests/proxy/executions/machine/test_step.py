"""The execution machine: single steps by example, everything else by random histories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from proxy.calls.canonical import canonical, digest
from proxy.executions.machine.events import (
    CallVerdict,
    CancelRequested,
    DeadlineReached,
    Deliver,
    DispatchCall,
    Ended,
    Finish,
    Finished,
    HeldUp,
    Hold,
    Judge,
    Judged,
    KillWorker,
    MachineCommand,
    MachineEvent,
    MaySend,
    Pause,
    Resolution,
    Resumed,
    Settled,
    Started,
    StartWorker,
    TimerDue,
    WaitTimer,
    WorkerBlocked,
    WorkerLost,
    WriteRecord,
)
from proxy.executions.machine.journal import (
    ApprovalQuestion,
    AskedBy,
    DispatchRecord,
    HoldRecord,
    PauseRecord,
    Record,
    SettleRecord,
    StartRecord,
    past_of,
)
from proxy.executions.machine.state import (
    IllegalEvent,
    MachineLimits,
    MachineState,
    Transition,
    deadline,
)
from proxy.executions.machine.step import step as machine_step
from proxy.sandbox import Done, ResultDelivery, SandboxError, TimerDelivery, ToolCall

START = StartRecord("code", "00" * 32, 1000.0, 10, 100, 100, 100, 100)
OK = b'{"ok":true,"data":1}'


SEND = MaySend(False)


def call(seq: int, **args: Any) -> ToolCall:
    return ToolCall(seq, f"demo.org.main.t{seq}", args)


def digest_of(one: ToolCall) -> str:
    return digest(canonical(one.args))


def done(ok: bool = True, calls: tuple[ToolCall, ...] = ()) -> Done:
    error = None if ok else SandboxError("Error", "no", "", None, None, "error")
    return Done(ok, 1, ok, error, calls, (), ())


def approval(name: str = "int_1", **changes: Any) -> ApprovalQuestion:
    question = ApprovalQuestion(name, (name,), "demo.org.main.t", "", "{}", AskedBy("ask", ""), "model")
    return replace(question, **changes)


def step(state: MachineState, event: MachineEvent, verdict: CallVerdict = SEND) -> Transition:
    """One step, with every call that it wants judged answered in the same way."""
    state, commands = machine_step(state, event)
    for command in commands:
        if isinstance(command, Judge):
            judged = Judged(event.at, tuple((one.call.seq, verdict) for one in command.calls))
            state, more = step(state, judged, verdict)
            commands = (*(one for one in commands if one is not command), *more)
    return state, commands


def after(*events: MachineEvent, limits: MachineLimits | None = None) -> Transition:
    state, commands = step(MachineState(limits or MachineLimits()), Started(1000.0, START))
    for event in events:
        state, commands = step(state, event)
    return state, commands


def ended(commands: tuple[MachineCommand, ...]) -> Ended:
    (finish,) = (command for command in commands if isinstance(command, Finish))
    return finish.ended


def test_a_start_is_recorded_before_the_worker_gets_the_code() -> None:
    _, commands = after()
    assert commands == (WriteRecord(START), StartWorker(START))


def test_calls_are_recorded_before_they_are_sent() -> None:
    state, commands = after(WorkerBlocked(1001, (call(0), call(1)), None))
    assert [type(one) for one in commands] == [WriteRecord, WriteRecord, DispatchCall, DispatchCall]
    assert set(state.flying) == {0, 1}


def test_results_are_delivered_in_the_order_of_settling_with_their_clocks() -> None:
    state, commands = after(WorkerBlocked(1001, (call(0), call(1)), None), Settled(1005, 1, OK))
    assert commands == (WriteRecord(SettleRecord(1, OK, 1005)), Deliver((ResultDelivery(1005, 1, OK),)))
    assert state.phase == "running"


def test_what_settles_while_the_worker_computes_is_delivered_together() -> None:
    _, commands = after(
        WorkerBlocked(1001, (call(0), call(1), call(2)), None),
        Settled(1005, 1, OK),
        Settled(1006, 0, OK),
        Settled(1007, 2, OK),
        WorkerBlocked(1010, (), None),
    )
    assert commands == (Deliver((ResultDelivery(1006, 0, OK), ResultDelivery(1007, 2, OK))),)


def test_the_clock_does_not_go_back_when_the_systems_does() -> None:
    _, commands = after(
        WorkerBlocked(1001, (call(0), call(1)), None), Settled(1005, 1, OK), Settled(900, 0, OK)
    )
    assert commands == (WriteRecord(SettleRecord(0, OK, 1005)),)


def test_a_timer_is_waited_for_then_recorded_and_delivered() -> None:
    state, commands = after(WorkerBlocked(1001, (), 1050.0))
    assert commands == (WaitTimer(1050.0),)
    _, commands = step(state, TimerDue(1051))
    assert commands[1] == Deliver((TimerDelivery(1051),))


def test_a_timer_is_not_due_early_and_not_in_a_running_worker() -> None:
    state, _ = after(WorkerBlocked(1001, (), 1050.0))
    with pytest.raises(IllegalEvent):
        step(state, TimerDue(1049))
    running, _ = step(state, TimerDue(1050))
    with pytest.raises(IllegalEvent):
        step(running, TimerDue(1060))


def test_parallel_calls_beyond_the_limit_wait_for_a_place() -> None:
    limits = MachineLimits(parallel=2)
    state, _ = after(WorkerBlocked(1001, tuple(map(call, range(4))), None), limits=limits)
    assert (set(state.flying), [one.call.seq for one in state.queue]) == ({0, 1}, [2, 3])
    state, commands = step(state, Settled(1002, 0, OK))
    assert [one.call.seq for one in commands if isinstance(one, DispatchCall)] == [2]


def test_calls_over_the_limit_settle_at_once_with_a_code_and_are_never_sent() -> None:
    _, commands = after(WorkerBlocked(1001, (call(0), call(1)), None), limits=MachineLimits(calls=1))
    assert [one.call.seq for one in commands if isinstance(one, DispatchCall)] == [0]
    (delivered,) = (one for one in commands if isinstance(one, Deliver))
    (result,) = delivered.events
    assert isinstance(result, ResultDelivery)
    assert orjson.loads(bytes(result.result))["error"]["code"] == "call_limit_exceeded"  # type: ignore[arg-type]


def test_code_that_keeps_calling_after_the_limit_is_stopped() -> None:
    limits = MachineLimits(calls=1, refusals=5)
    _, commands = after(WorkerBlocked(1001, tuple(map(call, range(10))), None), limits=limits)
    assert KillWorker() in commands
    assert ended(commands).name == "CallLimitError"


def test_oversized_and_overdeep_arguments_are_refused_one_by_one() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    calls = (call(0, a="x" * 50), call(1, a=deep), call(2))
    state, commands = after(WorkerBlocked(1001, calls, None), limits=MachineLimits(argument_bytes=20))
    assert set(state.flying) == {2}
    (delivered,) = (one for one in commands if isinstance(one, Deliver))
    codes = [orjson.loads(one.result)["error"]["code"] for one in delivered.events]  # type: ignore[union-attr, arg-type]
    assert codes == ["invalid_tool_arguments"] * 2


def test_bytes_of_all_outcomes_together_are_bounded() -> None:
    limits = MachineLimits(outcome_bytes=len(OK))
    state, _ = after(WorkerBlocked(1001, (call(0), call(1)), None), Settled(1002, 0, OK), limits=limits)
    _, commands = step(state, Settled(1003, 1, OK))
    (write,) = commands
    assert isinstance(write, WriteRecord)
    assert isinstance(write.record, SettleRecord)
    assert b"upstream_response_too_large" in write.record.outcome


@pytest.mark.parametrize("seqs", [(1,), (0, 2), (0, 0)])
def test_numbers_out_of_order_are_illegal(seqs: tuple[int, ...]) -> None:
    with pytest.raises(IllegalEvent):
        after(WorkerBlocked(1001, tuple(map(call, seqs)), None))


def test_code_that_waits_for_nothing_fails() -> None:
    _, commands = after(WorkerBlocked(1001, (), None))
    assert "never happen" in ended(commands).message


def test_code_that_returns_ends_the_execution() -> None:
    state, commands = after(Finished(1002, done()))
    assert ended(commands) == Ended("completed", done())
    assert state.phase == "finished"


def test_calls_that_nobody_awaited_are_sent_and_waited_for_when_the_code_returns() -> None:
    state, commands = after(Finished(1002, done(calls=(call(0),))))
    assert [one.call.seq for one in commands if isinstance(one, DispatchCall)] == [0]
    state, commands = step(state, Settled(1009, 0, OK))
    assert commands[0] == WriteRecord(SettleRecord(0, OK, 1009))
    assert ended(commands).status == "completed"


def test_when_the_code_throws_sent_calls_are_waited_for_and_unsent_ones_dropped() -> None:
    limits = MachineLimits(parallel=1)
    state, commands = after(
        WorkerBlocked(1001, (call(0), call(1), call(2)), None),
        Settled(1002, 0, OK),
        Finished(1003, done(ok=False, calls=(call(3),))),
        limits=limits,
    )
    assert not commands
    state, commands = step(state, Settled(1009, 1, OK))
    assert [one.seq for one in ended(commands).unsent] == [2, 3]
    assert ended(commands).status == "failed"


def test_active_time_stands_still_while_a_call_is_awaited() -> None:
    limits = MachineLimits(active_ms=100)
    state, _ = after(WorkerBlocked(1010, (call(0),), None), limits=limits)
    assert state.active_ms == 10
    assert deadline(state) == 1000 + limits.lifetime_ms
    state, _ = step(state, Settled(9000, 0, OK))
    assert deadline(state) == 9090


def test_active_time_runs_while_only_timers_are_awaited() -> None:
    state, _ = after(WorkerBlocked(1010, (), 5000.0), limits=MachineLimits(active_ms=100))
    assert deadline(state) == 1100
    with pytest.raises(IllegalEvent):
        step(state, DeadlineReached(1099))
    _, commands = step(state, DeadlineReached(1100))
    assert commands[0] == KillWorker()
    assert ended(commands).status == "timeout"


def test_active_time_runs_while_the_worker_computes_beside_a_call() -> None:
    state, _ = after(WorkerBlocked(1010, (call(0), call(1)), None), Settled(1010, 0, OK))
    assert state.active


def test_the_whole_life_is_bounded_even_while_calls_are_awaited() -> None:
    limits = MachineLimits(lifetime_ms=500)
    state, _ = after(WorkerBlocked(1010, (call(0),), None), limits=limits)
    _, commands = step(state, DeadlineReached(1500))
    assert ended(commands).unsettled == (call(0),)
    assert ended(commands).status == "timeout"


def test_a_late_straggler_does_not_turn_a_finished_result_into_a_timeout() -> None:
    limits = MachineLimits(lifetime_ms=500)
    state, _ = after(Finished(1010, done(calls=(call(0),))), limits=limits)
    _, commands = step(state, DeadlineReached(1500))
    assert ended(commands) == Ended("completed", done(calls=(call(0),)), unsettled=(call(0),))


def test_timers_are_counted() -> None:
    state, _ = after(WorkerBlocked(1001, (), 1001.0), limits=MachineLimits(timers=1))
    state, _ = step(state, TimerDue(1001))
    state, _ = step(state, WorkerBlocked(1002, (), 1002.0))
    _, commands = step(state, TimerDue(1003))
    assert ended(commands).name == "TimerLimitError"


@pytest.mark.parametrize("reason", ["memory", "cpu", "crash", "protocol", "killed", "store", "unavailable"])
def test_a_lost_worker_fails_the_execution_with_words(reason: Any) -> None:
    _, commands = after(WorkerLost(1001, reason, "why"))
    assert ended(commands).status == "failed"
    assert ended(commands).message.endswith("(why)")


def test_a_cancelled_execution_cuts_off_what_is_under_way() -> None:
    _, commands = after(WorkerBlocked(1001, (call(0),), None), CancelRequested(1002, "bye"))
    assert commands[0] == KillWorker()
    assert ended(commands) == Ended("canceled", None, "CanceledError", "bye", unsettled=(call(0),))


def test_nothing_can_happen_before_the_start_or_after_the_end() -> None:
    with pytest.raises(IllegalEvent):
        step(MachineState(MachineLimits()), WorkerBlocked(1, (), None))
    state, _ = after(Finished(1002, done()))
    for event in (
        WorkerBlocked(1, (), None),
        Settled(1, 0, OK),
        CancelRequested(1, ""),
        WorkerLost(1, "cpu", ""),
    ):
        with pytest.raises(IllegalEvent):
            step(state, event)
    assert deadline(state) is None


# ---- pauses ------------------------------------------------------------------------------------------------------
def held_at_the_end(*names: str) -> Transition:
    state, _ = step(MachineState(MachineLimits()), Started(1000.0, START))
    calls = tuple(call(number) for number in range(max(1, len(names))))
    return step(state, WorkerBlocked(1001, calls, None), Hold(approval()))


def test_a_pause_comes_when_nothing_else_can_progress_and_after_its_record() -> None:
    state, commands = step(*_started(), verdict=Hold(approval()))
    assert [type(one) for one in commands] == [WriteRecord, WriteRecord, WriteRecord, KillWorker, Pause]
    writes = [one.record for one in commands if isinstance(one, WriteRecord)]
    assert [type(one) for one in writes] == [HoldRecord, HoldRecord, PauseRecord]
    assert state.phase == "paused"
    assert deadline(state) is None


def _started() -> tuple[MachineState, MachineEvent]:
    state, _ = step(MachineState(MachineLimits()), Started(1000.0, START))
    return state, WorkerBlocked(1001, (call(0), call(1)), None)


def test_what_needs_no_approval_goes_on_before_the_pause() -> None:
    state, _ = machine_step(*_started())
    state, commands = machine_step(state, Judged(1001, ((0, Hold(approval())), (1, SEND))))
    assert [type(one) for one in commands] == [WriteRecord, WriteRecord, DispatchCall]
    state, commands = step(state, Settled(1005, 1, OK))
    assert isinstance(commands[-1], Deliver)
    _, commands = step(state, WorkerBlocked(1006, (), 1010.0))
    assert commands == (WaitTimer(1010.0),), "a timer is progress"


def test_code_that_ended_with_unsent_calls_pauses_too() -> None:
    state, _ = step(MachineState(MachineLimits()), Started(1000.0, START))
    state, commands = step(state, Finished(1001, done(calls=(call(0),))), Hold(approval()))
    assert isinstance(commands[-1], Pause)


def test_code_that_threw_is_over_whatever_was_held() -> None:
    state, _ = machine_step(*_started())
    state, _ = machine_step(state, Judged(1001, ((0, Hold(approval())), (1, SEND))))
    state, _ = step(state, Settled(1005, 1, OK))
    _, commands = step(state, Finished(1006, done(ok=False)))
    assert [one.seq for one in ended(commands).unsent] == [0]


def resumed(records: list[Record], resolutions: dict[int, Resolution], *events: MachineEvent) -> Transition:
    state, commands = step(MachineState(MachineLimits()), Resumed(9000.0, past_of(records), resolutions))
    for event in events:
        state, commands = step(state, event)
    return state, commands


def records_of(*calls: ToolCall, last: type = HoldRecord, repeatable: bool = False) -> list[Record]:
    state, commands = step(MachineState(MachineLimits()), Started(1000.0, START))
    answer: CallVerdict = Hold(approval()) if last is HoldRecord else MaySend(repeatable)
    state, more = step(state, WorkerBlocked(1001, calls, None), answer)
    return [one.record for one in (*commands, *more) if isinstance(one, WriteRecord)]


def test_an_approved_call_is_judged_again_recorded_and_sent() -> None:
    given = {0: Resolution("accept", {}, "int_1", 99.0)}
    state, commands = resumed(records_of(call(0)), given, WorkerBlocked(9001, (call(0),), None))
    assert [type(one) for one in commands] == [WriteRecord, DispatchCall]
    write = commands[0]
    assert isinstance(write, WriteRecord)
    assert write.uses == "int_1"
    assert state.phase == "blocked"


@pytest.mark.parametrize(
    ("action", "word"),
    [
        ("decline", b"ToolApprovalDeclinedError"),
        ("expired", b"approval_expired"),
        ("fail", b"outcome_unknown"),
        ("done", b'"ok":true'),
    ],
)
def test_any_other_decision_settles_the_call_unsent(action: Any, word: bytes) -> None:
    given = {0: Resolution(action, {})}
    _, commands = resumed(records_of(call(0)), given, WorkerBlocked(9001, (call(0),), None))
    (write, deliver) = commands
    assert isinstance(write, WriteRecord)
    assert isinstance(write.record, SettleRecord)
    assert word in write.record.outcome
    assert isinstance(deliver, Deliver)


def test_a_cancelled_approval_ends_the_execution_before_anything_else_is_sent() -> None:
    given = {0: Resolution("accept", {}, "int_1", 99.0), 1: Resolution("cancel", {})}
    _, commands = resumed(records_of(call(0), call(1)), given)
    assert ended(commands).status == "canceled"
    assert ended(commands).name == "CanceledError"
    assert not any(isinstance(one, DispatchCall | WriteRecord) for one in commands)


def test_a_partial_decision_pauses_again_for_the_rest() -> None:
    given = {0: Resolution("decline", {})}
    events = (WorkerBlocked(9001, (call(0), call(1)), None), WorkerBlocked(9002, (), None))
    _, commands = resumed(records_of(call(0), call(1)), given, *events)
    pause = commands[-1]
    assert isinstance(pause, Pause)
    assert [one.call.seq for one in pause.held] == [1]


def test_after_a_crash_repeatable_calls_are_repeated_and_others_asked_about() -> None:
    records = records_of(call(0), last=DispatchRecord, repeatable=True)
    _, commands = resumed(records, {}, WorkerBlocked(9001, (call(0),), None))
    assert [type(one) for one in commands] == [WriteRecord, DispatchCall]
    records = records_of(call(0), last=DispatchRecord)
    state, _ = machine_step(MachineState(MachineLimits()), Resumed(9000.0, past_of(records), {}))
    _, commands = machine_step(state, WorkerBlocked(9001, (call(0),), None))
    (judge,) = commands
    assert isinstance(judge, Judge)
    assert [(one.lost, one.again) for one in judge.calls] == [(True, False)]


@pytest.mark.parametrize("calls", [(ToolCall(0, "other", {}),), (call(0, changed=1),), (call(1),), ()])
def test_other_calls_than_recorded_end_the_execution_with_both_shown(calls: tuple[ToolCall, ...]) -> None:
    state, commands = resumed(records_of(call(0)), {}, WorkerBlocked(9001, calls, None))
    assert ended(commands).name == "ReplayDiverged"
    assert "call 0" in ended(commands).message or "call 1" in ended(commands).message
    assert state.phase == "finished"


def test_recorded_deliveries_are_made_many_in_one_frame() -> None:
    records = [*records_of(call(0), call(1), last=DispatchRecord)]
    records += [SettleRecord(1, OK, 1002.0), SettleRecord(0, OK, 1003.0)]
    _, commands = resumed(records, {}, WorkerBlocked(9001, (call(0), call(1)), None))
    assert commands == (Deliver((ResultDelivery(1002.0, 1, OK), ResultDelivery(1003.0, 0, OK))),)


def test_waiting_to_be_compiled_is_no_active_time() -> None:
    limits = MachineLimits(active_ms=100.0)
    state, _ = after(HeldUp(1040, waits=True), limits=limits)
    assert deadline(state) == state.began + limits.lifetime_ms
    state, _ = step(state, HeldUp(9000, waits=False))
    assert (state.active_ms, deadline(state)) == (40.0, 9060.0)
    state, commands = step(state, DeadlineReached(9060))
    assert ended(commands).name == "TimeoutError"
