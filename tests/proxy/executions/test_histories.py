"""Random histories: whatever happens in whatever order, the machine keeps its rules."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.executions import machine
from proxy.executions.journal import (
    DispatchRecord,
    PauseRecord,
    Record,
    decode,
    encode,
)
from proxy.executions.machine import IllegalEvent, MachineLimits, State, deadline
from proxy.executions.past import deliveries, past_of
from proxy.executions.protocol import (
    Answer,
    Asked,
    Blocked,
    CancelRequested,
    Command,
    DeadlineReached,
    Deliver,
    Dispatch,
    Event,
    Finish,
    Finished,
    HandOver,
    HandOverRequested,
    Hold,
    Judge,
    Judged,
    Pause,
    Refuse,
    Resumed,
    Send,
    Settled,
    Started,
    TimerDue,
    WorkerLost,
    Write,
)
from proxy.sandbox import Delivery, ToolCall
from tests.proxy.executions.test_machine import OK, SEND, START, after, ask, call, done, held_at_the_end, step

LIMITS = MachineLimits(
    active_ms=400,
    lifetime_ms=900,
    calls=6,
    parallel=2,
    refusals=4,
    timers=5,
    argument_bytes=30,
    outcome_bytes=90,
)


@dataclass
class History:
    """Everything a machine said, and what must hold for it."""

    state: State = field(default_factory=lambda: State(LIMITS))
    now: float = 1000.0
    records: list[Record] = field(default_factory=list)
    delivered: list[Delivery] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    parked: set[int] = field(default_factory=set)
    finishes: int = 0
    pauses: int = 0
    answers: list[Answer] = field(default_factory=lambda: [SEND])

    def take(self, event: Event) -> bool:
        """Step; whether the event was legal."""
        before = self.state
        try:
            self.state, commands = machine.step(before, event)
        except IllegalEvent:
            assert self.state is before
            return False
        if isinstance(event, Settled):
            self.settled.append(event.seq)
        if isinstance(event, Asked):
            (self.parked if event.ask.get("parked") else self.ended).add(event.seq)
        for command in commands:
            self._carry_out(command)
        self._check(before)
        for command in commands:
            if isinstance(command, Judge):
                answers = tuple(
                    (one.call.seq, self.answers[one.call.seq % len(self.answers)]) for one in command.calls
                )
                assert self.take(Judged(event.at, answers))
        return True

    def _carry_out(self, command: Command) -> None:
        assert self.finishes + self.pauses == 0, "nothing comes after the end"
        match command:
            case Write(record):
                self.records.append(record)
            case Dispatch(called):
                assert any(isinstance(one, DispatchRecord) and one.seq == called.seq for one in self.records)
                self.sent.append(called.seq)
            case Deliver(events):
                self.delivered.extend(events)
            case Finish(end):
                self.finishes += 1
                assert {one.seq for one in end.unsettled} == self._under_way()
            case HandOver():
                self.pauses += 1
                assert isinstance(self.records[-1], PauseRecord)
                left = self._under_way() - self.parked
                assert left <= self._repeatable(), "what must not be sent twice is waited for"
            case Pause(held):
                self.pauses += 1
                assert isinstance(self.records[-1], PauseRecord)
                assert held
                assert self._under_way() <= self.parked, "nothing is under way in a pause but what asks"
                assert {one.call.seq for one in held} & set(self.sent) == self.ended | self._under_way()
            case _:
                pass

    def _under_way(self) -> set[int]:
        """Sent, and neither over nor ended with a question."""
        return set(self.sent) - set(self.settled) - self.ended

    def _repeatable(self) -> set[int]:
        return {one.seq for one in self.records if isinstance(one, DispatchRecord) and one.repeatable}

    def _check(self, before: State) -> None:
        state = self.state
        assert len(state.flying) <= LIMITS.parallel
        assert state.at >= before.at
        assert state.clock >= before.clock
        assert 0 <= state.active_ms <= state.at - state.began
        assert (state.phase == "finished") == (self.finishes == 1)
        assert (state.phase == "paused") == (self.pauses == 1)
        assert len(self.sent) == len(set(self.sent)) <= LIMITS.calls
        assert len(self.settled) == len(set(self.settled))
        assert not self.ended & set(self.settled), "a call that ended with a question settles in another run"
        assert set(self.settled) <= set(self.sent)

    def check_replay(self) -> None:
        """The records alone say what was delivered, and no clock in them goes back."""
        replayed = deliveries([decode(encode(record)) for record in self.records])
        assert list(replayed[: len(self.delivered)]) == self.delivered
        clocks = [one.now for one in replayed]
        assert clocks == sorted(clocks)


def calls_from(first: int) -> st.SearchStrategy[tuple[ToolCall, ...]]:
    """A few calls, nearly always numbered rightly."""
    args: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{}, {"a": 1}, {"a": "x" * 40}])
    numbers = st.integers(0, 4).map(lambda count: range(first, first + count))
    wrong = st.just(range(first + 1, first + 2))
    seqs = st.one_of(numbers, numbers, numbers, numbers, wrong)
    return st.tuples(seqs, args).map(lambda pair: tuple(ToolCall(seq, "p", pair[1]) for seq in pair[0]))


@st.composite
def an_event(draw: st.DrawFn, history: History) -> Event:
    """Any event, legal or not, with a bias to what may happen next."""
    at = history.now = history.now + draw(st.sampled_from([0, 0, 1, 5, 30, -10, 200]))
    state = history.state
    flying = [*state.flying, *history.parked, draw(st.integers(0, 8))]
    wake = draw(st.none() | st.sampled_from([at, at + 5, at + 100]))
    calls = draw(calls_from(state.next_seq))
    settled = Settled(at, draw(st.sampled_from(flying)), OK)
    asks = {**ask(), "kind": "form", "parked": draw(st.booleans())}
    asked = Asked(at, draw(st.sampled_from(flying)), asks)
    common: list[Event] = [Blocked(at, calls, wake), settled, settled, TimerDue(at)]
    rare: list[Event] = [
        Finished(at, done(draw(st.booleans()), calls)),
        WorkerLost(at, "cpu", ""),
        DeadlineReached(at),
        CancelRequested(at, ""),
        HandOverRequested(at),
        asked,
        asked,
        Started(at, START),
    ]
    return draw(st.sampled_from([*common * 4, *rare]))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_random_histories_keep_every_rule(data: st.DataObject) -> None:
    answers: st.SearchStrategy[Answer] = st.sampled_from([SEND, SEND, Send(True), Refuse(OK), Hold(ask())])
    history = History(answers=data.draw(st.lists(answers, min_size=1, max_size=4)))
    history.take(Started(history.now, START))
    for _ in range(30):
        history.take(data.draw(an_event(history)))
    if history.state.phase not in ("finished", "paused"):
        assert deadline(history.state) is not None
        assert history.take(CancelRequested(history.now, "end"))
    assert history.finishes + history.pauses == 1
    history.check_replay()
    past_of(history.records)
    assert not history.take(data.draw(an_event(history)))


def an_event_of(kind: type) -> Event:
    made: dict[type, Event] = {
        Started: Started(5000, START),
        Blocked: Blocked(5000, (), None),
        Settled: Settled(5000, 0, OK),
        Asked: Asked(5000, 0, ask()),
        TimerDue: TimerDue(5000),
        Finished: Finished(5000, done()),
        WorkerLost: WorkerLost(5000, "cpu", ""),
        DeadlineReached: DeadlineReached(5_000_000),
        CancelRequested: CancelRequested(5000, ""),
        HandOverRequested: HandOverRequested(5000),
        Judged: Judged(5000, ()),
        Resumed: Resumed(5000, past_of([START]), {}),
    }
    return made[kind]


EVENTS = (
    Started,
    Blocked,
    Settled,
    Asked,
    TimerDue,
    Finished,
    WorkerLost,
    DeadlineReached,
    CancelRequested,
    HandOverRequested,
    Judged,
    Resumed,
)
PHASES: dict[str, State] = {
    "new": State(MachineLimits()),
    "running": after(Blocked(1001, (call(0), call(1)), None), Settled(1002, 1, OK))[0],
    "blocked": after(Blocked(1001, (call(0),), 1500.0))[0],
    "draining": after(Finished(1001, done(calls=(call(0), call(1)))))[0],
    "finished": after(Finished(1002, done()))[0],
    "paused": held_at_the_end()[0],
    "leaving": after(Blocked(1001, (call(0), call(1)), None), HandOverRequested(1002))[0],
    "replaying": step(State(MachineLimits()), Resumed(5000, past_of([START]), {}))[0],
}
LEGAL = {
    "new": {Started, Resumed, WorkerLost, CancelRequested},
    "replaying": {Blocked, Finished, WorkerLost, DeadlineReached, CancelRequested, HandOverRequested},
    "leaving": {Settled, Asked, Blocked, Finished, WorkerLost, DeadlineReached, CancelRequested},
    "paused": set(),
    "running": {Judged, Blocked, Settled, Asked, Finished, WorkerLost, DeadlineReached}
    | {CancelRequested, HandOverRequested},
    "blocked": {
        Judged,
        Settled,
        Asked,
        TimerDue,
        WorkerLost,
        DeadlineReached,
        CancelRequested,
        HandOverRequested,
    },
    "draining": {Judged, Settled, Asked, DeadlineReached, CancelRequested, HandOverRequested},
    "finished": set(),
}


@pytest.mark.parametrize(("phase", "kind"), list(itertools.product(PHASES, EVENTS)))
def test_every_event_in_every_phase_is_either_handled_or_refused(phase: str, kind: type) -> None:
    assert PHASES[phase].phase == phase
    if kind in LEGAL[phase]:
        step(PHASES[phase], an_event_of(kind))
    else:
        with pytest.raises(IllegalEvent):
            step(PHASES[phase], an_event_of(kind))
