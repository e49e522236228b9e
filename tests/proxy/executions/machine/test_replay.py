"""Replay on fresh workers: random programs, paused wherever they need approval (T15).

600 of them in `make check`, which is what CI runs; 200 in `make test`; as many as you like with `bench.replay_sweep`.
"""

from __future__ import annotations

import os

import pytest

from proxy.executions.machine.journal import (
    DispatchRecord,
    HoldRecord,
    SettleRecord,
    StartRecord,
    TimerRecord,
    past_of,
)
from proxy.executions.machine.replay import BATCH_EVENTS, Diverged, calls_made, check, check_all_made
from proxy.executions.machine.state import MachineLimits, MachineState
from proxy.sandbox import ToolCall
from tests.proxy.executions.machine.test_step import approval
from tests.proxy.executions.sweep import sweep

PORTIONS = 8
CASES = int(os.environ.get("EXECUTOR_REPLAY_CASES", "200")) // PORTIONS
EMPTY = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
START = StartRecord("code", "00" * 32, 1.0, 10, 100, 100, 100, 100)


@pytest.mark.parametrize("seed", range(PORTIONS))
async def test_random_programs_replay_to_the_same_calls_and_results_and_send_nothing_twice(seed: int) -> None:
    figures = await sweep(CASES, seed)
    assert not figures.problems, figures.problems[0]
    assert figures.cases == figures.replayed == CASES
    assert figures.pauses > CASES * 0.8
    assert figures.declined > CASES * 0.2
    assert figures.uncaught > 0 or CASES < 250


def test_a_long_journal_is_delivered_in_frames_of_bounded_size() -> None:
    past = past_of([START, *(TimerRecord(2.0 + number) for number in range(BATCH_EVENTS + 10))])
    state = MachineState(MachineLimits(), phase="replaying", past=past)
    state, (first,) = calls_made(state, (), over=False)
    assert len(first.events) == BATCH_EVENTS  # type: ignore[union-attr]
    state, (second,) = calls_made(state, (), over=False)
    assert len(second.events) == 10  # type: ignore[union-attr]
    assert calls_made(state, (), over=False)[1] == ()


def test_large_results_get_frames_of_their_own() -> None:
    big = b'"' + b"x" * 800_000 + b'"'
    settled = [SettleRecord(seq, big, 2.0) for seq in range(3)]
    past = past_of([START, *settled])
    state = MachineState(MachineLimits(), phase="replaying", past=past)
    sizes = []
    while True:
        state, commands = calls_made(state, (), over=False)
        if not commands:
            break
        sizes.append(len(commands[0].events))  # type: ignore[union-attr]
    assert sizes == [1, 1, 1]


def test_the_last_record_of_a_call_says_where_it_stands() -> None:
    asked = approval()
    past = past_of([START, HoldRecord(0, "p", "d", asked), DispatchRecord(0, "p", "d", 2.0)])
    assert isinstance(past.last[0], DispatchRecord)
    assert past.approvals[0] == asked


@pytest.mark.parametrize("call", [ToolCall(0, "other", {}), ToolCall(0, "p", {"changed": 1})])
def test_another_call_than_recorded_is_a_divergence_that_shows_both(call: ToolCall) -> None:
    past = past_of([START, DispatchRecord(0, "p", EMPTY)])
    check(past, ToolCall(0, "p", {}))
    check(past, ToolCall(1, "anything", {}))
    with pytest.raises(Diverged, match=r"`p` with arguments 44136fa355b3.*now is"):
        check(past, call)


def test_a_call_that_is_not_made_any_more_is_a_divergence() -> None:
    past = past_of([START, DispatchRecord(0, "p", EMPTY)])
    check_all_made(past, [0, 1])
    with pytest.raises(Diverged, match="not made"):
        check_all_made(past, [])
