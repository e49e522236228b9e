from __future__ import annotations

import anyio
import pytest

from proxy.serving.drain import Drain
from proxy.serving.http.errors import RequestRefusal


def test_nothing_is_refused_before_it_begins() -> None:
    drain = Drain()
    drain.refuse_new_work()
    assert not drain.active


def test_beginning_refuses_new_work_and_ends_streams_once() -> None:
    drain, ended = Drain(), []
    drain.on_begin(lambda: ended.append(1))
    drain.begin()
    drain.begin()
    assert ended == [1]
    with pytest.raises(RequestRefusal) as caught:
        drain.refuse_new_work()
    assert caught.value.fault.status == 503
    assert caught.value.headers == {"retry-after": "5"}


async def test_beginning_ends_waits_and_lets_none_begin() -> None:
    drain, ends = Drain(), []
    waiting = anyio.Event()

    async def wait() -> None:
        with drain.interruptible():
            waiting.set()
            await anyio.sleep_forever()
        ends.append("cut")

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await waiting.wait()
        drain.begin()
    with drain.interruptible():
        await anyio.sleep_forever()
    assert ends == ["cut"]


async def test_a_wait_that_has_ended_is_not_cut() -> None:
    drain = Drain()
    with drain.interruptible():
        await anyio.lowlevel.checkpoint()
    drain.begin()
    await anyio.lowlevel.checkpoint()
