import asyncio

from proxy.config.report import Summary
from proxy.reload import ReloadOutcome
from proxy.reload.asking import Asking

OUTCOME = ReloadOutcome("applied", "http", 1, "", (), Summary(0, 0, 0, 0, 0), (), 0)


async def test_wishes_before_a_read_are_one_wish_and_the_newest_names_it() -> None:
    asking = Asking()
    assert asking.trigger == "watch"
    first, second = asking.ask("sighup"), asking.ask("http")
    assert first is second
    assert asking.wanted is True
    asking.join()
    assert (asking.wanted, asking.trigger) == (False, "http")
    asking.answer(OUTCOME)
    assert await first is OUTCOME


async def test_a_wish_after_the_read_waits_for_the_next_one() -> None:
    asking = Asking()
    asking.ask("start")
    asking.join()
    late = asking.ask("watch")
    asking.answer(OUTCOME)
    assert not late.done()
    asking.stop()
    assert await late is None


async def test_a_waiter_that_left_is_not_answered() -> None:
    asking = Asking()
    asking.ask("http").cancel()
    asking.join()
    asking.answer(OUTCOME)


async def test_waiting_has_a_limit() -> None:
    asking = Asking()
    assert await asking.wanted_within(0) is False
    asking.ask("http")
    assert await asking.wanted_within(None) is True


async def test_a_finished_task_ends_the_wait() -> None:
    asking = Asking()
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        await asking.wanted_or_done(group.create_task(asyncio.sleep(0)))
    assert asking.wanted is False
