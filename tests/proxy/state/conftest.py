"""The stores that the contract is tested with: memory here, sqlite and redis in their folders."""

from __future__ import annotations

import pytest

from tests.proxy.state.stores import Clock, MemoryStores, Stores


@pytest.fixture
def stores() -> Stores:
    return MemoryStores()


@pytest.fixture
def clock(stores: Stores) -> Clock:
    return stores.clock
