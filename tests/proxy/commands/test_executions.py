from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy.commands.boarded import Boarded, boarded
from tests.proxy.commands.running import Run
from tests.proxy.commands.test_approvals import pause


@pytest.fixture
def server(run: Run) -> Iterator[Boarded]:
    with boarded() as running:
        run.set(EXECUTOR_SERVER=running.url, EXECUTOR_TOKEN="boss")
        yield running


def test_listing_showing_and_cancelling(server: Boarded, run: Run) -> None:
    first, second = pause(server), pause(server)
    head, row, more = run("executions", "ls", "--limit", "1").out.splitlines()
    assert head.split() == ["EXECUTION", "STATUS", "BY", "CREATED", "CALLS", "WAITING"]
    assert row.split()[:3] == [second, "waiting_for_interaction", "key:bob"]
    assert more == f"more: --cursor {second}"
    page = run("executions", "ls", "--cursor", second, "--status", "paused", "--json").json
    assert [one["executionId"] for one in page["items"]] == [first]
    assert run("executions", "show", first).json["status"] == "waiting_for_interaction"
    assert run("executions", "cancel", first).out == f"canceled {first}\n"
    assert run("executions", "cancel", second, "--json").json["status"] == "canceled"
    again = run("executions", "cancel", first)
    assert (again.code, again.out) == (1, "")


def test_wrong_values_are_the_servers_words(server: Boarded, run: Run) -> None:
    wrong = run("executions", "ls", "--limit", "0")
    assert (wrong.code, "from 1 to 200" in wrong.err) == (1, True)
