"""Random histories: whatever happens in whatever order, the machine keeps its rules."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.conversation import ElicitationRequest
from proxy.executions.machine.events import (
    CallAsked,
    CallVerdict,
    CancelRequested,
    DeadlineReached,
    Deliver,
    DispatchCall,
    Finish,
    Finished,
    HandOver,
    HandOverRequested,
    Hold,
    Judge,
    Judged,
    MachineCommand,
    MachineEvent,
    MaySend,
    Pause,
    Refuse,
    Resumed,
    Settled,
    Started,
    TimerDue,
    WorkerBlocked,
    WorkerLost,
    WriteRecord,
)
from proxy.executions.machine.journal import (
    AskingCall,
    DispatchRecord,
    PauseRecord,
    Record,
    UpstreamQuestion,
    decode,
    deliveries,
    encode,
    past_of,
)
from proxy.executions.machine.state import IllegalEvent, MachineLimits, MachineState, deadline
from proxy.executions.machine.step import step as machine_step
from proxy.sandbox import Delivery, ToolCall
from tests.proxy.executions.machine.test_step import (
    OK,
    SEND,
    START,
    after,
    approval,
    call,
    done,
    held_at_the_end,
    step,
)

UPSTREAM = UpstreamQuestion(
    "int_1",
    AskingCall("demo.org.main.t", "{}", "model"),
    "who",
    ElicitationRequest("who?", {"type": "object"}),
)
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

    state: MachineState = field(default_factory=lambda: MachineState(LIMITS))
    now: float = 1000.0
    records: list[Record] = field(default_factory=list)
    delivered: list[Delivery] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    parked: set[int] = field(default_factory=set)
    finishes: int = 0
    pauses: int = 0
    verdicts: list[CallVerdict] = field(default_factory=lambda: [SEND])

    def take(self, event: MachineEvent) -> bool:
        """Step; whether the event was legal."""
        before = self.state
        try:
            self.state, commands = machine_step(before, event)
        except IllegalEvent:
            assert self.state is before
            return False
        if isinstance(event, Settled):
            self.settled.append(event.seq)
        if isinstance(event, CallAsked):
            (self.parked if event.question.parked else self.ended).add(event.seq)
        for command in commands:
            self._carry_out(command)
        self._check(before)
        for command in commands:
            if isinstance(command, Judge):
                verdicts = tuple(
                    (one.call.seq, self.verdicts[one.call.seq % len(self.verdicts)]) for one in command.calls
                )
                assert self.take(Judged(event.at, verdicts))
        return True

    def _carry_out(self, command: MachineCommand) -> None:
        assert self.finishes + self.pauses == 0, "nothing comes after the end"
        match command:
            case WriteRecord(record):
                self.records.append(record)
            case DispatchCall(called):
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

    def _check(self, before: MachineState) -> None:
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
def an_event(draw: st.DrawFn, history: History) -> MachineEvent:
    """Any event, legal or not, with a bias to what may happen next."""
    at = history.now = history.now + draw(st.sampled_from([0, 0, 1, 5, 30, -10, 200]))
    state = history.state
    flying = [*state.flying, *history.parked, draw(st.integers(0, 8))]
    wake = draw(st.none() | st.sampled_from([at, at + 5, at + 100]))
    calls = draw(calls_from(state.next_seq))
    settled = Settled(at, draw(st.sampled_from(flying)), OK)
    asks = replace(UPSTREAM, parked=draw(st.booleans()))
    asked = CallAsked(at, draw(st.sampled_from(flying)), asks)
    common: list[MachineEvent] = [WorkerBlocked(at, calls, wake), settled, settled, TimerDue(at)]
    rare: list[MachineEvent] = [
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
    verdicts: st.SearchStrategy[CallVerdict] = st.sampled_from(
        [SEND, SEND, MaySend(True), Refuse(OK), Hold(approval())]
    )
    history = History(verdicts=data.draw(st.lists(verdicts, min_size=1, max_size=4)))
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


def an_event_of(kind: type) -> MachineEvent:
    made: dict[type, MachineEvent] = {
        Started: Started(5000, START),
        WorkerBlocked: WorkerBlocked(5000, (), None),
        Settled: Settled(5000, 0, OK),
        CallAsked: CallAsked(5000, 0, UPSTREAM),
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
    WorkerBlocked,
    Settled,
    CallAsked,
    TimerDue,
    Finished,
    WorkerLost,
    DeadlineReached,
    CancelRequested,
    HandOverRequested,
    Judged,
    Resumed,
)
PHASES: dict[str, MachineState] = {
    "new": MachineState(MachineLimits()),
    "running": after(WorkerBlocked(1001, (call(0), call(1)), None), Settled(1002, 1, OK))[0],
    "blocked": after(WorkerBlocked(1001, (call(0),), 1500.0))[0],
    "draining": after(Finished(1001, done(calls=(call(0), call(1)))))[0],
    "finished": after(Finished(1002, done()))[0],
    "paused": held_at_the_end()[0],
    "leaving": after(WorkerBlocked(1001, (call(0), call(1)), None), HandOverRequested(1002))[0],
    "replaying": step(MachineState(MachineLimits()), Resumed(5000, past_of([START]), {}))[0],
}
LEGAL = {
    "new": {Started, Resumed, WorkerLost, CancelRequested},
    "replaying": {WorkerBlocked, Finished, WorkerLost, DeadlineReached, CancelRequested, HandOverRequested},
    "leaving": {Settled, CallAsked, WorkerBlocked, Finished, WorkerLost, DeadlineReached, CancelRequested},
    "paused": set(),
    "running": {Judged, WorkerBlocked, Settled, CallAsked, Finished, WorkerLost, DeadlineReached}
    | {CancelRequested, HandOverRequested},
    "blocked": {
        Judged,
        Settled,
        CallAsked,
        TimerDue,
        WorkerLost,
        DeadlineReached,
        CancelRequested,
        HandOverRequested,
    },
    "draining": {Judged, Settled, CallAsked, DeadlineReached, CancelRequested, HandOverRequested},
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
