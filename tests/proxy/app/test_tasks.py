"""Tasks beside a block: whose error comes out, and how."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from proxy.app.tasks import companions


async def waiting(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


async def failing_block(ended: list[str]) -> None:
    async with companions() as group:
        task = group.create_task(waiting(ended))
        await asyncio.sleep(0)
        try:
            raise KeyError("mine")
        finally:
            task.cancel()


async def test_the_error_of_the_block_comes_out_as_it_is() -> None:
    ended: list[str] = []
    with pytest.raises(KeyError, match="mine"):
        await failing_block(ended)
    assert ended == ["ended"]


async def broken() -> None:
    raise OSError("theirs")


async def block_beside(work: Coroutine[Any, Any, None]) -> None:
    async with companions() as group:
        group.create_task(work)
        await asyncio.Event().wait()


async def test_the_error_of_a_task_ends_the_block_and_comes_out_in_a_group() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await block_beside(broken())
    assert [str(one) for one in caught.value.exceptions] == ["theirs"]


async def cancelled_block(ended: list[str], inside: asyncio.Event) -> None:
    async with companions() as group:
        group.create_task(waiting(ended))
        inside.set()
        await asyncio.Event().wait()


async def test_a_cancelled_block_cancels_its_tasks() -> None:
    ended: list[str] = []
    inside = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cancelled_block(ended, inside))
        await inside.wait()
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert ended == ["ended"]
