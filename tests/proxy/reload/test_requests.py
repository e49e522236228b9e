import asyncio

from proxy.config.report import Summary
from proxy.reload import ReloadOutcome
from proxy.reload.requests import ReloadRequests

OUTCOME = ReloadOutcome("applied", "http", 1, "", (), Summary(0, 0, 0, 0, 0), (), 0)


async def test_requests_before_a_read_are_one_request_and_the_newest_names_it() -> None:
    requests = ReloadRequests()
    assert requests.trigger == "watch"
    first, second = requests.ask("sighup"), requests.ask("http")
    assert first is second
    assert requests.wanted is True
    requests.join()
    assert (requests.wanted, requests.trigger) == (False, "http")
    requests.answer(OUTCOME)
    assert await first is OUTCOME


async def test_a_request_after_the_read_waits_for_the_next_one() -> None:
    requests = ReloadRequests()
    requests.ask("start")
    requests.join()
    late = requests.ask("watch")
    requests.answer(OUTCOME)
    assert not late.done()
    requests.stop()
    assert await late is None


async def test_a_waiter_that_left_is_not_answered() -> None:
    requests = ReloadRequests()
    requests.ask("http").cancel()
    requests.join()
    requests.answer(OUTCOME)


async def test_waiting_has_a_limit() -> None:
    requests = ReloadRequests()
    assert await requests.wanted_within(0) is False
    requests.ask("http")
    assert await requests.wanted_within(None) is True


async def test_a_finished_task_ends_the_wait() -> None:
    requests = ReloadRequests()
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        await requests.wanted_or_done(group.create_task(asyncio.sleep(0)))
    assert requests.wanted is False
