"""The memory store is a `State`, and owners are compared by who they are."""

from __future__ import annotations

from proxy.state import MemoryState, Owner, State


def test_the_memory_store_implements_the_protocol() -> None:
    state: State = MemoryState()
    assert state is not None


def test_owners_are_equal_when_workspace_and_account_are() -> None:
    assert Owner("w", "key:a") == Owner("w", "key:a")
    assert Owner("w", "key:a") != Owner("v", "key:a")
