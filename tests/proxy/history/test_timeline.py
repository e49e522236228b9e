"""Runs, pauses and calls find their places on the axis."""

from __future__ import annotations

from typing import Any

from proxy.history.recent import SeenCall
from proxy.history.timeline import WIDTH, Timeline, timeline


def run(began: float, ended: float, *calls: SeenCall, replica: str = "r1", **more: Any) -> dict[str, Any]:
    return {
        "replica": replica,
        "began": began,
        "ended": ended,
        "calls": [one.as_json() for one in calls],
        **more,
    }


def made(*runs: dict[str, Any], unstored: tuple[SeenCall, ...] = (), **given: Any) -> Timeline:
    listed = given.pop("listed", ())
    whole = {"replica": "r1", "began_ms": 0.0, "ended_ms": 100.0, "running": False, **given}
    return timeline(runs, unstored, listed, **whole)


def test_one_run_fills_the_axis() -> None:
    calls = (SeenCall(0, "a.b.c.one", 10.0, 20.0), SeenCall(1, "a.b.c.two", 50.0, 50.0, "upstream_error"))
    drawn = made(unstored=calls)
    assert [(one.x, one.width) for one in drawn.runs] == [(0.0, WIDTH)]
    assert [(bar.x, bar.width, bar.kind) for one in drawn.calls for bar in one.bars] == [
        (100.0, 200.0, "ok"),
        (500.0, 500.0, "failed"),
    ]
    assert [(one.outcome, one.offset_ms) for one in drawn.calls] == [("ok", 10.0), ("upstream_error", 50.0)]
    assert drawn.replicas == ("r1",)


def test_a_long_pause_gets_a_slot_and_calls_stay_visible() -> None:
    asked = SeenCall(0, "a.b.c.write", 90.0, 1.0, "approval_required", "require_approval", "ask", "x.yaml:3")
    sent = SeenCall(0, "a.b.c.write", 900_010.0, 50.0, None, "require_approval", "ask", "x.yaml:3")
    drawn = made(run(0.0, 100.0, asked), run(900_000.0, 900_100.0, sent, replica="r2"))
    first, second = drawn.runs
    assert (first.width, second.width, drawn.pauses[0].width) == (465.0, 465.0, 70.0)
    assert drawn.pauses[0].ms == 899_900.0
    assert drawn.active_ms == 200.0
    assert drawn.replicas == ("r1", "r2")
    (call,) = drawn.calls
    assert [bar.kind for bar in call.bars] == ["asked", "waits", "ok"]
    assert call.bars[1].x + call.bars[1].width == call.bars[2].x
    assert (call.outcome, call.sent, call.action, call.rule, call.replica) == (
        "ok",
        1,
        "require_approval",
        "ask",
        "r2",
    )


def test_what_still_waits_says_so() -> None:
    asked = SeenCall(3, "a.b.c.write", 50.0, 1.0, "approval_required", "require_approval")
    drawn = made(run(0.0, 100.0, asked), waits_until_ms=60_100.0)
    assert [(one.ms, one.open, one.width) for one in drawn.pauses] == [(60_000.0, True, 70.0)]
    assert drawn.calls[0].bars[-1].x + drawn.calls[0].bars[-1].width == WIDTH
    assert [(one.outcome, one.sent) for one in drawn.calls] == [("waiting", 0)]
    assert [bar.kind for bar in drawn.calls[0].bars] == ["asked", "waits"]


def test_a_call_that_was_sent_again_is_one_row_with_its_tries() -> None:
    first, again = (
        SeenCall(0, "a.b.c.one", 10.0, 5.0, "outcome_unknown"),
        SeenCall(0, "a.b.c.one", 210.0, 5.0),
    )
    drawn = made(run(0.0, 100.0, first, lost=True), run(200.0, 300.0, again, replica="r2"))
    assert [one.lost for one in drawn.runs] == [True, False]
    assert [(one.sent, one.outcome, len(one.bars)) for one in drawn.calls] == [(2, "ok", 2)]


def test_many_pauses_leave_room_for_the_runs() -> None:
    runs = [run(number * 1000.0, number * 1000.0 + 10) for number in range(30)]
    drawn = made(*runs)
    assert len(drawn.pauses) == 29
    ends = [one.x + one.width for one in drawn.runs]
    assert ends == sorted(ends)
    assert abs(ends[-1] - WIDTH) < 1
    assert sum(one.width for one in drawn.runs) > 600


def test_nothing_is_drawn_outside_or_too_thin() -> None:
    calls = tuple(SeenCall(seq, "a.b.c.x", at, 0.001) for seq, at in enumerate((-50.0, 0.0, 99.9999, 5000.0)))
    drawn = made(unstored=calls, ended_ms=100.0)
    for one in drawn.calls:
        for bar in one.bars:
            assert bar.width >= 3
            assert 0 <= bar.x <= WIDTH - bar.width
    assert made(began_ms=5.0, ended_ms=5.0, unstored=()).runs[0].width == WIDTH


def test_what_runs_now_continues_after_the_record() -> None:
    drawn = made(
        run(0.0, 100.0), unstored=(SeenCall(1, "a.b.c.x", 250.0, 10.0),), running=True, ended_ms=300.0
    )
    assert [(one.number, one.open) for one in drawn.runs] == [(1, False), (2, True)]
    assert drawn.calls[0].run == 2


def test_calls_that_nobody_saw_are_listed_without_a_bar() -> None:
    listed = (
        {"path": "a.b.c.x", "ok": True, "ms": 4.0},
        {"path": "a.b.c.y", "ok": False, "code": "not_sent"},
    )
    assert [(one.outcome, one.ms, one.bars) for one in made(listed=listed).calls] == [
        ("ok", 4.0, ()),
        ("not_sent", 0.0, ()),
    ]
    seen = made(unstored=(SeenCall(0, "a.b.c.x", 1.0, 4.0),), listed=listed)
    assert [one.outcome for one in seen.calls] == ["ok", "not_sent"]
    assert made(run(0.0, 1.0, left_out=7)).left_out == 7
