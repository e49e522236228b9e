from __future__ import annotations

import asyncio

import pytest

from proxy.serving.rest.executions import Outliving


async def test_work_goes_on_when_its_caller_leaves() -> None:
    outliving, begun, go_on, ended = Outliving(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        ended.set()

    async with asyncio.TaskGroup() as group:
        caller = group.create_task(outliving.run(work()))
        await begun.wait()
        caller.cancel()
    assert (len(outliving), ended.is_set()) == (1, False)
    go_on.set()
    await ended.wait()


async def test_results_and_errors_are_the_callers() -> None:
    outliving = Outliving()

    async def fails() -> None:
        raise ValueError("why")

    async def works() -> int:
        return 7

    assert await outliving.run(works()) == 7
    with pytest.raises(ValueError, match="why"):
        await outliving.run(fails())
    assert len(outliving) == 0
