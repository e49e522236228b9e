"""What the parts of the Redis store share."""

from __future__ import annotations

from typing import NoReturn

from proxy.state.held import Held
from proxy.state.keys import Cipher
from proxy.state.records import Caps, JournalFull, Lease, LeaseLost
from proxy.state.redis.link import Link


class Part:
    """One protocol over one Redis. All parts of a store share these four."""

    def __init__(self, link: Link, cipher: Cipher, caps: Caps, held: Held) -> None:
        self._link = link
        self._cipher = cipher
        self._caps = caps
        self._held = held

    def _lease(self, lease: Lease | None, execution_id: str) -> tuple[str, str]:
        """Key and token for a script; an empty token is not checked. Raises `LeaseLost` in a cluster for a lease on
        something else: it lies elsewhere, and nobody who drives this execution has it."""
        if lease is not None and self._link.in_cluster and lease.name != execution_id:
            refuse(b"lease", execution_id, lease)
        key = self._link.key("lease", self._link.tagged(execution_id if lease is None else lease.name))
        return key, "" if lease is None else str(lease.token)

    def _execution(self, execution_id: str) -> str:
        return self._link.key("execution", self._link.tagged(execution_id))


def refuse(answer: bytes, execution_id: str, lease: Lease | None) -> NoReturn:
    """Raise what a script answered instead of `ok`."""
    if answer == b"lease":
        assert lease is not None
        raise LeaseLost(f"The lease on {lease.name} is no longer held by {lease.holder}.")
    raise JournalFull(f"The journal of {execution_id} is larger than it may be.")
