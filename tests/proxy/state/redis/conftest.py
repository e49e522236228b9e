"""The contract over a real server, one for all tests of a process; each test has keys of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy.state.servers import RedisServer, redis_server
from tests.proxy.state.stores import RedisStores


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
def stores(server: RedisServer) -> RedisStores:
    return RedisStores(server)
