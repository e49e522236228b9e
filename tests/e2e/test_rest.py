"""The REST API of a whole server: idempotency, decisions, what callers see."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.e2e.running import Proxy
from tests.e2e.upstream import Upstream

CREATE = 'return (await tools.shop.org.main.things.create({body: {name: "bolt"}})).ok'


async def test_concurrent_requests_with_one_key_are_one_execution(shop: Proxy, api: Upstream) -> None:
    code = 'return (await tools.shop.org.main.hold.wait({gate: "rest"})).ok'
    async with shop.client(**{"idempotency-key": "build-7"}) as client, asyncio.TaskGroup() as group:
        asked = [group.create_task(client.post("/api/executions", json={"code": code})) for _ in range(3)]
        await asyncio.to_thread(api.arrived, "rest")
        api.open("rest")
    answers = [one.result() for one in asked]
    assert {one.status_code for one in answers} == {200}
    assert {one.json()["result"] for one in answers} == {True}
    assert len({one.json()["executionId"] for one in answers}) == 1
    assert len([one for one in api.targets() if one == "GET /hold/rest"]) == 1
    async with shop.client(**{"idempotency-key": "build-7"}) as client:
        other = await client.post("/api/executions", json={"code": "return 2"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")


async def test_a_pause_is_decided_and_gone_on_with(shop: Proxy) -> None:
    async with shop.client() as client:
        paused = (await client.post("/api/executions", json={"code": CREATE})).json()
        execution, question = paused["executionId"], paused["interaction"]["id"]
        listed = (await client.get("/api/approvals")).json()["items"]
        assert [one["interaction"]["id"] for one in listed if one["executionId"] == execution] == [question]
        path = f"/api/executions/{execution}"
        decided = await client.post(f"{path}/decide", json={"action": "accept", "interactionId": question})
        assert decided.json()["decided"] == {question: "accept"}
        assert execution not in (await client.get("/api/approvals")).text
        assert (await client.post(f"{path}/resume", json={})).json()["result"] is True
        shown: dict[str, Any] = (await client.get(path)).json()
        assert (shown["status"], shown["decided"]) == ("completed", {question: "accept"})
        assert shown["result"]["result"] is True
        again = await client.post(f"{path}/resume", json={"action": "accept", "interactionId": question})
        late = await client.post(f"{path}/resume", json={"action": "decline", "interactionId": question})
    assert (again.status_code, late.status_code) == (200, 409)


async def test_callers_see_what_policies_let_them_see(shop: Proxy) -> None:
    async with shop.client() as client:
        page = (await client.get("/api/tools", params={"limit": 200})).json()
        hidden = await client.get("/api/tools/shop.org.main.admin.wipe")
        rows = (await client.get("/api/connections")).json()["items"]
        why = (
            await client.get("/api/policies/explain", params={"tool": "shop.org.main.things.create"})
        ).json()
    paths = [one["path"] for one in page["items"]]
    assert "shop.org.main.things.list" in paths
    assert "shop.org.main.admin.wipe" not in paths
    assert hidden.status_code == 404
    assert [(one["connection"], one["status"]) for one in rows] == [("shop.org.main", "connected")]
    assert why["action"] == "require_approval"
