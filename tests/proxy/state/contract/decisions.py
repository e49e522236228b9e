"""What every store promises about decisions: one per interaction, used once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from proxy.state import Caps, DecisionRecord, JournalFull, LeaseLost, Owner
from tests.proxy.state.stores import ALICE, BOB, Clock, Stores, record


def approved(clock: Clock, interaction_id: str = "i1", owner: Owner = ALICE) -> DecisionRecord:
    return DecisionRecord("e1", interaction_id, owner, "sha256:args", clock.now + 60, b'{"action":"accept"}')


class DecisionContract:
    async def test_the_first_decision_stands(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            await state.save_execution(record(clock, "e1", status="paused"))
            first = approved(clock)
            assert await state.decide(first) == first
            assert await other.decide(replace(first, body=b'{"action":"decline"}')) == first
            assert await other.decisions("e1", ALICE) == (first,)

    async def test_of_many_who_decide_at_once_one_stands(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            await state.save_execution(record(clock, "e1", status="paused"))
            bodies = [str(n).encode() for n in range(20)]
            tries = [
                (state, other)[n % 2].decide(replace(approved(clock), body=body))
                for n, body in enumerate(bodies)
            ]
            outcomes = await asyncio.gather(*tries)
            assert len({outcome.body for outcome in outcomes if outcome is not None}) == 1

    async def test_there_is_nothing_to_decide_without_an_execution_that_waits(
        self, stores: Stores, clock: Clock
    ) -> None:
        async with stores.open() as state:
            assert await state.decide(approved(clock)) is None
            saved = await state.save_execution(record(clock, "e1", status="paused"))
            assert await state.decide(approved(clock, owner=BOB)) is None
            await state.save_execution(replace(saved, status="settled"))
            assert await state.decide(approved(clock)) is None
            assert await state.decisions("e1", ALICE) == ()

    async def test_a_decision_is_used_once_and_with_its_journal_records(
        self, stores: Stores, clock: Clock
    ) -> None:
        async with stores.open() as state, stores.open() as other:
            await state.save_execution(record(clock, "e1", status="paused"))
            await state.append_journal("e1", ALICE, [b"start"])
            decision = approved(clock)
            await other.decide(decision)
            assert await state.use_decision(decision, records=[b"dispatch"])
            assert not await state.use_decision(decision, records=[b"twice"])
            assert not await other.use_decision(decision)
            assert await other.read_journal("e1", ALICE) == (b"start", b"dispatch")
            assert await other.decisions("e1", ALICE) == (replace(decision, used=True),)
            assert await other.decide(decision) == replace(decision, used=True)

    async def test_of_many_who_use_it_at_once_one_succeeds(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            await state.save_execution(record(clock, "e1", status="paused"))
            decision = approved(clock)
            await state.decide(decision)
            outcomes = await asyncio.gather(
                *((state, other)[n % 2].use_decision(decision) for n in range(20))
            )
            assert sum(outcomes) == 1

    async def test_a_decision_serves_only_what_it_was_about(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            await state.save_execution(record(clock, "e1", status="paused"))
            decision = approved(clock)
            await state.decide(decision)
            for other in (
                replace(decision, binding="sha256:other"),
                replace(decision, interaction_id="i2"),
                replace(decision, execution_id="e2"),
                replace(decision, owner=BOB),
            ):
                assert not await state.use_decision(other, records=[b"wrong"])
            assert await state.read_journal("e1", ALICE) == ()
            assert await state.use_decision(decision)

    async def test_a_decision_expires_and_can_be_made_again(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            await state.save_execution(record(clock, "e1", status="paused"))
            decision = approved(clock)
            await state.decide(decision)
            clock.now += 60
            assert not await state.use_decision(decision)
            assert await state.decisions("e1", ALICE) == ()
            again = replace(approved(clock), body=b"later")
            assert await state.decide(again) == again
            assert await state.use_decision(again)

    async def test_only_the_holder_of_the_lease_uses_decisions(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state:
            lease = await state.acquire_lease("e1", "a", 10)
            await state.save_execution(record(clock, "e1", status="paused"), lease=lease)
            decision = approved(clock)
            await state.decide(decision)
            clock.now += 10
            with pytest.raises(LeaseLost):
                await state.use_decision(decision, records=[b"late"], lease=lease)
            assert await state.read_journal("e1", ALICE) == ()
            assert await state.use_decision(decision)

    async def test_a_journal_that_is_full_uses_nothing_up(self, stores: Stores, clock: Clock) -> None:
        async with stores.open(Caps(journal_bytes=4)) as state:
            await state.save_execution(record(clock, "e1", status="paused"))
            decision = approved(clock)
            await state.decide(decision)
            with pytest.raises(JournalFull):
                await state.use_decision(decision, records=[b"12345"])
            assert await state.use_decision(decision, records=[b"1234"])

    async def test_using_takes_along_what_is_held_back(self, stores: Stores, clock: Clock) -> None:
        async with stores.open() as state, stores.open() as other:
            await state.save_execution(record(clock, "e1", status="paused"))
            decision = approved(clock)
            await state.decide(decision)
            await state.append_journal("e1", ALICE, [b"1"], durable=False)
            assert await state.use_decision(decision, records=[b"2"])
            await state.append_journal("e1", ALICE, [b"3"], durable=False)
            assert not await state.use_decision(decision, records=[b"no"])
            assert await other.read_journal("e1", ALICE) == (b"1", b"2", b"3")
