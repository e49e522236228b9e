from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.proxy.commands.boarded import Boarded, boarded
from tests.proxy.commands.running import Run


@pytest.fixture
def server(run: Run) -> Iterator[Boarded]:
    with boarded() as running:
        run.set(EXECUTOR_SERVER=running.url, EXECUTOR_TOKEN="boss")
        yield running


def pause(server: Boarded, code: str = "ask it", token: str = "bob") -> str:
    answer = httpx2.post(
        f"{server.url}/api/executions", json={"code": code}, headers={"x-api-key": token}, timeout=60
    )
    found: str = answer.json()["executionId"]
    return found


def test_the_inbox(server: Boarded, run: Run) -> None:
    assert run("approvals", "ls").out == "nothing waits for approval\n"
    execution = pause(server, "human it")
    listed = run("approvals", "ls")
    head, row = listed.out.splitlines()
    assert head.split() == ["EXECUTION", "CALL", "TOOL", "ASKED", "BY", "EXPIRES"]
    assert row.split()[:4] == [execution, "int_1", "demo.org.main.write", "key:bob"]
    run.set(EXECUTOR_TOKEN="bob")
    assert run("approvals", "ls").out.endswith("another person must approve\n")
    (item,) = run("approvals", "ls", "--json").json
    assert item["mayApprove"] is False


def test_showing_everything_that_is_asked(server: Boarded, run: Run) -> None:
    execution = pause(server, "ask \u202eit")
    shown = run("approvals", "show", execution)
    assert shown.code == 0
    assert "[int_1] demo.org.main.write asks for approval" in shown.out
    assert "\\u{202E}it" in shown.out
    assert run("approvals", "show", execution, "--json").json["interactions"][0]["id"] == "int_1"


def test_approving_and_denying(server: Boarded, run: Run) -> None:
    first, second = pause(server), pause(server)
    assert run("approvals", "approve", first).out == "approved int_1 demo.org.main.write\n"
    denied = run("approvals", "deny", second, "--interaction", "int_1", "--content", "{}", "--json").json
    assert denied == [
        {"executionId": second, "interactionId": "int_1", "action": "decline", "status": "failed"}
    ]
    over = run("approvals", "approve", first)
    assert (over.code, over.err) == (1, f"executor: nothing waits in {first}: it is completed\n")
    assert "[int_1] decided: accept\n" in run("approvals", "show", first).out


def test_t12_the_account_that_asks_cannot_approve_here_either(server: Boarded, run: Run) -> None:
    execution = pause(server, "human it")
    run.set(EXECUTOR_TOKEN="bob")
    refused = run("approvals", "approve", execution)
    assert (refused.code, refused.out) == (1, "")
    assert "approver role" in refused.err
    told = run("approvals", "approve", execution, "--json")
    assert (told.code, "needs_another_person" in told.out) == (1, True)
    assert server.board.paused[execution].decided == {}


def test_t14_foreign_executions_are_not_there(server: Boarded, run: Run) -> None:
    execution = pause(server)
    run.set(EXECUTOR_TOKEN="eve")
    for action in ("show", "approve", "deny"):
        assert run("approvals", action, execution) == run("approvals", action, "exec_unknown")
        assert run("approvals", action, execution).code == 1
    assert run("approvals", "show", "../approvals").code == 1


def test_wrong_content_is_said_before_anything_is_decided(server: Boarded, run: Run) -> None:
    execution = pause(server)
    assert run("approvals", "approve", execution, "--content", "[]").code == 2
    assert server.board.paused[execution].decided == {}
