"""Opening the store that the config names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from integrations.base import Secret
from proxy.state import StateUnavailable, open_state
from tests.proxy.state.servers import redis_server
from tests.proxy.state.stores import ALICE, OLD_KEY, Clock, record


async def test_memory_needs_nothing() -> None:
    clock = Clock()
    async with open_state("memory", clock=clock) as state:
        await state.save_execution(record(clock))
        assert await state.find_execution("exec_1", "one") is not None


async def test_sqlite_keeps_what_was_stored(tmp_path: Path) -> None:
    for expected in ((), (b"1",)):
        async with open_state("sqlite", path=tmp_path / "state.db", keys=[OLD_KEY]) as state:
            assert await state.read_journal("e1", ALICE) == expected
            await state.append_journal("e1", ALICE, [b"1"])


async def test_redis_uses_the_servers_time() -> None:
    with redis_server() as server:
        async with open_state("redis", url=Secret(server.url), keys=[OLD_KEY]) as state:
            lease = await state.acquire_lease("e1", "a", 30)
            assert lease is not None
            assert await state.lease_of("e1") == lease
            await state.append_journal("e1", ALICE, [b"1"], lease=lease)
            assert await state.read_journal("e1", ALICE) == (b"1",)
            assert await state.put_result(ALICE, b"[]", 30) is not None


@pytest.mark.parametrize("keys", [[], [Secret("short")]])
async def test_a_store_outside_of_this_process_needs_a_key(tmp_path: Path, keys: Sequence[Secret]) -> None:
    with pytest.raises(StateUnavailable, match=r"state\.encryption_key"):
        async with open_state("sqlite", path=tmp_path / "state.db", keys=keys):
            pass
    assert os.listdir(tmp_path) == []
