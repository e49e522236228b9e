"""Replay on fresh workers: random programs, paused wherever they need approval (T15).

2,000 of them in `make check`, which is what CI runs; 600 in `make test`; as many as you like with `bench.replay_sweep`.
"""

from __future__ import annotations

import os

import pytest

from proxy.executions.journal import DispatchRecord, HoldRecord, SettleRecord, StartRecord, TimerRecord
from proxy.executions.past import past_of
from proxy.executions.replay import BATCH_EVENTS, heard
from proxy.executions.situation import MachineLimits, State
from tests.proxy.executions.sweep import sweep

PORTIONS = 8
CASES = int(os.environ.get("EXECUTOR_REPLAY_CASES", "600")) // PORTIONS
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
    state = State(MachineLimits(), phase="replaying", past=past)
    state, (first,) = heard(state, (), over=False)
    assert len(first.events) == BATCH_EVENTS  # type: ignore[union-attr]
    state, (second,) = heard(state, (), over=False)
    assert len(second.events) == 10  # type: ignore[union-attr]
    assert heard(state, (), over=False)[1] == ()


def test_large_results_get_frames_of_their_own() -> None:
    big = b'"' + b"x" * 800_000 + b'"'
    settled = [SettleRecord(seq, big, 2.0) for seq in range(3)]
    past = past_of([START, *settled])
    state = State(MachineLimits(), phase="replaying", past=past)
    sizes = []
    while True:
        state, commands = heard(state, (), over=False)
        if not commands:
            break
        sizes.append(len(commands[0].events))  # type: ignore[union-attr]
    assert sizes == [1, 1, 1]


def test_the_last_record_of_a_call_says_where_it_stands() -> None:
    ask = {"kind": "approval"}
    past = past_of([START, HoldRecord(0, "p", "d", ask), DispatchRecord(0, "p", "d", 2.0)])
    assert isinstance(past.last[0], DispatchRecord)
    assert past.asks[0] == ask
