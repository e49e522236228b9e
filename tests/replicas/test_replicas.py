"""Three replicas on one Redis: whoever is asked can go on, and a killed one loses and doubles nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.running import Answer
from tests.replicas.fleet import BOSS, Caller, Fleet, Unanswered, fleet, happened
from tests.replicas.sequences import Sequences
from tests.replicas.upstream import reply

A, B, C = 0, 1, 2
HEAD = "const {read, put, quick, post} = tools.plain.org.main.ledger; const {keyed} = tools.sure.org.main.ledger;\n"
WAITING = "waiting_for_interaction"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("three")) as found:
        yield found


@pytest.fixture
def three(running: Fleet) -> Fleet:
    """All alive again, whatever the test before did to them."""
    running.start_missing()
    running.front.took.clear()
    return running


def code(run: str, body: str) -> str:
    return f"{HEAD}const c = (n) => ({{run: '{run}', n: String(n)}});\n{body}"


async def paused(caller: Caller, program: str, replica: int | None = None) -> tuple[str, list[str]]:
    """The execution and its questions."""
    answer = await caller.execute(program, replica)
    assert answer.status == WAITING, answer.text
    return answer.structured["executionId"], [one["id"] for one in answer.structured["interactions"]]


async def test_start_on_a_approve_on_b_resume_on_c(three: Fleet) -> None:
    caller = three.caller()
    both = "const all = await Promise.all([read(c(1)), post(c(2)), post(c(3))]);"
    execution, asked = await paused(caller, code("abc", f"{both} return all.map((r) => r.data.text)"))
    second = await caller.resume(execution, interactionId=asked[0])
    assert (second.status, len(second.structured["interactions"])) == (WAITING, 1)
    third = await caller.resume(execution, interactionId=asked[1])
    assert third.value == ["read 1", "post 2", "post 3"]
    assert len(set(three.front.took)) == 3, "each request went to another replica"
    assert not three.api.doubled()


async def test_an_approver_elsewhere_decides_for_the_agent(three: Fleet) -> None:
    execution, _ = await paused(three.caller(), code("boss", "return (await post(c(1))).data.text"), A)
    approved = await three.caller(BOSS).resume(execution, replica=B)
    assert approved.value == "post 1"
    again = await three.caller().resume(execution, replica=C)
    assert again.value == "post 1", "the same decision again has the same result"
    assert not three.api.doubled()


async def test_the_replica_that_paused_dies_and_then_the_one_that_approved(three: Fleet) -> None:
    """Killed between pause and approval, and between approval and resume: the third has never heard of it."""
    program = code("dies", "return (await Promise.all([post(c(1)), post(c(2))])).map((r) => r.data.text)")
    execution, asked = await paused(three.caller(), program, A)
    three.kill(A)
    second = await three.caller().resume(execution, interactionId=asked[1], replica=B)
    assert second.status == WAITING
    three.kill(B)
    third = await three.caller().resume(execution, interactionId=asked[0])
    assert third.value == ["post 1", "post 2"]
    assert three.front.took == [A, B, C]
    assert not three.api.doubled()


async def test_a_session_of_the_handshake_era_lives_on_all_of_them(three: Fleet) -> None:
    """The official client: its handshake, its calls and its decision arrive at different replicas; one then dies."""
    body = "const all = await Promise.all([post(c(1)), post(c(2))]); return all.map((r) => r.data.text)"
    async with three.caller().session() as client:
        first = await client.call_tool("execute", {"code": code("legacy", body)})
        assert first.structured_content is not None
        execution = first.structured_content["executionId"]
        one, two = (asked["id"] for asked in first.structured_content["interactions"])
        accept = {"executionId": execution, "action": "accept"}
        second = await client.call_tool("resume", {**accept, "interactionId": two})
        assert second.structured_content is not None
        assert second.structured_content["status"] == WAITING
        assert set(three.front.took) == {A, B, C}
        three.kill(C)
        third = await client.call_tool("resume", {**accept, "interactionId": one})
        assert third.structured_content is not None
        assert third.structured_content["result"] == ["post 1", "post 2"]
    assert not three.api.doubled()


async def test_many_ask_for_the_same_result_at_once(three: Fleet) -> None:
    execution, _ = await paused(three.caller(), code("many", "return (await post(c(1))).data.text"))
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(three.caller().resume(execution)) for _ in range(9)]
    assert {one.result().value for one in asked} == {"post 1"}
    assert three.api.arrivals["post", "many", "1"] == 1


WHILE_DRIVING = {
    "post": "return (await post(c(1))).data.text",
    "keyed": "return (await keyed(c(1))).data.text",
    "read": "await post(c(0)); return (await read(c(1))).data.text",
    "quick": "await post(c(0)); return (await quick(c(1))).data.text",
}


@pytest.mark.timeout(180)
async def test_the_replica_that_drives_dies(three: Fleet) -> None:
    """Every call has arrived, and none was answered. Whoever waits elsewhere is served when the lease has run out."""
    caller = three.caller()
    runs = {name: await paused(caller, code(f"kill-{name}", body), A) for name, body in WHILE_DRIVING.items()}
    gates = [three.api.hold(name, f"kill-{name}", 1) for name in runs]
    gates.append(three.api.hold("read", "kill-rest", 1))
    begun = code("kill-rest", "return (await read(c(1))).data.text")
    async with asyncio.TaskGroup() as group:
        driven = [group.create_task(_died(caller, execution)) for execution, _ in runs.values()]
        first = group.create_task(caller.run(begun, "key-1", A))
        for gate in gates:
            assert await asyncio.to_thread(happened, gate.arrived)
        # Another replica is asked while the first one drives: it waits, and takes over.
        waiting = {
            name: group.create_task(three.caller().resume(execution, replica=B))
            for name, (execution, _) in runs.items()
        }
        three.kill(A)
        # What had only read is known too, because its caller can come back for it.
        again = group.create_task(caller.run(begun, "key-1", B))
    assert (first.result().status_code, again.result().status_code) == (502, 200)
    assert again.result().json()["result"] == "read 1"
    assert all(task.result() for task in driven)
    answers = {name: task.result() for name, task in waiting.items()}
    assert answers["keyed"].value == "keyed 1"
    assert answers["read"].value == "read 1"
    assert len(three.api.keys["keyed", "kill-keyed", "1"]) == 1
    for name in ("post", "quick"):
        await _settled(three, name, answers[name])
    assert not three.api.doubled()


async def _died(caller: Caller, execution: str) -> bool:
    try:
        await caller.resume(execution, replica=A)
    except Unanswered:
        return True
    return False


async def _settled(three: Fleet, name: str, answer: Answer) -> None:
    """A call that may have arrived and must not be repeated: a person says what became of it."""
    assert answer.status == WAITING, answer.text
    (question,) = answer.structured["interactions"]
    assert question["kind"] == "outcome_unknown"
    assert three.api.arrivals[name, f"kill-{name}", "1"] == 1
    content = {"outcome": "done", "data": reply(name, "1")}
    execution, asked = answer.structured["executionId"], question["id"]
    final = await three.caller().resume(execution, interactionId=asked, content=content, replica=C)
    assert final.value == f"{name} 1"


@pytest.mark.timeout(180)
async def test_random_sequences_lose_and_double_nothing(three: Fleet) -> None:
    """The long run is `python -m bench.replicas`."""
    sequences = Sequences(three, seed=2026)
    await sequences.run(range(12), kills=2)
    assert not sequences.figures.problems
    assert not three.api.doubled()
    assert sequences.figures.counts["sequences"] == 12
