"""Pools over reloads: which one serves, and that the others end."""

from __future__ import annotations

import asyncio

import pytest

from proxy.app.sandboxes import Sandboxes, pool_options
from proxy.config.model import MIB, SandboxConfig
from proxy.sandbox import Done, HardeningMissing, Pool, StartMessage
from tests.proxy.support import LIMIT_SECONDS

ONE = SandboxConfig(workers=1)
OTHER = SandboxConfig.model_validate({"workers": 1, "memory": "64MiB"})
UNKNOWN = ONE.model_copy(update={"require": ("nonsense",)})


async def run(sandboxes: Sandboxes, code: str) -> object:
    async with asyncio.timeout(LIMIT_SECONDS), sandboxes.worker("ws", LIMIT_SECONDS) as worker:
        await worker.start(StartMessage(code, "00" * 32, 1000.0))
        done = await worker.receive()
        assert isinstance(done, Done)
        return done.value


async def applied(sandboxes: Sandboxes, config: SandboxConfig) -> Pool:
    await sandboxes.prepare(config)
    sandboxes.adopt()
    return sandboxes.pool


def test_a_config_as_the_pool_wants_it() -> None:
    given = {"workers": 3, "memory": "64MiB", "require": ["seccomp"], "reuse": "workspace"}
    options = pool_options(SandboxConfig.model_validate(given))
    assert (options.workers, options.reuse, options.require) == (3, "workspace", frozenset({"seccomp"}))
    assert options.memory_bytes > 64 * MIB
    assert pool_options(SandboxConfig(workers=200)).running == 200


async def test_an_equal_sandbox_keeps_its_pool() -> None:
    async with Sandboxes() as sandboxes:
        first = await applied(sandboxes, ONE)
        assert await run(sandboxes, "return 1 + 1") == 2
        assert await applied(sandboxes, ONE) is first
        assert await run(sandboxes, "return 2 + 1") == 3


async def test_a_changed_sandbox_is_a_new_pool_and_the_old_one_finishes() -> None:
    async with Sandboxes() as sandboxes:
        first = await applied(sandboxes, ONE)
        async with sandboxes.worker("ws", LIMIT_SECONDS) as worker:
            assert await applied(sandboxes, OTHER) is not first
            assert await run(sandboxes, "return 'new'") == "new"
            await worker.start(StartMessage("return 'old'", "00" * 32, 1000.0))
            done = await worker.receive()
            assert isinstance(done, Done)
            assert done.value == "old"


async def test_what_was_prepared_and_not_adopted_is_dropped() -> None:
    """A build that is rejected after its pool started."""
    async with Sandboxes() as sandboxes:
        first = await applied(sandboxes, ONE)
        await sandboxes.prepare(OTHER)
        assert sandboxes.pool is first
        assert await applied(sandboxes, ONE) is first
        await sandboxes.prepare(OTHER)


async def test_a_pool_that_cannot_start_changes_nothing() -> None:
    async with Sandboxes() as sandboxes:
        first = await applied(sandboxes, ONE)
        with pytest.raises(HardeningMissing, match="nonsense"):
            await sandboxes.prepare(UNKNOWN)
        assert sandboxes.pool is first
        assert await run(sandboxes, "return 1") == 1


@pytest.mark.parametrize("config", [OTHER, UNKNOWN])
async def test_a_superseded_start_ends_quietly(config: SandboxConfig) -> None:
    """A reload is cancelled while its pool starts; the server goes on with the old one."""
    async with Sandboxes() as sandboxes:
        first = await applied(sandboxes, ONE)
        async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
            preparing = group.create_task(sandboxes.prepare(config))
            group.create_task(cancelled(preparing))
        assert preparing.cancelled()
        assert sandboxes.pool is first
        assert await run(sandboxes, "return 1") == 1
        assert await applied(sandboxes, OTHER) is not first


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()


async def failing() -> None:
    async with Sandboxes() as sandboxes:
        await applied(sandboxes, ONE)
        raise KeyError("mine")


async def test_errors_of_the_body_come_out_as_they_are() -> None:
    with pytest.raises(KeyError, match="mine"):
        await failing()
