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

    def _lease(self, lease: Lease | None) -> tuple[str, str]:
        """Key and token for a script; an empty token is not checked."""
        if lease is None:
            return self._link.key("lease", ""), ""
        return self._link.key("lease", lease.name), str(lease.token)


def refuse(answer: bytes, execution_id: str, lease: Lease | None) -> NoReturn:
    """Raise what a script answered instead of `ok`."""
    if answer == b"lease":
        assert lease is not None
        raise LeaseLost(f"The lease on {lease.name} is no longer held by {lease.holder}.")
    raise JournalFull(f"The journal of {execution_id} is larger than it may be.")
