from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy.commands.boarded import Boarded, boarded
from tests.proxy.commands.running import Run
from tests.proxy.commands.test_approvals import pause


@pytest.fixture
def server(run: Run) -> Iterator[Boarded]:
    with boarded() as running:
        run.set(EXECUTOR_SERVER=running.url, EXECUTOR_TOKEN="bob")
        yield running


def test_deciding_goes_on_to_the_result(server: Boarded, run: Run) -> None:
    execution = pause(server)
    waits = run("resume", execution)
    assert (waits.code, waits.out) == (3, "")
    assert f"executor resume {execution} --action accept" in waits.err
    done = run("resume", execution, "--action", "accept", "--interaction", "int_1", "--content", "{}")
    assert (done.code, done.out) == (0, "approved\n")
    assert run("resume", execution, "--json").json["status"] == "completed"
    late = run("resume", execution, "--action", "decline")
    assert (late.code, "final" in late.err) == (1, True)


def test_declined_is_exit_1(server: Boarded, run: Run) -> None:
    declined = run("resume", pause(server), "--action", "decline")
    assert (declined.code, declined.out) == (1, "")


def test_where_another_person_must_approve_that_is_said(server: Boarded, run: Run) -> None:
    execution = pause(server, "human it")
    assert f"executor approvals approve {execution}" in run("resume", execution, "--wait", "0").err
    refused = run("resume", execution, "--action", "accept")
    assert (refused.code, "another person" in refused.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--content", "{}"], "--content and --interaction need --action"),
        (["--interaction", "i"], "--content and --interaction need --action"),
        (["--wait", "241"], "expected 0 to 240 seconds"),
        (["--action", "accept", "--content", "{"], "not JSON"),
    ],
)
def test_wrong_usage_is_exit_2(run: Run, words: list[str], said: str) -> None:
    run.set(EXECUTOR_SERVER="http://127.0.0.1:9", EXECUTOR_TOKEN="x")
    wrong = run("resume", "exec_1", *words)
    assert (wrong.code, said in wrong.err) == (2, True)
