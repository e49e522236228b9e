"""Three replicas on a cluster, and with Sentinel: replicas are killed, a primary dies in the middle, and nothing is
lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.state.clusters import (
    SERVICE,
    ValkeyCluster,
    WatchedPrimary,
    valkey_cluster,
    watched_primary,
)
from tests.replicas.fleet import Fleet, Unanswered, fleet
from tests.replicas.sequences import MOST_STEPS, Sequences
from tests.replicas.test_replicas import code, paused
from tests.replicas.upstream import reply

STATE = {"backend": "redis", "url": {"env": "REDIS_URL"}, "encryption_key": {"env": "STATE_KEY"}}
CLUSTER, SENTINEL = {"cluster": True}, {"sentinel": {"service": SERVICE}}
KINDS: dict[str, tuple[Callable[[], AbstractContextManager[Any]], dict[str, Any]]] = {
    "cluster": (valkey_cluster, CLUSTER),
    "sentinel": (watched_primary, SENTINEL),
    "cluster with TLS": (partial(valkey_cluster, tls=True), CLUSTER),
}
MARKS = {"sentinel": [pytest.mark.minutes], "cluster with TLS": [pytest.mark.minutes, pytest.mark.redis_tls]}
PARAMS = [pytest.param(kind, marks=MARKS.get(kind, [])) for kind in KINDS]


@pytest.fixture(params=PARAMS, scope="module")
def servers(
    request: pytest.FixtureRequest,
) -> Iterator[tuple[ValkeyCluster | WatchedPrimary, dict[str, Any]]]:
    make, form = KINDS[request.param]
    with make() as running:
        asked = {"ca": running.form.ca, "cert": running.form.cert, "key": running.form.key}
        files = {name: {"file": path} for name, path in asked.items() if path is not None}
        yield running, {**form, **({"tls": files} if files else {})}


@pytest.mark.cluster
@pytest.mark.timeout(400)
async def test_random_sequences_with_a_failover_in_the_middle(
    servers: tuple[ValkeyCluster | WatchedPrimary, dict[str, Any]], tmp_path: Path
) -> None:
    store, form = servers
    # Code must have the time that the failover takes.
    slow, state = {"timeout": "120s"}, {**STATE, **form, "timeout": "60s"}
    with fleet(tmp_path / "three", store=store.url, state=state, sandbox=slow) as three:
        waiting = [await paused(three.caller(), _program(number)) for number in range(6)]
        sequences = Sequences(three, seed=2027)
        async with asyncio.TaskGroup() as group:
            group.create_task(sequences.run(range(8), kills=2))
            resumed = [group.create_task(_resumed(three, waiting[number][0], number)) for number in range(3)]
            await asyncio.to_thread(store.fail_over, 0)
        assert [one.result() for one in resumed] == [f"post {number}" for number in range(3)]
        assert not sequences.figures.problems
        assert sequences.figures.counts["sequences"] == 8
        # Those that nobody looked at meanwhile are as they were, too.
        rest = [await _resumed(three, waiting[number][0], number) for number in range(3, 6)]
        assert rest == [f"post {number}" for number in range(3, 6)]
        assert not three.api.doubled()
        assert all(three.api.arrivals["post", "fail", str(number)] == 1 for number in range(6))


def _program(number: int) -> str:
    return code("fail", f"return (await post(c({number}))).data.text")


async def _resumed(three: Fleet, execution: str, number: int) -> Any:
    """What it returned. A replica that dies is asked again elsewhere; what became of a call that it had under way is
    said by a person, who looks into the ledger."""
    caller = three.caller()
    said: dict[str, Any] = {}
    for _ in range(MOST_STEPS):
        try:
            answer = await caller.resume(execution, **said)
        except Unanswered:
            continue
        if answer.status == "completed":
            return answer.value
        (question,) = answer.structured["interactions"]
        assert question["kind"] == "outcome_unknown", answer.text
        arrived = three.api.arrived("post", "fail", str(number))
        done = {"outcome": "done", "data": reply("post", str(number))}
        said = {"interactionId": question["id"], "content": done if arrived else {"outcome": "retry"}}
    raise AssertionError(f"{execution} does not end")
