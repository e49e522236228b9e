"""How executions end from outside, and how they are left to another process."""

from __future__ import annotations

import pytest

from proxy.executions.machine.events import (
    CancelRequested,
    DeadlineReached,
    Finish,
    HandOver,
    HandOverRequested,
    KillWorker,
    MaySend,
    Settled,
    WorkerBlocked,
    WorkerLost,
    WriteRecord,
)
from proxy.executions.machine.journal import PauseRecord, SettleRecord
from proxy.executions.machine.state import IllegalEvent
from tests.proxy.executions.machine.test_step import OK, after, call, ended, step

CALLS = WorkerBlocked(1001, (call(0), call(1)), 5000.0)


def test_calls_that_may_be_repeated_are_cut_off_by_a_hand_over() -> None:
    state, _ = after()
    state, _ = step(state, CALLS, MaySend(True))
    state, commands = step(state, HandOverRequested(1010))
    assert [type(one) for one in commands] == [KillWorker, WriteRecord, HandOver]
    assert state.phase == "paused"


def test_a_hand_over_waits_for_calls_that_must_not_be_sent_twice() -> None:
    state, commands = after(CALLS, HandOverRequested(1010))
    assert commands == (KillWorker(),)
    state, commands = step(state, Settled(1020, 1, OK))
    assert [type(one) for one in commands] == [WriteRecord], (
        "on record, and nothing is delivered or sent any more"
    )
    state, commands = step(state, WorkerLost(1021, "killed", ""))
    assert commands == ()
    state, commands = step(state, Settled(1030, 0, OK))
    records = [one.record for one in commands if isinstance(one, WriteRecord)]
    assert [type(one) for one in records] == [SettleRecord, PauseRecord]
    assert isinstance(commands[-1], HandOver)


def test_a_hand_over_that_takes_too_long_is_cancelled() -> None:
    _, commands = after(CALLS, HandOverRequested(1010), CancelRequested(1020, "Too long."))
    assert [one.seq for one in ended(commands).unsettled] == [0, 1]
    assert ended(commands).status == "canceled"


def test_who_lost_the_execution_does_not_hand_it_over() -> None:
    _, commands = after(CALLS, HandOverRequested(1010), WorkerLost(1020, "store", ""))
    assert isinstance(commands[-1], Finish)
    assert ended(commands).name == "StateError"


def test_a_deadline_before_its_time_is_illegal() -> None:
    with pytest.raises(IllegalEvent):
        after(CALLS, DeadlineReached(1002))
