"""Redis is gone for a while: requests fail clearly and in time, readiness says so, nothing is lost, and nobody has to
restart anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.running import Proxy
from tests.replicas.fleet import Caller, Fleet, fleet, happened
from tests.replicas.test_replicas import code, paused

DOWN = -32001


async def readiness(proxy: Proxy) -> tuple[int, str]:
    """The status, and the reason when it is not ready."""
    answer = await proxy.get("/readyz")
    return answer.status_code, answer.json().get("reason", "")


@pytest.mark.timeout(180)
async def test_redis_goes_away_and_comes_back(tmp_path: Path) -> None:
    """One is killed, and started again with what it had written; one hangs, with every connection open."""
    with (
        fleet(tmp_path / "killed", size=1, persistent=True) as killed,
        fleet(tmp_path / "frozen", size=1) as frozen,
    ):
        async with asyncio.TaskGroup() as group:
            group.create_task(_outage(killed, killed.redis.kill, killed.redis.start))
            group.create_task(_outage(frozen, frozen.redis.freeze, frozen.redis.thaw))
        for one in (killed, frozen):
            assert not one.api.doubled()
            assert '"level": "error"' not in one.replicas[0].err.text
            assert "Traceback" not in one.replicas[0].err.text


async def _outage(one: Fleet, gone: Callable[[], None], back: Callable[[], None]) -> None:
    caller, proxy, run = one.caller(), one.replicas[0], "outage"
    waiting, asked = await paused(caller, code(run, "return (await post(c(1))).data.text"))
    driven, _ = await paused(caller, code(run, "await post(c(2)); return (await put(c(3))).data.text"))
    gate = one.api.hold("put", run, 3)
    async with asyncio.TaskGroup() as group:
        driving = group.create_task(caller.resume(driven))
        assert await asyncio.to_thread(happened, gate.arrived)
        before = proxy.err.mark()
        gone()
        await asyncio.to_thread(proxy.logged, "not_ready", before)
        status, reason = await readiness(proxy)
        assert (status, "state store" in reason) == (503, True)
        await _refused(caller, run, waiting, asked[0])
        gate.opened.set()
        back()
        await asyncio.to_thread(proxy.logged, "ready_again", before)
    assert await readiness(proxy) == (200, "")
    # What was driven goes on by itself, or with its caller.
    answer = driving.result()
    final = answer if answer.status == "completed" else await caller.resume(driven)
    assert final.value == "put 3"
    assert (await caller.resume(waiting, interactionId=asked[0])).value == "post 1"
    assert one.api.arrivals["post", run, "2"] == 1
    assert not one.api.arrived("quick", run, "8"), "nothing is sent that is not on record"
    told = [line for line in proxy.err.text.splitlines()[before:] if '"level": "info"' not in line]
    assert 0 < len(told) < 12, "an outage is told, and not with every request"


async def _refused(caller: Caller, run: str, waiting: str, asked: str) -> None:
    """What needs the store fails and says why; what does not is served."""
    assert (await caller.execute("return 1")).value == 1
    answers = await asyncio.gather(
        *(
            caller.post("resume", {"executionId": waiting, "action": "accept", "interactionId": asked})
            for _ in "12"
        ),
        *(caller.post("execute", {"code": code(run, f"return (await quick(c({n}))).ok")}) for n in (8, 9)),
    )
    for answer in answers[:2]:
        error = answer.json()["error"]
        assert (error["code"], "state store" in error["message"]) == (DOWN, True)
    for answer in answers[2:]:
        result = answer.json()["result"]
        assert result["isError"]
        assert "the state store does not answer; try again shortly" in result["content"][0]["text"]
