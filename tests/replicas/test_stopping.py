"""Executions that are cancelled on another replica than theirs, and executions whose replica leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from signal import SIGTERM
from typing import Any

import httpx2

from tests.replicas.fleet import AGENT, Fleet, fleet, happened

READS = """const seen = [];
for (let n = 0; n < 3; n++) seen.push((await tools.plain.org.main.ledger.read({run: "drain", n: `${n}`})).data.text);
return seen"""
WRITE = 'return (await tools.plain.org.main.ledger.quick({run: "cancel", n: "1"})).ok'


async def rest(running: Fleet, replica: int, method: str, path: str) -> Any:
    headers = {"authorization": f"Bearer {AGENT}"}
    async with httpx2.AsyncClient(
        base_url=running.replicas[replica].url, headers=headers, timeout=60
    ) as client:
        return (await client.request(method, path)).json()


async def cancelled_elsewhere(running: Fleet) -> None:
    gate = running.api.hold("quick", "cancel", 1)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(running.caller().execute(WRITE, 0))
        assert await asyncio.to_thread(happened, gate.arrived)
        (shown,) = (await rest(running, 1, "GET", "/api/executions?status=running"))["items"]
        answer = await rest(running, 1, "POST", f"/api/executions/{shown['executionId']}/cancel")
        assert answer == {"executionId": shown["executionId"], "status": "canceled"}
    gate.opened.set()
    assert task.result().status == "canceled"
    assert task.result().structured["calls"][0]["code"] == "outcome_unknown"


async def left_to_the_other(running: Fleet) -> None:
    gate = running.api.hold("read", "drain", 1)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(running.caller().execute(READS, 0))
        assert await asyncio.to_thread(happened, gate.arrived)
        running.replicas[0].signal(SIGTERM)
        await asyncio.to_thread(running.replicas[0].logged, "draining", executions=1)
        running.replicas[0].signal(SIGTERM)
    left = task.result()
    assert left.status == "running"
    result = await running.caller().look(left.structured["executionId"], 1)
    gate.opened.set()
    assert result.value == ["read 0", "read 1", "read 2"]
    arrivals = [running.api.arrivals["read", "drain", str(n)] for n in range(3)]
    assert arrivals == [1, 2, 1], "only what was under way is read again"
    assert await asyncio.to_thread(running.replicas[0].wait) == 0


async def test_what_one_replica_runs_another_cancels_or_goes_on_with(tmp_path: Path) -> None:
    with fleet(tmp_path / "fleet", size=2) as running:
        await cancelled_elsewhere(running)
        await left_to_the_other(running)
