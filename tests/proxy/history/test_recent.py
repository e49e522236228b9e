"""What a process remembers of executions is bounded, and goes into a record once."""

from __future__ import annotations

from dataclasses import replace

from proxy.executions import ExecutionStart
from proxy.executions.result import ExecutionResult
from proxy.history.recent import CALLS, RECORDED, RecentExecutions, read_call
from tests.proxy.history.seen import ANN, BOB, call, decision, end


def test_calls_are_remembered_with_their_decision() -> None:
    recent = RecentExecutions("r1", lambda: 2.0)
    recent.called(call(by=decision("reads", "executor.yaml:7"), ms=50.0))
    recent.called(call(seq=1, code="tool_not_found"))
    (seen,) = recent.of("ws")
    assert seen.status == "running"
    assert [(one.seq, one.began_ms, one.action, one.source, one.code) for one in seen.calls] == [
        (0, 1950.0, "approve", "executor.yaml:7", None),
        (1, 1990.0, "", "", "tool_not_found"),
    ]
    assert [read_call(one.as_json()) for one in seen.calls] == seen.calls


def test_each_account_finds_its_own_and_no_other_workspace_anything() -> None:
    recent = RecentExecutions()
    recent.called(call("exec_a"))
    recent.called(call("exec_b", who=BOB))
    assert [one.id for one in recent.of("ws", "user:bob")] == ["exec_b"]
    assert recent.of("other") == []
    assert recent.find("exec_a", "other") is None


def test_the_oldest_go_first_and_large_ones_push_out_many() -> None:
    recent = RecentExecutions(executions=3, total_bytes=1000)
    for name in "abcd":
        recent.executed(end(f"exec_{name}", began_ms=float(ord(name))))
    assert [one.id for one in recent.of("ws")] == ["exec_d", "exec_c", "exec_b"]
    recent.executed(end("exec_large", code="x" * 990))
    assert [one.id for one in recent.of("ws")] == ["exec_d", "exec_large"] or len(recent.of("ws")) <= 2
    recent.executed(end("exec_huge", code="x" * 5000))
    assert [one.id for one in recent.of("ws")] == ["exec_huge"], "the newest stays whatever its size"


def test_the_text_of_a_result_and_what_was_emitted_are_not_kept() -> None:
    recent = RecentExecutions()
    whole = ExecutionResult("exec_a", "completed", "ws", ANN.account_id, result_text="x" * 9, emitted=({},))
    recent.executed(end(result=whole))
    report = recent.of("ws")[0].report
    assert report is not None
    assert report.result == replace(whole, result_text="", emitted=())


def test_calls_beyond_the_limit_are_counted() -> None:
    recent = RecentExecutions()
    for seq in range(CALLS + 3):
        recent.called(call(seq=seq))
    assert (len(recent.of("ws")[0].calls), recent.of("ws")[0].left_out) == (CALLS, 3)


def test_a_run_that_ends_tells_what_was_not_told_before() -> None:
    recent = RecentExecutions("r1", lambda: 1.0)
    recent.called(call(seq=0))
    first = recent.run_ended("exec_a", 900.0, 1000.0)
    recent.called(call(seq=1))
    second = recent.run_ended("exec_a", 2000.0, 2100.0)
    assert (first["replica"], first["began"], first["ended"]) == ("r1", 900.0, 1000.0)
    assert [[one["seq"] for one in run["calls"]] for run in (first, second)] == [[0], [1]]
    assert recent.run_ended("unknown", 1.0, 2.0) == {"replica": "r1", "began": 1.0, "ended": 2.0}


def test_a_record_gets_no_more_than_it_can_bear() -> None:
    recent = RecentExecutions()
    for seq in range(RECORDED + 20):
        recent.called(call(seq=seq))
    run = recent.run_ended("exec_a", 0.0, 1.0)
    assert (len(run["calls"]), run["left_out"]) == (RECORDED, 20)


def test_one_that_runs_is_known_before_its_first_call() -> None:
    recent = RecentExecutions(total_bytes=100)
    recent.begun(ExecutionStart("exec_a", ANN, "s1", 5.0, "return 1"))
    (seen,) = recent.of("ws")
    assert (seen.status, seen.began_ms, seen.code, seen.session_id) == ("running", 5.0, "return 1", "s1")
    recent.begun(ExecutionStart("exec_b", ANN, None, 6.0, "x" * 95))
    assert [one.id for one in recent.of("ws")] == ["exec_b"]
