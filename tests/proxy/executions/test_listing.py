"""What may be listed."""

from __future__ import annotations

from policies import Rule
from tests.proxy.executions.world import (
    ALICE,
    BOB,
    world,
)

ASK = Rule("ask", "demo.org.main.things.create", "require_approval")
CREATE = "return await tools.demo.org.main.things.create({n: 1})"


async def test_pages_go_on_where_the_one_before_ended() -> None:
    async with world(rules=[ASK]) as running:
        ids = [(await running.run(CREATE)).execution_id for _ in range(3)]
        first = await running.executions.list(ALICE, limit=2)
        second = await running.executions.list(ALICE, limit=2, cursor=first.cursor)
        foreign = await running.executions.list(BOB)
    assert sorted(one.id for one in (*first.items, *second.items)) == sorted(ids)
    assert second.cursor is None
    assert foreign.items == ()


async def test_questions_come_oldest_first_and_only_to_those_who_may_see_them() -> None:
    async with world(rules=[ASK], is_approver=lambda who: who.account_id == "key:boss") as running:
        ids = [(await running.run(CREATE)).execution_id for _ in range(2)]
        mine = await running.executions.pending(ALICE)
        assert await running.executions.pending(BOB) == ()
    assert sorted(one.execution_id for one in mine) == sorted(ids)
    assert [one.created for one in mine] == sorted(one.created for one in mine)
