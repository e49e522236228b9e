"""The protocol that executions need of a store. Values are bytes: what they mean is their writer's business.

A store never raises for a missing, expired or foreign entry: all three are "not there" to the one who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may read an entry again: the principal, not its token or session."""

    workspace_id: str
    account_id: str


class State(Protocol):
    """Called by `proxy.executions` (journals, results) and `proxy.calls` (reading results back)."""

    async def append_journal(self, execution_id: str, owner: Owner, records: Sequence[bytes]) -> None:
        """Add records at the end, in this order. When it returns they are as durable as the store can make them."""
        ...

    async def read_journal(self, execution_id: str, owner: Owner) -> tuple[bytes, ...]:
        """All records in the order of writing; empty when there is no such journal or it is another owner's."""
        ...

    async def put_result(self, owner: Owner, value: bytes, ttl_seconds: float) -> str | None:
        """Keep a JSON document; its reference (unguessable), or None when it is larger than the store takes."""
        ...

    async def get_result(self, owner: Owner, ref: str) -> bytes | None:
        """The document, or None when it expired, was evicted, never was, or is another owner's."""
        ...
